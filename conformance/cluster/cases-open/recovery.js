'use strict';
// Connection state recovery over Redis streams: a client of one node goes on at another.
const B = (...x) => Buffer.from(x);
const sort = (x) => [...x].sort();
const upTo = (n) => Array.from({ length: n }, (_, i) => i);
const BOTH = ['S+S/recovery', 'S+4/recovery'];
const key = (c) => 'sio:session:' + c.pid;

module.exports = ({ test, TYPE, encodeModel, decodeModel, modelOpts, sleep }) => {
  // A client of `node` in a room, with data, that has seen one event; and somebody at `other` who sends.
  async function start(t, node, other) {
    const w = await t.wire();
    const c = await t.raw(node);
    const sender = await t.client(other);
    const room = t.r();
    await c.call('join', [room]);
    await c.call('data', { user: 'eve' });
    await sender.emit({ rooms: [room], event: 'm', args: ['first'] });
    await c.until((x) => x.got.length === 1 && x.offset, 'the first event, with an offset');
    return { w, c, sender, room };
  }
  const later = (a, b) => { const [x, y] = [a, b].map((o) => o.split('-').map(Number)); return x[0] > y[0] || (x[0] === y[0] && x[1] > y[1]); };
  const gone = async (t, { w, c }) => { await c.cut(); await t.until(() => w.pub.exists(key(c)), 'the session of ' + c.pid); await sleep(40); };
  return [
    test('events carry the id of their entry, the same on all nodes', { on: BOTH, from: 'each' }, async (t) => {
      const w = await t.wire();
      const raws = [];
      for (const n of t.nodes) raws.push(await t.raw(n));
      for (const c of raws) t.ok(/^.{20}$/.test(c.pid || '') && c.pid !== c.sid, 'pid ' + c.pid);
      const sender = await t.client(t.from);
      await sender.emit({ event: 'm', args: ['x'] });
      await sender.emit({ event: 'm', args: [B(1, 2)] });
      await sender.emit({ event: 'm', args: [] });
      for (const c of raws) await c.until((x) => x.got.length === 3, 'three events');
      const ids = (await w.entries(t.cluster.key)).filter((e) => e.value.type === TYPE.BROADCAST).slice(-3).map((e) => e.id);
      for (const c of raws) {
        t.eq(c.got, [['m', 'x'], ['m', { $bin: '0102' }], ['m']], 'events at ' + c.node.name);
        t.eq(c.events.map((e) => e.offset), ids, 'offsets at ' + c.node.name);
      }
    }),
    test('a client goes on at another node: missed events, id, rooms and data', { on: BOTH, from: 'each' }, async (t) => {
      const other = t.nodes.find((n) => n !== t.from);
      const s = await start(t, t.from, other);
      await gone(t, s);
      const { c, sender, room } = s;
      await sender.emit({ rooms: [room], event: 'm', args: ['text', { a: [1] }] });
      await sender.emit({ rooms: [t.r('foreign')], event: 'm', args: ['not mine'] });
      await sender.emit({ event: 'm', args: [B(0, 255), 'tail'] });
      await sender.emit({ except: [room], event: 'm', args: ['not for me'] });
      await sender.emit({ nsp: '/chat', event: 'm', args: ['elsewhere'] });
      await sender.emit({ rooms: [c.sid], event: 'm', args: ['private'] });
      const d = await t.raw(other, { pid: c.pid, offset: c.offset });
      t.eq([d.sid, d.pid], [c.sid, c.pid], 'sid and pid');
      t.eq(d.got, [['m', 'text', { a: [1] }], ['m', { $bin: '00ff' }, 'tail'], ['m', 'private']], 'missed events');
      t.ok(d.events.every((e) => e.before && later(e.offset, c.offset)), 'missed events come before CONNECT, with offsets');
      t.eq(sort(await d.call('rooms')), sort(['<id>', room]), 'rooms');
      const f = await sender.ok('fetch', { rooms: [room] });
      t.eq(f.sockets.map((x) => [x.id, x.value]), [[c.sid, { user: 'eve' }]], 'the socket, with its data');
      await sender.emit({ rooms: [room], event: 'm', args: ['live'] });
      await d.until((x) => x.got.length === 4, 'a live event');
    }),
    test('twice in a row without an event: nothing comes again', { on: BOTH, from: 'each' }, async (t) => {
      const other = t.nodes.find((n) => n !== t.from);
      const s = await start(t, t.from, other);
      await gone(t, s);
      await s.sender.emit({ rooms: [s.room], event: 'm', args: ['missed'] });
      const d = await t.raw(other, { pid: s.c.pid, offset: s.c.offset });
      t.eq([d.sid, d.got], [s.c.sid, [['m', 'missed']]], 'first time');
      await gone(t, { w: s.w, c: d });
      const e = await t.raw(t.from, { pid: d.pid, offset: d.offset });
      t.eq([e.sid, e.got], [s.c.sid, []], 'second time');
    }),
    test('the session in Redis is what Node writes and reads', { on: ['S/recovery'] }, async (t) => {
      const s = await start(t, t.s, t.s);
      await gone(t, s);
      const text = await s.w.pub.get(key(s.c));
      const session = decodeModel(Buffer.from(text, 'base64'));
      t.eq([session.sid, session.pid, sort(session.rooms), session.data], [s.c.sid, s.c.pid, sort([s.c.sid, s.room]), { value: { user: 'eve' } }], 'session');
      const ttl = await s.w.pub.pttl(key(s.c));
      t.ok(ttl > 15000 && ttl <= 20000, 'it expires in ' + ttl + ' ms');
      const d = await t.raw(t.s, { pid: s.c.pid, offset: s.c.offset });
      t.eq(d.sid, s.c.sid, 'recovered');
    }),
    test('the session and the entries of a Node server that is gone', { on: ['S/recovery'] }, async (t) => {
      const w = await t.wire();
      await t.client(t.s);
      const [sid, pid] = ['NodeSocket' + t.tag.padStart(10, '0'), 'NodePrivat' + t.tag.padStart(10, '0')];
      await w.pub.set('sio:session:' + pid, encodeModel({ sid, pid, rooms: [sid, 'r1'], data: { value: 7 } }).toString('base64'), 'PX', 20000);
      const first = await w.broadcast(['m', 'seen']);
      const want = [
        await w.broadcast(['m', 'room'], { rooms: ['r1', 'r9'] }),
        await w.broadcast(['m', 'all']),
        await w.broadcast(['m', B(1), { b: B(2) }], { rooms: [sid], binary: true }),
        await w.add({ uid: 'emitter', type: TYPE.BROADCAST, data: { packet: { type: 2, data: ['m', 'emitter'], nsp: '/' }, opts: { rooms: [], flags: {}, except: [] } } }),
      ];
      await w.broadcast(['m', 'no'], { rooms: ['r2'] });
      await w.broadcast(['m', 'no'], { except: ['r1'] });
      await w.broadcast(['m', 'no'], { nsp: '/chat' });
      await w.add({ type: TYPE.JOIN, data: { opts: modelOpts({ rooms: ['nobody'] }), rooms: ['x'] } });
      const d = await t.raw(t.s, { pid, offset: first });
      t.eq([d.sid, d.pid], [sid, pid], 'sid and pid');
      t.eq(d.got, [['m', 'room'], ['m', 'all'], ['m', { $bin: '01' }, { b: { $bin: '02' } }], ['m', 'emitter']], 'missed events');
      t.eq(d.events.map((e) => e.offset), want, 'offsets');
      t.eq(sort(await d.call('rooms')), ['<id>', 'r1'], 'rooms');
    }),
    test('a Node server ends: its client goes on at the subject', { on: ['S+4/recovery'], fresh: true }, async (t) => {
      const s = await start(t, t.node('n4'), t.s);
      t.node('n4').condemned = true;
      t.node('n4').signal('SIGTERM');
      await t.until(() => t.node('n4').exit, 'the node ended');
      await t.until(() => s.w.pub.exists(key(s.c)), 'the session');
      await s.sender.emit({ rooms: [s.room], event: 'm', args: ['missed'] });
      const d = await t.raw(t.s, { pid: s.c.pid, offset: s.c.offset });
      t.eq([d.sid, d.got], [s.c.sid, [['m', 'missed']]], 'recovered');
    }),
    test('the subject is killed: its client goes on at another node', { on: BOTH, fresh: true }, async (t) => {
      const other = t.nodes[1];
      const s = await start(t, t.s, other);
      await sleep(300);
      t.s.condemned = true;
      t.s.signal('SIGKILL');
      await t.s.exited;
      await s.sender.emit({ rooms: [s.room], event: 'm', args: ['missed'] });
      const d = await t.raw(other, { pid: s.c.pid, offset: s.c.offset });
      t.eq([d.sid, d.got], [s.c.sid, [['m', 'missed']]], 'recovered');
    }),
    test('a session that expired, and one that nobody knows: a fresh socket', { on: BOTH, from: 'each' }, async (t) => {
      const other = t.nodes.find((n) => n !== t.from);
      const s = await start(t, t.from, other);
      await gone(t, s);
      await s.w.pub.pexpire(key(s.c), 1);
      await sleep(30);
      const d = await t.raw(other, { pid: s.c.pid, offset: s.c.offset });
      t.ok(d.sid !== s.c.sid && d.pid !== s.c.pid, 'an expired session was restored');
      t.eq(await d.call('rooms'), ['<id>'], 'rooms');
      const e = await t.raw(t.from, { pid: 'nobodynobodynobody00', offset: s.c.offset });
      t.ok(e.pid !== 'nobodynobodynobody00', 'an unknown session was restored');
    }),
    test('no event was received yet: what came since the connection', { on: ['S/recovery', 'S+S/recovery'] }, async (t) => {
      const w = await t.wire();
      const c = await t.raw(t.s);
      const other = t.nodes[t.nodes.length - 1];
      const sender = await t.client(other);
      await sleep(300);
      await gone(t, { w, c });
      await sender.emit({ event: 'm', args: ['missed'] });
      const d = await t.raw(other, { pid: c.pid });
      t.eq([d.sid, d.got], [c.sid, [['m', 'missed']]], 'recovered');
    }),
    test('volatile events have no offset and do not come again', { on: ['S/recovery', 'S+S/recovery'] }, async (t) => {
      const other = t.nodes[t.nodes.length - 1];
      const s = await start(t, t.s, other);
      await s.sender.emit({ rooms: [s.room], flags: ['volatile'], event: 'v', args: [1] });
      await s.c.until((x) => x.got.length === 2, 'the volatile event');
      t.eq(s.c.events[1].offset, null, 'offset of a volatile event');
      await gone(t, s);
      await s.sender.emit({ rooms: [s.room], flags: ['volatile'], event: 'v', args: [2] });
      await s.sender.emit({ rooms: [s.room], event: 'm', args: [3] });
      const d = await t.raw(other, { pid: s.c.pid, offset: s.c.offset });
      t.eq([d.sid, d.got], [s.c.sid, [['m', 3]]], 'recovered');
    }),
    test('the old connection is still there: the new one takes over', { on: ['S/recovery'] }, async (t) => {
      const s = await start(t, t.s, t.s);
      await s.sender.emit({ rooms: [s.room], event: 'm', args: ['second'] });
      await s.c.until((x) => x.got.length === 2, 'the second event');
      await sleep(300);
      const d = await t.raw(t.s, { pid: s.c.pid, offset: s.c.events[0].offset });
      t.eq([d.sid, d.got], [s.c.sid, [['m', 'second']]], 'recovered');
      await s.c.until((x) => x.gone || x.disconnected, 'the old connection is ended');
      await s.sender.emit({ rooms: [s.room], event: 'm', args: ['third'] });
      await d.until((x) => x.got.length === 2, 'the third event');
      t.eq(s.c.got.length, 2, 'events at the old connection');
    }),
    test('offsets at a client grow, whoever sends', { on: ['S+S/recovery'] }, async (t) => {
      const c = await t.raw(t.s);
      const [x, y] = await Promise.all(t.nodes.map((n) => t.client(n)));
      for (let i = 0; i < 150; i++) { for (const s of [x, y]) s.socket.emit('emit', { event: 'm', args: [s.name, i] }, () => {}); if (i % 3 === 2) await sleep(1); }
      await c.until((r) => r.got.length === 300, '300 events', 4000);
      t.eq(c.events.filter((e, i) => i && !later(e.offset, c.events[i - 1].offset)).length, 0, 'offsets that are not larger than the one before');
      for (const s of [x, y]) t.eq(c.got.filter((e) => e[1] === s.name).map((e) => e[2]), upTo(150), 'order of ' + s.name);
    }),
    test('hostile entries in between do not stop it', { on: ['S/recovery'] }, async (t) => {
      const s = await start(t, t.s, t.s);
      await gone(t, s);
      for (const data of [undefined, '{', 'wQ==', '[]', '{}', '{"packet":{"type":2,"data":"x"},"opts":{"rooms":[],"except":[]}}', '{"packet":{"type":2,"data":["x"]},"opts":{"rooms":5}}', '{"packet":{"type":2,"data":[]},"opts":{"rooms":[],"except":[],"flags":{}}}', '{"packet":{"type":3,"data":["x"]},"opts":{"rooms":[],"except":[],"flags":{}}}'])
        await s.w.raw(['uid', 'x', 'nsp', '/', 'type', '3', ...(data === undefined ? [] : ['data', data])], { stream: t.cluster.key });
      await s.sender.emit({ rooms: [s.room], event: 'm', args: ['good'] });
      const d = await t.raw(t.s, { pid: s.c.pid, offset: s.c.offset });
      t.eq([d.sid, d.got], [s.c.sid, [['m', 'good']]], 'recovered');
    }),
  ];
};
