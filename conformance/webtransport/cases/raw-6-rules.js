'use strict';
// Rules that the reference leaves to its library, or has none for: settings, refusals, streams, ends.
const assert = require('assert');
const { Connection, Session } = require('../lib/context');
const RULE = 'a rule of ours';
const connect = (t, path, more = []) => [[':method', 'CONNECT'], [':protocol', 'webtransport'], [':scheme', 'https'], [':authority', `127.0.0.1:${t.port}`], [':path', path], ...more];

async function open(t) {
  const conn = await Connection.open(t.quic, t.port);
  t.defer(() => conn.say('end', {}));
  return conn;
}
const terminated = (conn, ms = 2000) => conn.until((e) => e.ev === 'terminated', ms);
async function works(t, { stream }) { stream.text('4works'); assert.strictEqual(await stream.message(), '4works'); }
async function ends(t, { session, open }, reason) {
  assert.strictEqual((await t.event((e) => e.ev === 'disconnect' && e.conn === open.sid)).reason, reason);
  assert.ok(await session.ended(), 'the session is still open');
  await t.gone();
}

/** The capsule that closes, which may come with the end of the CONNECT's stream. */
async function capsule(session) {
  const e = await session.conn.until((e) => e.ev === 'closed' && e.s === session.s, 3000);
  assert.deepStrictEqual(e && { code: e.code, reason: e.reason }, { code: 0, reason: '' });
}

