'use strict';
// What a case gets.
const assert = require('assert');
const { Connection, Session, frame } = require('./quic');

class Context {
  constructor(srv, shared) { this.srv = srv; this.port = srv.port; this.shared = shared; this.quic = shared.quic; this.open = []; this.closers = []; this.sids = new Set(); }
  /** Ends the server as an administrator does, and starts it again on the same port. */
  async restart() { await this.shared.stop(this.srv); const again = await this.shared.start(this.srv.profile, this.port); this.srv = Object.assign(this.srv, again); assert.ok(this.srv.up, 'did not start again'); }
  get path() { return this.srv.profile.startsWith('wt-engine') ? '/engine.io/' : '/socket.io/'; }
  get hash() { return this.shared.cert.hash; }
  async begin() { const list = await this.events(-1); this.after = list.length ? list[list.length - 1].n : 0; this.before = (await this.stats()).sessions; }
  async done() {
    for (const c of this.closers) { try { await c(); } catch (e) { /* over */ } }
    for (const s of this.open) { if (!s.conn.terminated) s.conn.say('end', {}); }
  }
  skip(why) { throw Object.assign(new Error(why), { skip: why }); }
  defer(f) { this.closers.push(f); }
  sleep(ms) { return new Promise((r) => setTimeout(r, ms)); }
  url(p) { return `http://127.0.0.1:${this.port}${p}`; }
  async json(p) { return (await fetch(this.url(p))).json(); }
  async stats() { return this.json('/stats'); }
  async events(after = this.after) { return this.json('/events?after=' + Math.max(after, 0)); }
  async do(body) { return (await fetch(this.url('/do'), { method: 'POST', body: JSON.stringify(body) })).json(); }
  /** The first event of a session of this case for which `test` holds. */
  async event(test, ms = 3000) {
    const until = Date.now() + ms * this.shared.slack;
    for (;;) {
      const e = (await this.events()).find((e) => this.sids.has(e.conn) && test(e));
      if (e) return e;
      if (Date.now() > until) throw new Error('no such event; there are ' + JSON.stringify(await this.events()));
      await this.sleep(20);
    }
  }
  /** That the sessions of this case are gone from the server. */
  async gone(ms = 2000) {
    const until = Date.now() + ms * this.shared.slack;
    for (;;) {
      const { sessions } = await this.stats();
      if (sessions <= this.before) return;
      if (Date.now() > until) throw new Error(`${sessions} sessions are left, ${this.before} were there before`);
      await this.sleep(20);
    }
  }
  /** A WebTransport session; nothing is sent on it yet. */
  async session(options = {}) {
    const s = await Session.open(this.quic, this.port, options.path || this.path, options);
    this.open.push(s);
    return s;
  }
  /** An Engine.IO session: {session, stream, open: what the open packet says}. */
  async connect(options = {}) {
    const session = await this.session(options);
    assert.strictEqual(session.status, 200);
    const stream = await session.stream();
    stream.raw([0x01, 0x30]);
    const first = await stream.packet();
    assert.ok(typeof first === 'string' && first.startsWith('0{'), 'open packet expected, got ' + first);
    const open = JSON.parse(first.slice(1));
    this.sids.add(open.sid);
    return { session, stream, open };
  }
  /** A session that must be ended by the server within `ms`, without ever having been told to the application. */
  async refused(session, ms = 700) {
    const e = await session.ended(ms * this.shared.slack);
    assert.ok(e, 'the server did not end the session');
    assert.deepStrictEqual((await this.events()).filter((x) => x.ev === 'connection'), []);
    await this.gone();
    return e;
  }
  // Polling, for upgrades.
  async poll(sid) { const r = await fetch(this.url(`${this.path}?EIO=4&transport=polling${sid ? '&sid=' + sid : ''}`)); return { status: r.status, body: await r.text() }; }
  async post(sid, body) { const r = await fetch(this.url(`${this.path}?EIO=4&transport=polling&sid=${sid}`), { method: 'POST', body }); return { status: r.status, body: await r.text() }; }
  async handshake() { const { status, body } = await this.poll(); assert.strictEqual(status, 200, body); const open = JSON.parse(body.slice(1)); this.sids.add(open.sid); return open; }
}

module.exports = { Context, Connection, Session, frame };
