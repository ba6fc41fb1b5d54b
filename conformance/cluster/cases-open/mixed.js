'use strict';
// One estate with 2.x and 4.x nodes: the subject serves both and harms neither (wire-formats.md, section 6).
const sort = (x) => [...x].sort();

// What the subject published is harmless to both kinds of node.
function harmless(t, mark) {
  for (const m of t.publishedBy(t.s, mark)) {
    const key = t.cluster.key;
    if (m.channel.startsWith(key + '-request#')) {
      t.ok(m.json, 'msgpack on the request channel ends a 2.x process');
      const q = m.value;
      const a = q.requestid !== undefined;
      t.ok(!(a && q.type === 5), 'customRequest is read as fetchSockets without opts by a 4.x node and ends its process');
      if (a && [3, 4, 6].includes(q.type)) t.ok(t.clients.every((c) => c.node.kind !== 'node4' || c.id !== q.sid), `2.x request ${q.type} about a socket of a 4.x node`);
    } else if (/-response#\/[^#]*#$/.test(m.channel)) t.ok(m.json, 'msgpack on the shared response channel ends a 2.x process');
    else if (m.channel.startsWith(key + '#')) t.ok(m.value && m.value[1] && m.value[1].type === 2, 'a broadcast of a type other than 2 disconnects clients of 4.x nodes');
  }
}
const ON = ['S+2+4'];

module.exports = ({ test, pack, sleep }) => [
  test('text from each node to all clients, 2.x and 4.x', { on: ON, from: 'each' }, async (t) => {
    const a = await t.each();
    const old = await t.client(t.s, '/', { old: true, label: 'old' });
    const mark = t.s.proxy.mark();
    await a[t.from.name].emit({ event: 'm', args: ['x', { y: [1, 'ü'] }] });
    await t.fence();
    for (const c of [...Object.values(a), old]) t.got(c, [['m', 'x', { y: [1, 'ü'] }]]);
    harmless(t, mark);
  }),
  test('bytes from the subject', { on: ON }, async (t) => {
    const a = await t.each();
    const old = await t.client(t.s, '/', { old: true, label: 'old' });
    const mark = t.s.proxy.mark();
    const args = [Buffer.from([1, 2]), { in: Buffer.from([3]) }];
    await a.s1.emit({ event: 'b', args });
    await t.fence();
    for (const c of [...Object.values(a), old]) t.got(c, [['b', ...t.seen(t.s, c, args)]]);
    harmless(t, mark);
  }),
  test('bytes from the 4.x node', { on: ON }, async (t) => {
    const a = await t.each();
    const old = await t.client(t.s, '/', { old: true, label: 'old' });
    await a.n4.emit({ event: 'b', args: [[Buffer.from([9])]] });
    await t.fence();
    for (const c of [a.s1, a.n4, old]) t.got(c, [['b', [{ $bin: '09' }]]]);
  }),
  test('bytes from the 2.x node arrive as bytes at the subject\'s clients', { on: ON }, async (t) => {
    const s = await t.client(t.s);
    const old = await t.client(t.s, '/', { old: true, label: 'old' });
    const n2 = await t.client(t.node('n2'));
    await n2.emit({ event: 'b', args: ['k', { in: Buffer.from([7, 8]) }] });
    await t.fence();
    for (const c of [s, old, n2]) t.got(c, [['b', 'k', { in: { $bin: '0708' } }]]);
  }),
  test('nothing that arrives is published again', { on: ON }, async (t) => {
    const a = await t.each();
    const e3 = await t.emitter(3);
    const e5 = await t.emitter(5);
    await t.fence();
    const mark = t.s.proxy.mark();
    await a.n2.emit({ event: 'm', args: [1] });
    await a.n4.emit({ event: 'm', args: [2] });
    e3.emit('m', 3);
    e5.emit('m', 4);
    await a.s1.until((g) => g.length === 4, 'four messages');
    await sleep(50);
    t.eq(t.s.proxy.published(mark).map((x) => x.channel), [], 'published by the subject');
  }),
  test('the subject finds all sockets: own, of the 2.x and of the 4.x node', { on: ON, can: ['ids'] }, async (t) => {
    const a = await t.each();
    const room = t.r();
    for (const c of Object.values(a)) await c.join(room);
    const mark = t.s.proxy.mark();
    const r = await t.quick(900, () => a.s1.call('ids', { rooms: [room] }));
    t.eq([r.error, r.ids], [null, sort(Object.values(a).map((c) => c.id))], 'ids');
    await t.fence();
    harmless(t, mark);
  }),
  test('the subject finds all rooms', { on: ON, can: ['all-rooms'] }, async (t) => {
    const a = await t.each();
    for (const [n, c] of Object.entries(a)) await c.join(t.r(n));
    const mark = t.s.proxy.mark();
    const r = await a.s1.call('all-rooms', {});
    t.eq([r.error, r.rooms.filter((x) => x.endsWith('~' + t.tag))], [null, sort(Object.keys(a).map((n) => t.r(n)))], 'rooms');
    harmless(t, mark);
  }),
  test('the 2.x node asks: the subject\'s part is in the partial answer', { on: ON }, async (t) => {
    const a = await t.each();
    const room = t.r();
    for (const c of Object.values(a)) await c.join(room);
    const r = await a.n2.call('ids', { rooms: [room] });
    t.eq([!!r.error, r.ids], [true, sort([a.s1.id, a.n2.id])], 'ids (the 4.x node never answers a 2.x node)');
    t.ok((await a.n2.call('all-rooms', {})).rooms.includes(a.s1.id), 'the subject\'s rooms are missing');
  }),
  test('join, leave, disconnect by id, wherever the socket is', { on: ON, can: ['remote'] }, async (t) => {
    const a = await t.each();
    const b = await t.each('/', { label: 'b' });
    const room = t.r();
    const mark = t.s.proxy.mark();
    for (const c of [b.s1, b.n2, b.n4]) {
      await a.s1.call('remote', { op: 'join', sid: c.id, room });
      await t.until(async () => (await c.call('rooms')).includes(room), c.name + ' joined');
      await a.s1.call('remote', { op: 'leave', sid: c.id, room });
      await t.until(async () => !(await c.call('rooms')).includes(room), c.name + ' left');
      t.ok(!c.gone, c.name + ' was disconnected');
    }
    harmless(t, mark);
    for (const c of [b.n2, b.n4]) { await a.s1.call('remote', { op: 'disconnect', sid: c.id, close: false }); await t.until(() => c.gone, c.name + ' disconnected'); }
    await t.fence();
    for (const c of Object.values(a)) t.ok(!c.gone, c.name + ' was disconnected as well');
  }),
  test('broadcast with ack: no harm, the message arrives, the limit is said', { on: ON, can: ['ask-all'] }, async (t) => {
    const a = await t.each();
    for (const c of Object.values(a)) c.answers('q', () => 'x');
    const mark = t.s.proxy.mark();
    const r = await a.s1.call('ask-all', { event: 'q', args: [1], timeout: 500 });
    t.ok(r.error, 'no error, although nodes of the old line cannot answer');
    await t.fence();
    for (const c of Object.values(a)) t.eq(c.all.map((x) => x.slice(0, 2)), [['q', 1]], c.name);
    harmless(t, mark);
  }),
  test('the answer to a broadcast with ack of a 4.x node does not go out as msgpack on the shared channel', { on: ['S/mixed'] }, async (t) => {
    const w = await (await t.wire()).tap();
    const c = await t.client(t.s);
    c.answers('q', () => ({ b: 'x' }));
    const mark = t.s.proxy.mark();
    await w.publish(w.request(), pack.new.encode({ uid: 'WIRE01', requestId: 'Qm', type: 7, packet: { type: 2, data: ['q'], nsp: '/' }, opts: { rooms: [], except: [], flags: { timeout: 9000 } } }));
    const m = await w.next((x, v) => v && v.type === 9, 'answer');
    t.eq(m.value, { type: 9, requestId: 'Qm', packet: { b: 'x' } }, 'answer');
    harmless(t, mark);
  }),
  test('server-side emit reaches the 4.x node and harms no 2.x node', { on: ON, can: ['server-emit'] }, async (t) => {
    const a = await t.each();
    const mark = t.s.proxy.mark();
    await a.s1.ok('server-emit', { event: 'note', args: [t.tag] });
    await t.until(async () => JSON.stringify((await a.n4.call('server-log')).pop()) === JSON.stringify([t.tag]), 'log of n4');
    const r = await a.s1.call('server-emit', { event: 'sum', args: [1, 1], ack: true });
    t.eq(r.answers, [2], 'answers');
    harmless(t, mark);
  }),
  test('the subject survives what ends a 4.x node: customRequest of a 2.x node', { on: ['S/mixed', 'S'] }, async (t) => {
    const w = await (await t.wire()).tap();
    const c = await t.client(t.s);
    await w.publish(w.request(), { requestid: 'Qx', type: 5, data: { q: 'port' } });
    t.eq((await w.next((x) => x.channel === w.response(), 'answer')).value, { requestid: 'Qx', data: t.s.port }, 'answer');
    await t.fence();
    t.ok(!c.gone, 'disconnected');
  }),
  test('2.x remoteLeave and remoteDisconnect are not mixed up', { on: ['S/mixed', 'S'] }, async (t) => {
    const w = await (await t.wire()).tap();
    const c = await t.client(t.s);
    await c.join('x');
    await w.publish(w.request(), { requestid: 'Q1', type: 4, sid: c.id, room: 'x' });
    await w.next((x) => x.channel === w.response(), 'answer');
    await t.fence();
    t.ok(!c.gone, 'remoteLeave disconnected the socket');
    t.eq(await c.call('rooms'), ['<id>'], 'rooms');
    await w.publish(w.request(), { requestid: 'Q2', type: 3, sid: c.id, room: 'y' });
    await w.next((x) => x.channel === w.response(), 'answer');
    t.eq(await c.call('rooms'), sort(['<id>', 'y']), 'rooms');
  }),
];