module.exports = (test) => {
  const rule = (name, options, run) => test(name, { ref: RULE, ...options }, run);

  rule('settings for all browsers, of the drafts that they know', {}, async (t) => {
    const { session } = await t.connect();
    const { settings } = await session.conn.ask('settings', {});
    for (const [id, value] of Object.entries({ '0x8': 1, '0x33': 1, '0xffd277': 1, '0x2b603742': 1, '0xc671706a': 1, '0x14e9cd29': 1, '0x2c7cf000': 1, '0x6': 16384, '0x1': 0, '0x7': 0 })) assert.strictEqual(settings[id], value, id);
  });

  rule('the protocol by its name of draft 15', {}, async (t) => {
    const conn = await open(t);
    const headers = connect(t, t.path).map(([k, v]) => (k === ':protocol' ? [k, 'webtransport-h3'] : [k, v]));
    assert.strictEqual((await conn.request(headers)).response.status, 200);
  });

  for (const [query, status] of [['?a=b', 200], ['?EIO=4&transport=webtransport', 200], ['?EIO=3', 400]]) {
    rule(`the query ${query}: ${status}`, {}, async (t) => { assert.strictEqual((await t.session({ path: t.path + query })).status, status); });
  }

  for (const [name, status, headers] of [
    ['a GET', 404, (t) => [[':method', 'GET'], [':scheme', 'https'], [':authority', 'x'], [':path', t.path]]],
    ['a POST of another path', 404, () => [[':method', 'POST'], [':scheme', 'https'], [':authority', 'x'], [':path', '/x']]],
    ['a CONNECT without a protocol', 501, (t) => [[':method', 'CONNECT'], [':authority', `127.0.0.1:${t.port}`]]],
    ['a CONNECT of another protocol', 501, (t) => [[':method', 'CONNECT'], [':protocol', 'connect-udp'], [':scheme', 'https'], [':authority', 'x'], [':path', t.path]]],
    ['a header section that is too large', 431, (t) => connect(t, t.path, [['x', 'y'.repeat(17000)]])],
    ['a header section of many fields', 431, (t) => connect(t, t.path, Array.from({ length: 600 }, (_, i) => ['x' + i, 'y']))],
    ['a hundred fields and one', 431, (t) => connect(t, t.path, Array.from({ length: 101 }, (_, i) => ['x' + i, 'y']))],
  ]) {
    rule(`${name}: ${status}, and the connection serves a session then`, {}, async (t) => {
      const conn = await open(t);
      const { st, response } = await conn.request(headers(t), name !== 'a header section that is too large');
      assert.ok(response && response.ev === 'response', JSON.stringify(response));
      assert.strictEqual(response.status, status);
      assert.ok(response.fin || await conn.until((e) => e.ev === 'body' && e.st === st && e.fin, 1000), 'no end of the answer');
      const session = await Session.open(t.quic, t.port, t.path, { connection: conn });
      assert.strictEqual(session.status, 200);
    });
  }

  rule('a second session of a connection: 429, the first is not harmed', {}, async (t) => {
    const first = await t.connect();
    const { response } = await first.session.conn.request(connect(t, t.path));
    assert.strictEqual(response.status, 429);
    await works(t, first);
  });

  for (const [name, headers] of [
    ['a name with a capital letter', [['X-Y', 'z']]],
    ['a field of connections', [['connection', 'close']]],
    ['a path twice', [[':path', '/x']]],
    ['an unknown pseudo-header field', [[':x', 'y']]],
    ['a pseudo-header field behind others', [['x', 'y'], [':authority', 'z']]],
  ]) {
    rule(`malformed, ${name}: the stream is reset, the connection lives`, {}, async (t) => {
      const conn = await open(t);
      const { response } = await conn.request(connect(t, t.path, headers));
      assert.ok(response && response.ev === 'reset' && response.raw === 0x10e, JSON.stringify(response));
      assert.strictEqual((await Session.open(t.quic, t.port, t.path, { connection: conn })).status, 200);
    });
  }

  for (const [name, hex, code] of [
    ['DATA before a head', '0000', 0x105],
    ['GOAWAY', '070100', 0x105],
    ['a frame of HTTP/2', '0600', 0x105],
    ['a head that counts on a table', '0103010080', 0x200],
    ['a head beyond the table', '01040000ff24', 0x200],
  ]) {
    rule(`a request stream with ${name}: error ${code.toString(16)}`, {}, async (t) => {
      const conn = await open(t);
      const { st } = await conn.ask('raw', {});
      conn.say('send', { st, hex });
      const end = await terminated(conn);
      assert.strictEqual(end && end.code, code);
      await t.connect();
    });
  }

  for (const [name, hex, code] of [
    ['a second control stream', '000400', 0x103],
    ['a push', '01', 0x103],
  ]) {
    rule(`${name}: error ${code.toString(16)}`, {}, async (t) => {
      const conn = await open(t);
      const { st } = await conn.ask('raw', { uni: true });
      conn.say('send', { st, hex });
      const end = await terminated(conn);
      assert.strictEqual(end && end.code, code);
    });
  }

  rule('a stream of a session that does not exist is refused', {}, async (t) => {
    const first = await t.connect();
    const { st } = await first.session.conn.ask('bidi', { s: 400 });
    first.session.conn.say('send', { st, hex: '0130' });
    const e = await first.session.conn.until((e) => (e.ev === 'reset' || e.ev === 'stopped') && e.st === st, 2000);
    assert.strictEqual(e && e.raw, 0x3994bd84);
    await works(t, first);
  });

  rule('a second stream of the session: transport error', {}, async (t) => {
    const first = await t.connect();
    (await first.session.stream()).raw([1, 0x30]);
    await ends(t, first, 'transport error');
  });

  rule('three unidirectional streams are refused, a fourth ends the session', {}, async (t) => {
    const first = await t.connect();
    for (let i = 0; i < 3; i++) {
      const uni = await first.session.uni();
      uni.raw(Buffer.from('x'));
      assert.ok(await first.session.conn.until((e) => e.ev === 'stopped' && e.st === uni.st, 2000), 'not refused');
    }
    await works(t, first);
    (await first.session.uni()).raw(Buffer.from('x'));
    await ends(t, first, 'transport error');
  });

  rule('our side of the stream is refused while nothing is written', {}, async (t) => {
    const first = await t.connect();
    first.stream.stop(1);
    await ends(t, first, 'transport close');
  });

  rule('the client ends its side within a packet: transport close', {}, async (t) => {
    const first = await t.connect();
    first.stream.raw([0x03, 0x34, 0x68, 0x69, 0x05, 0x34, 0x61], true);
    await ends(t, first, 'transport close');
  });

  rule('the stream of the CONNECT ends: transport close', {}, async (t) => {
    const first = await t.connect();
    first.session.conn.say('body', { st: first.session.s, hex: '', fin: true });
    await ends(t, first, 'transport close');
  });

  for (const [name, hex] of [['longer than 64 KiB', '80001234' + '80010001'], ['that closes with too little', '6843' + '020000'], ['that closes with no text', '6843' + '05' + '00000000ff']]) {
    rule(`a capsule ${name}: the session ends`, {}, async (t) => {
      const first = await t.connect();
      first.session.conn.say('body', { st: first.session.s, hex });
      await ends(t, first, 'transport error');
    });
  }

  rule('unknown capsules and frames are skipped, whatever they hold', {}, async (t) => {
    const first = await t.connect();
    const { conn, s } = first.session;
    conn.say('body', { st: s, hex: '17' + '8000fff0' });
    for (let i = 0; i < 16; i++) conn.say('body', { st: s, hex: Buffer.alloc(4095, 7).toString('hex') });
    conn.say('send', { st: s, hex: '2103abcdef' });
    await works(t, first);
    first.session.close();
    await ends(t, first, 'transport close');
  });

  rule('the end: what waits, the end of the stream, then the capsule with code 0, then the end of the CONNECT', {}, async (t) => {
    const { session, stream, open } = await t.connect();
    await t.do({ op: 'send', conn: open.sid, count: 50, size: 1000 });
    await t.do({ op: 'close', conn: open.sid });
    for (let i = 0; i < 50; i++) assert.strictEqual((await stream.message()).length, 1001);
    assert.strictEqual(await stream.packet(), null);
    assert.ok(stream.fin, 'our side did not end');
    await capsule(session);
    assert.ok(await session.conn.until((e) => e.ev === 'body' && e.st === session.s && e.fin, 1000), 'no end of the CONNECT');
    const end = await terminated(session.conn, 3000);
    assert.strictEqual(end && end.code, 0x100);
    const order = session.conn.seen.filter((e) => (e.ev === 'data' && e.fin) || e.ev === 'closed' || e.ev === 'terminated').map((e) => e.ev);
    assert.deepStrictEqual(order, ['data', 'closed', 'terminated']);
  });

  rule('a refused session is told by the capsule, too', {}, async (t) => {
    const s = await t.session();
    (await s.stream()).text('0{"sid":"nobody"}');
    await capsule(s);
    await t.refused(s);
  });

  rule('a connection that asks for nothing is closed', { profile: 'wt-engine-fast' }, async (t) => {
    const conn = await open(t);
    assert.ok(await terminated(conn, 3000), 'still there');
  });

  rule('a session without a stream is ended', { profile: 'wt-engine-fast' }, async (t) => {
    const s = await t.session();
    await t.refused(s, 3000);
  });

  rule('a stream that stops within its head is refused, the session goes on', { profile: 'wt-engine-fast' }, async (t) => {
    const first = await t.connect();
    const { st } = await first.session.conn.ask('raw', {});
    first.session.conn.say('send', { st, hex: '0140' });
    const e = first.session.conn.until((e) => e.ev === 'reset' && e.st === st, 3000);
    const until = Date.now() + 1000;
    while (Date.now() < until) { const p = await first.stream.packet(200); if (p === '2') first.stream.text('3'); }
    assert.ok(await e, 'still open');
    await works(t, first);
  });

  rule('a message of 0 bytes', {}, async (t) => {
    const first = await t.connect();
    first.stream.text('b');
    // an empty binary packet would end the official client
    assert.strictEqual(await first.stream.packet(), 'b');
    assert.strictEqual(first.stream.last.header, '01');
  });

  rule('longer headers than needed', {}, async (t) => {
    const first = await t.connect();
    first.stream.raw([0x7e, 0, 2, 0x34, 0x61, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 9]);
    assert.strictEqual(await first.stream.packet(), '4a');
    assert.deepStrictEqual(await first.stream.packet(), Buffer.of(9));
  });
};
