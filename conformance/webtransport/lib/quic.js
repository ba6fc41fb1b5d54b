'use strict';
// The process of quic.py: commands to it, events from it. And two faces of it: `Session` for the cases, where nothing is
// corrected, and `WebTransport`, as much of the browser's class as the official client uses.
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { spawn } = require('child_process');
const { EventEmitter } = require('events');

const PYTHON = process.env.WT_PYTHON || (fs.existsSync(path.join(__dirname, '../.venv/bin/python')) ? path.join(__dirname, '../.venv/bin/python') : 'python3');

class Quic extends EventEmitter {
  constructor() {
    super();
    this.setMaxListeners(0);
    this.next = 1;
    this.waiting = new Map();
    this.child = spawn(PYTHON, [path.join(__dirname, 'quic.py')], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.errors = '';
    this.child.stderr.on('data', (d) => { this.errors += d; });
    this.child.on('exit', () => { for (const [, w] of this.waiting) w.reject(new Error('quic.py ended: ' + this.errors.slice(-500))); this.waiting.clear(); this.ended = true; this.emit('exit'); });
    this.child.stdin.on('error', () => {});
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => {
      const e = JSON.parse(line);
      if (e.hex !== undefined) e.data = Buffer.from(e.hex, 'hex');
      if (e.r != null && this.waiting.has(e.r)) {
        const w = this.waiting.get(e.r);
        this.waiting.delete(e.r);
        if (e.ev === 'trouble') w.reject(new Error(e.why)); else w.resolve(e);
        return;
      }
      this.emit('any', e);
      if (e.c != null) this.emit('c' + e.c, e);
    });
  }
  say(cmd) { this.child.stdin.write(JSON.stringify(cmd) + '\n'); }
  ask(cmd) {
    if (this.ended) return Promise.reject(new Error('quic.py ended: ' + this.errors.slice(-500)));
    const r = this.next++;
    return new Promise((resolve, reject) => { this.waiting.set(r, { resolve, reject, c: cmd.c }); this.say({ ...cmd, r }); });
  }
  end() { this.child.stdin.end(); this.child.kill(); }
}

let connections = 1_000_000;
/** A QUIC connection to a server. Everything that was seen is in `seen`. */
class Connection extends EventEmitter {
  constructor(quic, c) {
    super();
    this.setMaxListeners(0);
    this.quic = quic; this.c = c; this.seen = []; this.terminated = null;
    quic.on('c' + c, (e) => { this.seen.push(e); if (e.ev === 'terminated') this.terminated = e; this.emit('event', e); this.emit(e.ev, e); });
  }
  static async open(quic, port, options = {}) {
    const c = connections++;
    const it = new Connection(quic, c);
    const ended = new Promise((resolve) => it.once('terminated', (e) => resolve(e)));
    const e = await Promise.race([quic.ask({ op: 'connect', c, port, ...options }), ended]);
    if (e.ev === 'terminated') throw Object.assign(new Error('connection refused: ' + e.reason), { event: e });
    return it;
  }
  say(op, more) { this.quic.say({ op, c: this.c, ...more }); }
  ask(op, more) { return this.quic.ask({ op, c: this.c, ...more }); }
  /** The next event, or one already seen, for which `test` holds; null after `ms`. */
  until(test, ms = 3000) {
    const old = this.seen.find(test);
    if (old) return Promise.resolve(old);
    return new Promise((resolve) => {
      const stop = (x) => { clearTimeout(timer); this.off('event', on); resolve(x); };
      const on = (e) => { if (test(e)) stop(e); };
      const timer = setTimeout(() => stop(null), ms);
      this.on('event', on);
    });
  }
  async request(headers, fin = false, more) {
    const { st } = await this.ask('request', { headers, fin, ...more });
    const response = await this.until((e) => e.st === st && (e.ev === 'response' || e.ev === 'reset') || e.ev === 'terminated');
    return { st, response };
  }
}

const connect = (port, pathname, headers = []) => [[':method', 'CONNECT'], [':protocol', 'webtransport'], [':scheme', 'https'], [':authority', `127.0.0.1:${port}`], [':path', pathname], ...headers];

