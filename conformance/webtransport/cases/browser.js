'use strict';
// Headless Chromium with the official client 4.8.4.
const assert = require('assert');
const { page } = require('../lib/browser');

module.exports = (test) => {
  const b = (name, options, run) => test(name, { profile: 'wt', timeout: 30000, ...options }, async (t) => {
    const p = await page(t);
    await run(t, p);
    // The client leaves rejections of a closed WebTransport unhandled; the browser tells them as errors of the page.
    const others = p.errors.filter((e) => !/WebTransport|The session is closed|Connection lost|Opening handshake|stream/i.test(e));
    assert.ok(!others.length, 'errors of the page: ' + others.join('; '));
  });

  b('connects directly', {}, async (t, p) => {
    const who = await p.evaluate(async () => { const s = make(['webtransport'], { auth: { token: 'abc' } }); await open1(s); return ack(s, 'whoami'); });
    assert.strictEqual(who.transport, 'webtransport');
    assert.deepStrictEqual(who.auth, { token: 'abc' });
  });

  b('the handshake has the page\'s origin and an address', { ref: 'there is no request for such a session' }, async (t, p) => {
    const who = await p.evaluate(async () => { const s = make(['webtransport']); await open1(s); return ack(s, 'whoami'); });
    assert.strictEqual(who.origin, p.origin);
    assert.match(who.address, /^(::ffff:)?127\.0\.0\.1$/);
  });

  for (const list of [['polling', 'webtransport'], ['polling', 'websocket', 'webtransport']]) {
    b(`${list.join(', ')}: ends up with webtransport`, {}, async (t, p) => {
      // WebSocket is probed 200 ms later: on a busy machine it may win all the same.
      let who;
      for (let i = 0; i < 4; i++) { who = await p.evaluate(async (list) => { const s = make(list); await up(s); return ack(s, 'whoami'); }, list); if (who.transport === 'webtransport') break; }
      assert.strictEqual(who.transport, 'webtransport');
    });
  }

  b('another certificate than the announced one: WebSocket instead', {}, async (t, p) => {
    const name = await p.evaluate(async () => {
      const s = make(['polling', 'websocket', 'webtransport'], { transportOptions: { webtransport: { serverCertificateHashes: [{ algorithm: 'sha-256', value: new Uint8Array(32) }] } } });
      await up(s);
      return s.io.engine.transport.name;
    });
    assert.strictEqual(name, 'websocket');
  });

  b('events of all kinds', {}, async (t, p) => {
    const got = await p.evaluate(async () => {
      const s = make(['webtransport']); await open1(s);
      const wait = once(s, 'echo');
      s.emit('echo', 1, 'é€😀', null, { a: [new Uint8Array([1, 2, 255])] });
      const [n, text, nothing, o] = await wait;
      const ackd = await ack(s, 'echo-ack', 'x');
      const big = new Uint8Array(900_000); for (let i = 0; i < big.length; i++) big[i] = i * 3;
      const wait2 = once(s, 'echo');
      s.emit('echo', big);
      const back = new Uint8Array((await wait2)[0]);
      return { n, text, nothing, bytes: [...new Uint8Array(o.a[0])], ackd, same: back.length === big.length && back.every((x, i) => x === big[i]) };
    });
    assert.deepStrictEqual(got, { n: 1, text: 'é€😀', nothing: null, bytes: [1, 2, 255], ackd: 'x', same: true });
  });

  b('a thousand events keep their order', {}, async (t, p) => {
    const ok = await p.evaluate(async () => {
      const s = make(['webtransport']); await open1(s);
      const got = [];
      const all = new Promise((r) => s.on('seq', (i) => { got.push(i); if (got.length === 1000) r(); }));
      s.emit('many', 1000);
      await all;
      return got.every((x, i) => x === i);
    });
    assert.ok(ok);
  });

  b('five connections of one page', {}, async (t, p) => {
    const ids = await p.evaluate(async () => {
      const all = await Promise.all(Array.from({ length: 5 }, async () => { const s = make(['webtransport']); await open1(s); return s; }));
      const seen = Promise.all(all.map((s) => once(s, 'bcast')));
      all[0].emit('bcast', 1);
      await seen;
      return all.map((s) => s.id);
    });
    assert.strictEqual(new Set(ids).size, 5);
  });

  // By navigation: when the browser's last page is closed it may say nothing.
  b('a page that is left is noticed', {}, async (t, p) => {
    const who = await p.evaluate(async () => { const s = make(['webtransport']); await open1(s); return ack(s, 'whoami'); });
    t.sids.add(who.conn);
    await p.goto('about:blank');
    assert.match((await t.event((e) => e.ev === 'disconnect', 5000)).reason, /^(transport close|transport error|client namespace disconnect)$/);
    await t.gone();
  });

  b('1 MB both ways, binary and text', { profile: 'wt-large' }, async (t, p) => {
    const ok = await p.evaluate(async () => {
      const s = make(['webtransport']); await open1(s);
      const big = new Uint8Array(1_000_000); for (let i = 0; i < big.length; i++) big[i] = i * 7;
      const text = 'é'.repeat(500_000);
      const [[bytes], [back]] = [await back1(s, big), await back1(s, text)];
      const same = new Uint8Array(bytes);
      return same.length === big.length && same.every((x, i) => x === big[i]) && back === text;
      function back1(s, value) { const wait = once(s, 'echo'); s.emit('echo', value); return wait; }
    });
    assert.ok(ok);
  });

  b('comes back when the server was started again', { fresh: true, timeout: 40000 }, async (t, p) => {
    await p.evaluate(async () => {
      window.s = make(['webtransport'], { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 500 });
      await open1(s);
      window.first = s.id;
      window.ended = once(s, 'disconnect');
      window.back = ended.then(() => new Promise((resolve) => s.on('connect', resolve)));
    });
    await t.restart();
    const got = await p.evaluate(async () => { await back; return { why: (await ended)[0], other: s.id !== first, name: s.io.engine.transport.name, who: await ack(s, 'whoami') }; });
    assert.strictEqual(got.why, 'transport close');
    assert.ok(got.other);
    assert.deepStrictEqual([got.name, got.who.transport], ['webtransport', 'webtransport']);
  });

  b('the server disconnects', {}, async (t, p) => {
    const why = await p.evaluate(async () => { const s = make(['webtransport']); await open1(s); const end = once(s, 'disconnect'); s.emit('kick', true); return end; });
    assert.match(why[0], /^(io server disconnect|transport close)$/);
  });

  b('the client disconnects', {}, async (t, p) => {
    const who = await p.evaluate(async () => { const s = make(['webtransport']); await open1(s); const w = await ack(s, 'whoami'); s.disconnect(); return w; });
    t.sids.add(who.conn);
    // The client closes the session without waiting for its last packet to be written.
    assert.match((await t.event((e) => e.ev === 'disconnect')).reason, /^(client namespace disconnect|transport close)$/);
    await t.gone();
  });

  test('heartbeats keep the connection', { profile: 'wt-fast', timeout: 30000 }, async (t) => {
    const p = await page(t);
    const ok = await p.evaluate(async () => { const s = make(['webtransport']); await open1(s); await new Promise((r) => setTimeout(r, 2000)); return s.connected && ack(s, 'echo-ack', true); });
    assert.strictEqual(ok, true);
  });
};
