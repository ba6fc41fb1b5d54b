'use strict';
// PostgreSQL (wire: the suite is the other node; channel prefix `socket.io`).
const B = (...x) => Buffer.from(x);
const sort = (x) => [...x].sort();
const upTo = (n) => Array.from({ length: n }, (_, i) => i);
const NEVER = 'aaaaaaaaaaaaaaaa'; // the uid of the suite

module.exports = ({ test, TYPE, encodeModel, decodeModel, modelEvent, modelOpts, attackNotify, sleep }) => [
  test('wire: text broadcasts as Node publishes them', { on: ['S/postgres'] }, async (t) => {
    const w = await (await t.wire()).tap('/', '/chat');
    const c = await t.client(t.s);
    const chat = await t.client(t.s, '/chat');
    const see = async (o, by = c) => { w.got.length = 0; await by.emit(o); return w.next((m, v) => v.type === TYPE.BROADCAST, 'a broadcast'); };
    const hi = await see({ event: 'hi', args: [1, { a: 'é' }] });
    const uid = hi.value.uid;
    t.ok(/^[0-9a-f]{16}$/.test(uid), 'uid ' + uid);
    t.eq([hi.channel, hi.text], ['socket.io#/', JSON.stringify({ type: 3, data: modelEvent(['hi', 1, { a: 'é' }]), uid, nsp: '/' })], 'text');
    const v = await see({ from: 'socket', rooms: ['r1', 'r2'], except: ['r3'], flags: ['volatile', 'compress:false'], event: 'v' });
    t.eq([v.value.uid, v.value.data.packet, v.value.data.opts.rooms, sort(v.value.data.opts.except), v.value.data.opts.flags], [uid, { type: 2, data: ['v'] }, ['r1', 'r2'], sort(['r3', c.id]), { volatile: true, compress: false }], 'rooms, exceptions, flags');
    const m = await see({ event: 'c' }, chat);
    t.eq([m.channel, m.value.nsp], ['socket.io#/chat', '/chat'], 'another namespace');
    t.ok(m.value.uid !== uid, 'one uid for two namespaces');
  }),
  test('wire: bytes go through the table', { on: ['S/postgres'] }, async (t) => {
    const w = await (await t.wire()).tap();
    const c = await t.client(t.s);
    await c.emit({ event: 'bin', args: [B(1, 2, 3), { deep: [B(255)] }] });
    const m = await w.next((x, v) => v.type === TYPE.BROADCAST, 'a broadcast');
    t.eq(Object.keys(m.value), ['uid', 'type', 'attachmentId'], 'fields of the header');
    t.ok(/^[0-9a-f]{16}$/.test(m.value.uid) && /^\d+$/.test(String(m.value.attachmentId)), m.text);
    const row = await w.stored(m.value.attachmentId);
    t.eq(decodeModel(row), { type: 3, data: modelEvent(['bin', B(1, 2, 3), { deep: [B(255)] }]), uid: m.value.uid, nsp: '/' }, 'message');
    t.eq(row.toString('hex'), encodeModel({ type: 3, data: modelEvent(['bin', B(1, 2, 3), { deep: [B(255)] }]), uid: m.value.uid, nsp: '/' }).toString('hex'), 'bytes of the row');
  }),
  test('wire: a notification has less than 8000 bytes, the rest goes through the table', { on: ['S/postgres'] }, async (t) => {
    const w = await (await t.wire()).tap();
    const c = await t.client(t.s);
    const d = await t.client(t.s, '/', 'd');
    await c.emit({ event: 'm', args: [''] });
    const empty = Buffer.byteLength((await w.next((x, v) => v.type === TYPE.BROADCAST, 'a broadcast')).text);
    for (const total of [7998, 7999, 8000, 8001, 9000, 300000]) {
      // two bytes a letter: it is bytes that count
      const text = 'é'.repeat(Math.floor((total - empty) / 2)) + ((total - empty) % 2 ? 'x' : '');
      await c.emit({ event: 'm', args: [text] });
      const m = await w.next((x, v) => v.type === TYPE.BROADCAST, `a broadcast of ${total} bytes`);
      if (total < 8000) t.eq(m.value.data.packet.data[1] === text, true, `${total} bytes as they are`);
      else t.eq(decodeModel(await w.stored(m.value.attachmentId)).data.packet.data[1] === text, true, `${total} bytes in the table`);
    }
    await t.fence();
    t.eq(d.all.length, 7, 'messages at a client of the node');
    t.eq((await c.call('stats')).lost, 0, 'lost');
  }),
  test('wire: what others publish, as text and through the table', { on: ['S/postgres'] }, async (t) => {
    const w = await t.wire();
    const c = await t.client(t.s);
    const chat = await t.client(t.s, '/chat');
    await c.join('r1');
    await w.broadcast(['m', 1], { rooms: ['r1'] });
    await w.attach({ type: TYPE.BROADCAST, data: modelEvent(['m', B(0, 255)], { rooms: ['r1'] }) });
    await w.attach({ type: TYPE.BROADCAST, data: modelEvent(['m', 'by number']) }, { number: true });
    await w.broadcast(['m', 'not you'], { rooms: ['r2'] });
    await w.broadcast(['m', 'not you'], { except: ['r1'] });
    await w.broadcast(['m', 'chat'], { nsp: '/chat' });
    // a Node primary process adds a key
    await w.notify({ type: 3, data: modelEvent(['m', 'primary']), uid: NEVER, nsp: '/', nodeId: '0123456789abcdef' });
    await c.until((g) => g.length >= 4, 'four messages');
    await chat.until((g) => g.length >= 1, 'one message');
    t.got(c, [['m', 1], ['m', { $bin: '00ff' }], ['m', 'by number'], ['m', 'primary']]);
    t.got(chat, [['m', 'chat']]);
  }),
  test('wire: requests of others are answered on the channel', { on: ['S/postgres'] }, async (t) => {
    const w = await (await t.wire()).tap();
    const c = await t.client(t.s);
    await c.join('z1');
    c.answers('ask', (x) => ({ got: x }));
    const ask = async (type, data, want) => { w.got.length = 0; await w.say(type, data); return (await w.next((x, v) => v.type === want, 'answer to type ' + type)).value; };
    const opts = modelOpts({ rooms: ['z1'] });
    const f = await ask(TYPE.FETCH, { opts, requestId: 'q1' }, TYPE.FETCHED);
    t.eq([f.nsp, f.data.requestId, f.data.sockets.map((s) => [s.id, sort(s.rooms)])], ['/', 'q1', [[c.id, sort([c.id, 'z1'])]]], 'sockets');
    t.eq((await ask(TYPE.EMIT, { requestId: 'q2', packet: ['sum', 3, 4] }, TYPE.EMITTED)).data, { requestId: 'q2', packet: 7 }, 'server-side emit');
    t.eq((await ask(TYPE.BROADCAST, { packet: { type: 2, data: ['ask', 5] }, requestId: 'q3', opts }, TYPE.COUNT)).data, { requestId: 'q3', clientCount: 1 }, 'count');
    t.eq((await w.next((x, v) => v && v.type === TYPE.ACK, 'ack')).value.data, { requestId: 'q3', packet: { got: 5 } }, 'ack');
    await w.say(TYPE.EMIT, { packet: ['note', 'hear', t.tag] });
    await t.until(async () => ((await c.call('server-log')).pop() || [])[1] === t.tag, 'server-side emit without answer');
    await w.say(TYPE.JOIN, { opts, rooms: ['late'] });
    await t.until(async () => (await c.call('rooms')).includes('late'), 'joined');
    await w.say(TYPE.DISCONNECT, { opts, close: true });
    await t.until(() => c.gone, 'disconnected');
  }),
  test('wire: it says hello, that it is alive, and farewell', { on: ['S/postgres'], fresh: true }, async (t) => {
    const w = await (await t.wire()).tap('/', '/chat');
    await t.client(t.s);
    const late = await t.cluster.add('subject', 'late');
    for (const nsp of ['/', '/chat']) {
      const first = await t.until(() => w.got.find((x) => x.value.type === TYPE.HELLO && x.value.nsp === nsp), 'hello in ' + nsp);
      t.eq([Object.keys(first.value).sort(), first.channel], [['nsp', 'type', 'uid'], 'socket.io#' + nsp], 'hello');
    }
    w.got.length = 0;
    await w.say(TYPE.HELLO);
    const uids = new Set();
    const t0 = Date.now();
    while (uids.size < 2) { const m = await w.next((x, v) => v.type === TYPE.ALIVE && v.nsp === '/', 'answers to hello'); uids.add(m.value.uid); }
    t.ok(Date.now() - t0 < 450, `answered after ${Date.now() - t0} ms`);
    w.got.length = 0;
    for (let i = 0; i < 2; i++) await w.next((x, v) => v.type === TYPE.ALIVE && v.nsp === '/chat', 'a heartbeat without being asked', 900);
    late.condemned = true;
    late.signal('SIGTERM');
    await w.next((x, v) => v.type === TYPE.BYE && v.nsp === '/', 'farewell');
    await t.until(() => late.exit, 'the node ended');
  }),
  test('members: an answer that is missing, one that is given twice, a farewell', { on: ['S/postgres'] }, async (t) => {
    const w = await (await t.wire()).tap();
    const c = await t.client(t.s);
    const uid = 'bbbbbbbbbbbbbbbb';
    const member = await w.member(uid);
    await sleep(80);
    let t0 = Date.now();
    const partial = await c.call('ids', {});
    t.ok(partial.error && Date.now() - t0 >= 900 && Date.now() - t0 < 1600, `error after ${Date.now() - t0} ms`);
    t.eq([partial.answered, partial.expected, partial.ids], [1, 2, [c.id]], 'the part that is known');
    const answered = async () => {
      w.got.length = 0;
      const r = c.call('server-emit', { event: 'who', ack: true });
      const m = await w.next((x, v) => v.type === TYPE.EMIT, 'the request');
      for (let i = 0; i < 2; i++) await w.say(TYPE.EMITTED, { requestId: m.value.data.requestId, packet: 'b' + i }, { uid });
      return r;
    };
    const r = await answered();
    t.eq([r.error, r.answers], [null, ['b0']], 'answers');
    await member.bye();
    await t.until(async () => { t0 = Date.now(); const x = await c.call('server-emit', { event: 'who', ack: true }); return !x.error && Date.now() - t0 < 500; }, 'nobody is waited for after the farewell');
  }),
  test('emitter: everybody, room, exception, bytes, another namespace', { on: ['S/postgres', 'S+4/postgres'] }, async (t) => {
    const a = await t.each();
    const chat = await t.client(t.s, '/chat');
    const [room, out] = [t.r(), t.r('out')];
    for (const c of Object.values(a)) await c.join(room);
    const e = await t.emitter('postgres');
    e.emit('m', 1, { a: ['é'] });
    await a.s1.until((g) => g.length === 1, 'the first');
    e.to(room).except(out).emit('m', 2);
    await a.s1.until((g) => g.length === 2, 'the second');
    e.to(t.r('none')).emit('m', 'nobody');
    e.emit('m', B(0, 255));
    await a.s1.until((g) => g.length === 3, 'bytes');
    e.to(room).emit('m', 'x'.repeat(20000));
    await a.s1.until((g) => g.length === 4, 'much');
    (await t.emitter('postgres', t.cluster.key, '/chat')).emit('m', 'chat');
    await chat.until((g) => g.length === 1, 'the message in /chat');
    await t.fence();
    t.got(a.s1, [['m', 1, { a: ['é'] }], ['m', 2], ['m', { $bin: '00ff' }], ['m', 'x'.repeat(20000)]]);
    t.got(chat, [['m', 'chat']]);
  }),
  test('emitter: join, leave, disconnect, message to the servers', { on: ['S/postgres'] }, async (t) => {
    const c = await t.client(t.s);
    const b = await t.client(t.s, '/', 'b');
    const room = t.r();
    await c.join(room);
    const e = await t.emitter('postgres');
    e.serverSideEmit('note', 'from-emitter', t.tag);
    await t.until(async () => ((await c.call('server-log')).pop() || [])[1] === t.tag, 'server-side emit');
    e.in(room).socketsJoin([t.r('e1'), t.r('e2')]);
    await t.until(async () => (await c.call('rooms')).includes(t.r('e2')), 'joined');
    e.in(t.r('e2')).socketsLeave(t.r('e1'));
    await t.until(async () => !(await c.call('rooms')).includes(t.r('e1')), 'left');
    e.in(t.r('e2')).disconnectSockets(true);
    await t.until(() => c.gone, 'disconnected');
    await t.fence();
    t.got(b, []);
  }),
  test('equal messages are not taken for one', { on: ['S+S/postgres', 'S+4/postgres'], from: 'each' }, async (t) => {
    const a = await t.each();
    const from = a[t.from.name];
    for (let i = 0; i < 20; i++) from.socket.emit('emit', { event: 'same', args: [] }, () => {});
    await t.fence('/', { via: [from] });
    for (const c of Object.values(a)) { await c.until((g) => g.length >= 20, 'twenty messages'); t.got(c, upTo(20).map(() => ['same'])); }
  }),
  test('text, much text and bytes in turn keep their order', { on: ['S+S/postgres', 'S+4/postgres'] }, async (t) => {
    const a = await t.each();
    const sent = [];
    for (let i = 0; i < 90; i++) sent.push(a.s1.emit({ event: 'm', args: [i, [null, 'y'.repeat(9000), B(i)][i % 3]] }));
    await Promise.all(sent);
    for (const c of Object.values(a)) await c.until((g) => g.length >= 90, '90 messages', 4000);
    // what Node does with them is its own affair: it loads them side by side
    for (const s of t.subjects) t.eq(a[s.name].all.map((x) => x[1]), upTo(90), 'order at ' + s.name);
  }),
  test('a message waits for the one before it, which is in the table', { on: ['S/postgres'] }, async (t) => {
    const w = await t.wire();
    const c = await t.client(t.s);
    for (let i = 0; i < 40; i++) {
      if (i % 4) await w.broadcast(['m', i]);
      else await w.attach({ type: TYPE.BROADCAST, data: modelEvent(['m', i, Buffer.alloc(i === 8 ? 3000000 : 2000, i)]) });
    }
    await c.until((g) => g.length >= 40, '40 messages', 4000);
    t.eq(c.all.map((x) => x[1]), upTo(40), 'order');
  }),
  test('its sessions are ended by the server: it comes back and lives', { on: ['S+S/postgres', 'S+4/postgres'], fresh: true, timeout: 15000 }, async (t) => {
    const a = await t.each();
    const before = await a.s1.call('stats');
    await t.redis.terminate();
    const ms = await t.resumed(Object.values(a));
    t.note(`back after ${ms} ms`);
    t.ok((await a.s1.call('stats')).adapterErrors > before.adapterErrors, 'no adapter error was counted');
    await sleep(1000);
    t.eq((await a.s1.ok('ids', {})).ids, t.idsIn('/'), 'ids afterwards');
  }),
  ...[
    ['no JSON, or no object', ['', '{', 'text', '[]', 'null', '5', '"x"', '{"type":']],
    ['fields missing or of the wrong kind', [{}, { type: 3 }, { type: 3, uid: 'x', nsp: '/' }, { type: 'three', uid: 'x', nsp: '/', data: {} }, { type: 3, uid: 5, nsp: '/', data: {} }, { type: 3, uid: 'x', nsp: '/', data: {} }, { type: 3, uid: 'x', nsp: '/', data: { packet: { type: 2 }, opts: {} } },
      { type: 4, uid: 'x', nsp: '/', data: { rooms: ['a'] } }, { type: 7, uid: 'x', nsp: '/', data: { requestId: 'q' } }, { type: 9, uid: 'x', nsp: '/', data: { packet: 7 } }, { type: 3, uid: 'x', nsp: '/', data: { packet: { type: 2, data: ['e'] }, opts: { rooms: 5 } } }]],
    ['packet types that no broadcast has, and names of the protocol', [...[0, 1, 3, 4, 6, 255].map((type) => ({ packet: { type, data: ['ev'] }, opts: { rooms: [], except: [], flags: {} } })), ...['connect', 'disconnect', 'disconnecting', 'connect_error'].map((ev) => ({ packet: { type: 2, data: [ev, 'forged'] }, opts: { rooms: [], except: [], flags: {} } }))].map((data) => ({ type: 3, uid: 'x', nsp: '/', data }))],
    ['rows that are not there', [{ uid: 'x', type: 3, attachmentId: '999999999' }, { uid: 'x', type: 3, attachmentId: 'x' }, { uid: 'x', type: 3, attachmentId: -1 }, { uid: 'x', type: 3, attachmentId: '99999999999999999999999' }, { uid: 'x', type: 3, attachmentId: { a: 1 } }, { uid: 'x', type: 3, attachmentId: "1' OR '1'='1" }]],
  ].map(([name, bad]) => test('hostile: notifications: ' + name, { on: ['S/postgres'], timeout: 15000 }, async (t) => attackNotify(t, { wire: await t.wire(), client: await t.client(t.s), bad }))),
];