/** A WebTransport session, by hand. */
class Session {
  static async open(quic, port, pathname, { headers, connection, ...options } = {}) {
    const it = new Session();
    it.quic = quic; it.port = port;
    it.conn = connection || await Connection.open(quic, port, options);
    const { st, response } = await it.conn.request(connect(port, pathname, headers));
    it.s = st; it.response = response; it.status = response && response.ev === 'response' ? response.status : 0;
    return it;
  }
  async stream() { const { st } = await this.conn.ask('bidi', { s: this.s }); return new Stream(this, st); }
  async uni() { const { st } = await this.conn.ask('uni', { s: this.s }); return new Stream(this, st); }
  close(code = 0, reason = '') { this.conn.say('close', { s: this.s, code, reason }); }
  /** How the session ended: {code, reason} of the capsule, `clean` if only the stream of the CONNECT ended, or the connection's end; null if it did not within `ms`. */
  async ended(ms = 3000) {
    const e = await this.conn.until((e) => (e.ev === 'closed' && e.s === this.s) || (e.ev === 'body' && e.st === this.s && e.fin) || (e.ev === 'reset' && e.st === this.s) || e.ev === 'terminated', ms);
    if (!e) return null;
    if (e.ev === 'closed') return { how: 'capsule', code: e.code, reason: e.reason };
    return { how: e.ev === 'body' ? 'fin' : e.ev, code: e.code, reason: e.reason };
  }
}

/** A stream with the framing of Engine.IO read from it. */
class Stream {
  constructor(session, st) {
    this.session = session; this.conn = session.conn; this.st = st; this.buffer = Buffer.alloc(0); this.packets = []; this.bytes = Buffer.alloc(0); this.wake = () => {};
    this.fin = false; this.resetBy = null; this.chunks = [];
    this.conn.on('data', (e) => { if (e.st === st) { this.chunks.push(e.data.length); this.bytes = Buffer.concat([this.bytes, e.data]); this.buffer = Buffer.concat([this.buffer, e.data]); if (e.fin) this.fin = true; this.read(); } });
    this.conn.on('reset', (e) => { if (e.st === st) { this.resetBy = e; this.wake(); } });
    this.conn.on('terminated', () => this.wake());
  }
  read() {
    for (;;) {
      const b = this.buffer;
      if (b.length < 1) break;
      const small = b[0] & 0x7f;
      const head = small < 126 ? 1 : small === 126 ? 3 : 9;
      if (b.length < head) break;
      const size = small < 126 ? small : small === 126 ? b.readUInt16BE(1) : Number(b.readBigUInt64BE(1));
      if (b.length < head + size) break;
      this.packets.push({ binary: !!(b[0] & 0x80), data: b.subarray(head, head + size), header: b.subarray(0, head).toString('hex') });
      this.buffer = b.subarray(head + size);
    }
    this.wake();
  }
  /** The next packet: text as a string, binary as a Buffer; null after `ms` or at the end. */
  async packet(ms = 3000) {
    const until = Date.now() + ms;
    for (;;) {
      if (this.packets.length) { const p = this.packets.shift(); this.last = p; return p.binary ? p.data : p.data.toString(); }
      if (this.fin || this.resetBy || this.conn.terminated) return null;
      const left = until - Date.now();
      if (left <= 0) return null;
      await new Promise((resolve) => { const t = setTimeout(resolve, left); this.wake = () => { clearTimeout(t); resolve(); }; });
    }
  }
  /** The next packet that is no ping; pings are answered. */
  async message(ms = 3000) { for (;;) { const p = await this.packet(ms); if (p === '2') { this.text('3'); continue; } return p; } }
  raw(bytes, fin = false) { this.conn.say('send', { st: this.st, hex: Buffer.from(bytes).toString('hex'), fin }); }
  text(t) { this.raw(frame(Buffer.from(t), false)); }
  binary(b) { this.raw(frame(Buffer.from(b), true)); }
  end() { this.raw([], true); }
  reset(code = 0) { this.conn.say('reset', { st: this.st, code }); }
  stop(code = 0) { this.conn.say('stop', { st: this.st, code }); }
}

/** One packet with its header. */
function frame(data, binary) {
  const bit = binary ? 0x80 : 0;
  let head;
  if (data.length < 126) head = Buffer.of(bit | data.length);
  else if (data.length < 65536) { head = Buffer.alloc(3); head[0] = bit | 126; head.writeUInt16BE(data.length, 1); } else { head = Buffer.alloc(9); head[0] = bit | 127; head.writeBigUInt64BE(BigInt(data.length), 1); }
  return Buffer.concat([head, data]);
}

/** The streams of a session as the browser has them. */
function faces(quic, c, st) {
  let over = false;
  const readable = new ReadableStream({
    start(controller) {
      quic.on('c' + c, (e) => {
        if (over || (e.st !== st && e.ev !== 'terminated')) return;
        if (e.ev === 'data') { if (e.data.length) controller.enqueue(new Uint8Array(e.data)); if (e.fin) { over = true; controller.close(); } }
        if (e.ev === 'reset') { over = true; controller.error(new Error('stream was reset')); }
        if (e.ev === 'terminated') { over = true; controller.error(new Error('connection lost')); }
      });
    },
    cancel() { over = true; quic.say({ op: 'stop', c, st, code: 0 }); },
  });
  const writable = new WritableStream({
    async write(chunk) { quic.say({ op: 'send', c, st, hex: Buffer.from(chunk).toString('hex') }); },
    async close() { quic.say({ op: 'send', c, st, hex: '', fin: true }); },
    async abort() { quic.say({ op: 'reset', c, st, code: 0 }); },
  });
  return { readable, writable };
}

/** For the official client on Node: as much of the browser's class as it uses. */
function webTransportClass(quic) {
  return class WebTransport {
    constructor(url) {
      const u = new URL(url);
      const port = Number(u.port || 443);
      let closed;
      this.closed = new Promise((resolve, reject) => { closed = { resolve, reject }; });
      this.closed.catch(() => {});
      this.ready = (async () => {
        const s = await Session.open(quic, port, u.pathname + u.search, { name: 'localhost' });
        if (s.status !== 200) throw new Error('Opening handshake failed.');
        this.session = s;
        s.conn.on('closed', (e) => { if (e.s === s.s) { s.conn.say('end', {}); closed.resolve({ closeCode: e.code, reason: e.reason }); } });
        s.conn.on('body', (e) => { if (e.st === s.s && e.fin) closed.resolve({ closeCode: 0, reason: '' }); });
        s.conn.on('terminated', (e) => closed.reject(new Error('Connection lost: ' + e.reason)));
      })();
      this.ready.catch((e) => closed.reject(e));
    }
    async createBidirectionalStream() {
      await this.ready;
      const { st } = await this.session.conn.ask('bidi', { s: this.session.s });
      return faces(quic, this.session.conn.c, st);
    }
    close(info = {}) { if (this.session) this.session.close(info.closeCode || 0, info.reason || ''); }
  };
}

/** For the reference: sessions as its library's server gives them. */
function serverSession(quic, c, s, request) {
  let closed;
  const session = {
    request,
    closed: new Promise((resolve, reject) => { closed = { resolve, reject }; }),
    close({ closeCode = 0, reason = '' } = {}) { quic.say({ op: 'close', c, s, code: closeCode, reason }); closed.resolve({ closeCode, reason }); },
    incomingBidirectionalStreams: new ReadableStream({
      start(controller) {
        let over = false;
        const end = () => { if (!over) { over = true; try { controller.close(); } catch (e) { /* closed */ } } };
        quic.on('c' + c, (e) => {
          if (over) return;
          if (e.ev === 'stream' && e.s === s && !e.uni) controller.enqueue(faces(quic, c, e.st));
          if (e.ev === 'closed' && e.s === s) { quic.say({ op: 'body', c, st: s, hex: '', fin: true }); closed.resolve({ closeCode: e.code, reason: e.reason }); end(); }
          if (e.ev === 'body' && e.st === s && e.fin) { closed.resolve({ closeCode: 0, reason: '' }); end(); }
          if (e.ev === 'reset' && e.st === s) { closed.resolve({ closeCode: 0, reason: '' }); end(); }
          if (e.ev === 'terminated') { closed.resolve({ closeCode: 0, reason: e.reason }); end(); }
        });
      },
    }),
  };
  session.closed.catch(() => {});
  return session;
}

module.exports = { Quic, Connection, Session, Stream, frame, connect, webTransportClass, serverSession };
