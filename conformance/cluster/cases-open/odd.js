'use strict';
// Odd values, section by section of wire-formats.md: lists that are empty, names with separators and wildcards, ids of any form, fields too many, bytes everywhere.
const sort = (x) => [...x].sort();
const byText = (x) => [...x].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
const BYTES = Buffer.from([0, 255, 1]);
// Names of rooms that mean something to Redis, to channels, to JSON, or to nobody.
const NAMES = ['a#b', '#', '##x#', '*', 'r*', '[ab]', 'q?', 'back\\slash', 'two\nlines', ' ', '😀', 'Ünïcödé', '"quoted"', '{"json":1}', '__proto__', 'constructor', 'x'.repeat(300), 'socket.io', 'y'.repeat(20), '0123456789abcdef'];

module.exports = ({ test, pack, sleep }) => {
  // Asks as another node does, and gives the answer to `type`.
  const asker = (t, w, nsp = '/') => async (q) => {
    w.got.length = 0;
    await w.publish(w.request(nsp), q);
    return (await w.next((x) => x.channel.startsWith(w.response(nsp)), 'answer to ' + JSON.stringify(q))).value;
  };
  return [
    test('names of rooms: to one of them, to two, except one', { on: ['S+S', 'S+4', 'S+S/sharded', 'S+4/sharded'], from: 'each', can: ['except'] }, async (t) => {
      const a = await t.each();
      const b = await t.each('/', { label: 'b' });
      const names = NAMES.map((x) => x + t.tag);
      for (const c of Object.values(a)) await c.join(...names);
      for (const c of Object.values(b)) await c.join('other' + t.tag);
      const from = a[t.from.name];
      for (let i = 0; i < names.length; i++) {
        await from.emit({ rooms: [names[i]], event: 'one', args: [i] });
        await from.emit({ rooms: [names[i], 'other' + t.tag], except: [names[0]], event: 'except', args: [i] });
      }
      await t.fence();
      for (const c of Object.values(a)) t.gotSet(c, names.map((_, i) => ['one', i]));
      for (const c of Object.values(b)) t.gotSet(c, names.map((_, i) => ['except', i]));
    }),
    test('names of rooms: sockets in them are found', { on: ['S+S', 'S+4', 'S+2', 'S+4/sharded'], from: 'each', can: ['ids'] }, async (t) => {
      const a = await t.each();
      const names = NAMES.map((x) => x + t.tag);
      for (const c of Object.values(a)) await c.join(...names);
      const from = a[t.from.name];
      for (const name of names) t.eq((await from.ok('ids', { rooms: [name] })).ids, sort(Object.values(a).map((c) => c.id)), 'ids in ' + JSON.stringify(name));
    }),
    test('bytes and odd keys in every place', { on: ['S+S', 'S+4', 'S+S/sharded', 'S+4/sharded'], from: 'each' }, async (t) => {
      const a = await t.each();
      const args = [BYTES, { '': BYTES, '😀': { 'a.b': [BYTES] }, '"': 1, '\n': null, '__proto_': 2, num: 0 }, [[[[BYTES]]]], '', [], {}, 'tail'];
      await a[t.from.name].emit({ event: 'odd', args });
      await a[t.from.name].emit({ event: '😀 "e"\n', args: [BYTES] });
      await t.fence();
      for (const c of Object.values(a)) t.got(c, [['odd', ...args], ['😀 "e"\n', BYTES]]);
    }),
    test('except: the own id, an id elsewhere, an empty name, the room itself', { on: ['S+S', 'S+4', 'S+S/sharded', 'S+4/sharded'], from: 'each', can: ['except'] }, async (t) => {
      const a = await t.each();
      const room = t.r();
      for (const c of Object.values(a)) await c.join(room);
      const from = a[t.from.name];
      const away = Object.values(a).find((c) => c.node !== t.from);
      await from.emit({ except: [from.id], event: 'e', args: [1] });
      await from.emit({ except: [away.id], event: 'e', args: [2] });
      await from.emit({ except: [''], event: 'e', args: [3] });
      await from.emit({ rooms: [room], except: [room], event: 'e', args: [4] });
      await from.emit({ rooms: [from.id, away.id, room, room], event: 'e', args: [5] });
      await from.emit({ from: 'socket', rooms: [from.id], event: 'e', args: [6] });
      await t.fence();
      t.got(from, [['e', 2], ['e', 3], ['e', 5]]);
      t.got(away, [['e', 1], ['e', 3], ['e', 5]]);
    }),
    test('broadcast: fields too many, fields in another order, flags of any kind', { on: ['S', 'S/old', 'S/mixed'] }, async (t) => {
      const w = await t.wire();
      const c = await t.client(t.s);
      await c.join('r1');
      const say = (channel, x) => w.publish(channel, pack.new.encode(x));
      const all = 'socket.io#/#';
      await say(all, ['U', { nsp: '/', data: ['m', 1], type: 2, id: 7, extra: { a: [BYTES] } }, { flags: {}, except: [], rooms: [], more: true }]);
      await say(all, ['U', { type: 2, data: ['m', 2], nsp: '/' }, { rooms: [], except: [], flags: {} }, 'a fourth']);
      await say(all, ['U', { type: 2, data: ['m', 3], nsp: '/' }, { rooms: null, except: null, flags: null }]);
      await say(all, ['U', { type: 2, data: ['m', 4], nsp: '/' }, {}]);
      await say(all, ['', { type: 2, data: ['m', 5], nsp: '/' }, { rooms: [], flags: { volatile: 'yes', compress: 1, timeout: -1, broadcast: null, local: true, expectSingleResponse: true, unknown: BYTES } }]);
      await say(all, ['x'.repeat(1000), { type: 5, data: ['m', 6, BYTES], nsp: '/' }, { rooms: [], flags: {} }]);
      // the channel says one room, the options say another, or none: the options count
      await say('socket.io#/#r1#', ['U', { type: 2, data: ['m', 7], nsp: '/' }, { rooms: [], flags: {} }]);
      await say(all, ['U', { type: 2, data: ['m', 8], nsp: '/' }, { rooms: ['r1'], flags: {} }]);
      await say(all, ['U', { type: 2, data: ['m', 9], nsp: '/' }, { rooms: ['r2'], flags: {} }]);
      await say('socket.io#/#nobody#', ['U', { type: 2, data: ['m', 10], nsp: '/' }, { rooms: [], flags: {} }]);
      await say(all, ['U', { type: 2, data: ['m', 11], nsp: '/' }, { rooms: ['r1', 'r1', c.id], except: ['', 'nobody'], flags: {} }]);
      await t.fence();
      t.got(c, [['m', 1], ['m', 2], ['m', 3], ['m', 4], ['m', 5], ['m', 6, BYTES], ['m', 7], ['m', 8], ['m', 11]]);
    }),
    test('requests: ids of any form come back as they were', { on: ['S', 'S/mixed'] }, async (t) => {
      const w = await (await t.wire()).tap();
      const c = await t.client(t.s);
      await t.settled();
      const ask = asker(t, w);
      for (const id of ['0', ' ', '__proto__', '"\\', '😀', 'q'.repeat(5000), 'a#b*']) {
        t.eq(await ask({ uid: 'W', requestId: id, type: 5, opts: { rooms: [], except: [c.id] } }), { requestId: id, sockets: [] }, 'new: ' + id.slice(0, 20));
        t.eq(await ask({ requestid: id, type: 0, rooms: [] }), { requestid: id, clients: [c.id] }, 'old: ' + id.slice(0, 20));
      }
    }),
    test('requests: empty and missing lists, rooms that are ids, no such room', { on: ['S', 'S/old', 'S/mixed'] }, async (t) => {
      const w = await (await t.wire()).tap();
      const c = await t.client(t.s);
      const d = await t.client(t.s, '/', 'd');
      await c.join('r1', '7');
      await t.settled();
      const ask = asker(t, w);
      const both = sort([c.id, d.id]);
      const found = async (opts) => sort((await ask({ uid: 'W', requestId: 'Q', type: 5, opts })).sockets.map((s) => s.id));
      t.eq(await found({}), both, 'no lists');
      t.eq(await found({ rooms: null, except: null }), both, 'null');
      t.eq(await found({ rooms: [d.id] }), [d.id], 'an id');
      t.eq(await found({ rooms: [7] }), [c.id], 'a number');
      t.eq(await found({ rooms: ['none'], except: [] }), [], 'nobody');
      t.eq(await found({ rooms: ['r1', 'r1', c.id], except: ['none'] }), [c.id], 'three times the same');
      t.eq(await found({ rooms: [], except: ['r1'], flags: { timeout: 0 } }), [d.id], 'except');
      const ids = async (q) => sort((await ask(Object.assign({ requestid: 'O', type: 0 }, q))).clients);
      t.eq(await ids({}), both, 'old: no list');
      t.eq(await ids({ rooms: null }), both, 'old: null');
      t.eq(await ids({ rooms: ['r1'] }), [c.id], 'old: a room');
      t.eq(await ids({ rooms: ['none'] }), [], 'old: nobody');
    }),
    test('requests: join and leave no room, disconnect nobody, ids that nobody has', { on: ['S'] }, async (t) => {
      const w = await (await t.wire()).tap();
      const c = await t.client(t.s);
      await c.join('r1');
      const opts = { rooms: ['r1'], except: [] };
      for (const q of [{ type: 2, opts, rooms: [] }, { type: 3, opts, rooms: [] }, { type: 3, opts, rooms: ['never joined'] }, { type: 4, opts: { rooms: [], except: ['r1'] } },
        { type: 4, opts: { rooms: ['none'] }, close: 'yes' }, { type: 2, sid: 'nobody', room: 'x', requestId: 'q' }, { type: 4, sid: 'nobody', requestId: 'q' }]) await w.publish(w.request(), Object.assign({ uid: 'W' }, q));
      await w.publish(w.request(), { requestid: 'o', type: 1, sid: 'nobody' });
      await w.publish(w.request(), { requestid: 'o', type: 6, sid: 'nobody', close: true });
      await t.fence();
      t.eq(await c.call('rooms'), sort(['<id>', 'r1']), 'rooms');
      t.ok(!c.gone, 'disconnected');
      t.eq(w.got.filter((m) => m.channel.startsWith(w.response())).length, 0, 'answers about sockets that are not here');
      // rooms with names of any kind, by number too
      await w.publish(w.request(), { uid: 'W', type: 2, opts, rooms: ['a#b', 5, '😀'] });
      await t.until(async () => (await c.call('rooms')).length === 5, 'joined');
      t.eq(await c.call('rooms'), sort(['<id>', 'r1', 'a#b', '5', '😀']), 'rooms');
      await w.publish(w.request(), { uid: 'W', type: 3, opts: { rooms: [5], except: ['none'] }, rooms: ['a#b', '5', 'r1'] });
      await t.until(async () => (await c.call('rooms')).length === 2, 'left');
    }),
    test('requests: the own socket\'s room cannot be left, and the socket is found still', { on: ['S'] }, async (t) => {
      const w = await (await t.wire()).tap();
      const c = await t.client(t.s);
      await w.publish(w.request(), { uid: 'W', type: 2, opts: { rooms: [c.id], except: [] }, rooms: ['after'] });
      await t.until(async () => (await c.call('rooms')).includes('after'), 'joined by the own room');
      await w.broadcast({ data: ['m'], rooms: [c.id] });
      await t.fence();
      t.got(c, [['m']]);
    }),
    test('requests of one\'s own uid are dropped, also those that others forge', { on: ['S'] }, async (t) => {
      const w = await (await t.wire()).tap();
      const c = await t.client(t.s);
      await c.emit({ event: 'probe' });
      const uid = (await w.next((x, v) => Array.isArray(v) && v[1].data[0] === 'probe', 'probe')).value[0];
      w.got.length = 0;
      for (const q of [{ type: 1 }, { type: 5, opts: { rooms: [], except: [] } }, { type: 6, data: ['sum', 1, 2] }]) await w.publish(w.request(), Object.assign({ uid, requestId: 'Q' }, q));
      await t.fence();
      t.eq(w.got.filter((m) => m.channel.startsWith(w.response())).length, 0, 'answers');
    }),
    test('unknown namespaces, types and channels are nobody\'s business', { on: ['S', 'S/old', 'S/mixed'] }, async (t) => {
      const w = await t.wire();
      const c = await t.client(t.s);
      const before = await c.call('stats');
      for (const nsp of ['/nowhere', '', 'chat', '//']) await w.broadcast({ nsp, data: ['m'] });
      await w.publish('socket.io', 'x');
      await w.publish('socket.io#', 'x');
      await w.publish('socket.io-request#/nowhere#', { uid: 'W', requestId: 'Q', type: 1 });
      for (const type of [10, 11, 99, 1e9, -1]) { await w.publish(w.request(), { uid: 'W', requestId: 'Q', type }); await w.publish(w.response(), { requestId: 'Q', type }); }
      await t.fence();
      t.got(c, []);
      t.eq((await c.call('stats')).badMessages - before.badMessages, 0, 'bad messages');
    }),
    test('answers: the same twice, halves of two nodes, of a request that is over', { on: ['S'], can: ['fetch'] }, async (t) => {
      const w = await (await (await t.wire()).tap()).member();
      const other = await (await t.wire()).member();
      const c = await t.client(t.s);
      const answer = c.call('fetch', {});
      const m = await w.next((x) => x.channel === w.request(), 'request');
      const say = (id, more) => w.publish(w.response(), Object.assign({ requestId: m.value.requestId, sockets: [{ id, handshake: { query: {} }, rooms: [], data: {} }] }, more));
      await w.publish(w.response(), { requestId: 'another', sockets: [{ id: 'NO' }] });
      await say('FAR1', { extra: 1, sockets: [{ id: 'FAR1', handshake: {}, rooms: [5, 'x'], data: { n: [null] }, more: true }, { no: 'id' }, 7, null] });
      await say('FAR2');
      const r = await answer;
      t.eq([r.error, r.answered, r.expected, sort(r.sockets.map((x) => x.id))], [null, 3, 3, sort(['FAR1', 'FAR2', c.id])], 'answer');
      await say('LATE');
      await say('LATE', { sockets: 5 });
      await t.fence();
      const rooms = (await c.call('ids', { rooms: ['nobody'] }));
      t.ok(/1 of 3/.test(rooms.error), 'the others do not answer: ' + rooms.error);
      t.eq([rooms.ids, rooms.answered, rooms.expected], [[], 1, 3], 'what is known');
      void other;
    }),
    test('ask-all: counts and answers in any order, of several nodes, bytes among them', { on: ['S'], can: ['ask-all'] }, async (t) => {
      const w = await (await (await t.wire()).tap()).member();
      const c = await t.client(t.s);
      c.answers('q', () => 'me');
      const answer = c.call('ask-all', { event: 'q', args: [BYTES], timeout: 9000 });
      const m = await w.next((x) => x.channel === w.request(), 'request');
      const requestId = m.value.requestId;
      await w.publish(w.response(), pack.new.encode({ type: 9, requestId, packet: null }));
      await w.publish(w.response(), JSON.stringify({ type: 9, requestId, packet: { json: true } }));
      await w.publish(w.response() + m.value.uid + '#', pack.new.encode({ packet: [BYTES], requestId, type: 9, more: 1 }));
      await w.publish(w.response(), { requestId, clientCount: 3, type: 8 });
      const r = await answer;
      t.eq([r.error, sort(t.norm(r.answers).map((x) => JSON.stringify(x)))], [null, sort(['"me"', 'null', '{"json":true}', '[{"$bin":"00ff01"}]'])], 'answers');
    }),
    test('ask-all of others: limits of nothing, of ages, and none', { on: ['S'], can: ['ask-all'] }, async (t) => {
      const w = await (await t.wire()).tap();
      const c = await t.client(t.s);
      c.answers('q', (x) => x);
      for (const [i, timeout] of [9000, 1e15, undefined, 'soon', null, 4294967296].entries()) {
        w.got.length = 0;
        const flags = timeout === undefined ? {} : { timeout };
        await w.publish(w.request(), pack.new.encode({ uid: 'W', requestId: 'Q' + i, type: 7, packet: { type: 2, data: ['q', i], nsp: '/' }, opts: { rooms: [], except: [], flags } }));
        t.eq((await w.next((x, v) => v && v.type === 8, 'count')).value, { type: 8, requestId: 'Q' + i, clientCount: 1 }, 'count');
        t.eq((await w.next((x, v) => v && v.type === 9, 'answer')).value, { type: 9, requestId: 'Q' + i, packet: i }, 'answer');
      }
      w.got.length = 0;
      await w.publish(w.request(), pack.new.encode({ uid: 'W', requestId: 'Q0', type: 7, packet: { type: 2, data: ['q', 'x'], nsp: '/' }, opts: { rooms: [], except: [], flags: { timeout: 0 } } }));
      t.eq((await w.next((x, v) => v && v.type === 8, 'count')).value.clientCount, 1, 'count');
      await t.fence();
      t.ok(!c.gone, 'disconnected');
    }),
    test('ask-all with no time at all ends', { on: ['S+S', 'S+S/sharded'], can: ['ask-all'] }, async (t) => {
      const a = await t.each();
      for (const c of Object.values(a)) c.answers('q', () => 'x');
      const r = await a.s1.call('ask-all', { event: 'q', timeout: 0 });
      t.ok(r.error || r.answers.length === 2, 'neither an error nor all answers');
      const again = await a.s1.call('ask-all', { event: 'q', timeout: 8000 });
      t.eq(again, { error: null, answers: ['x', 'x'] }, 'afterwards');
    }),
    test('server-emit: bytes, depth, names of any kind; answers of every kind', { on: ['S+S', 'S+4', 'S+S/sharded', 'S+4/sharded'], from: 'each', can: ['server-emit'] }, async (t) => {
      const a = await t.each();
      const from = a[t.from.name];
      const others = t.nodes.filter((n) => n !== t.from).length;
      for (const x of [null, 0, '', [], {}, { a: [{ b: null }] }, '😀', 'x'.repeat(100000), [1, [2, [3]]]]) {
        t.eq(await from.call('server-emit', { event: 'back', args: [x], ack: true }), { error: null, answers: Array(others).fill(x) }, 'answer to ' + JSON.stringify(x).slice(0, 40));
      }
      // nobody listens: nothing happens
      await from.ok('server-emit', { event: 'no such event 😀', args: [1] });
      await t.fence();
    }),
    test('server-emit of an emitter: arguments of every kind', { on: ['S', 'S+4'], can: ['server-emit'] }, async (t) => {
      const a = await t.each();
      const e = await t.emitter(5);
      const lists = [[], [null], [{ a: [1, { '😀': '"' }] }, 'x', 0.5], ['y'.repeat(5000)]];
      for (const args of lists) e.serverSideEmit('note', t.tag, ...args);
      for (const c of Object.values(a)) {
        await t.until(async () => (await c.call('server-log')).filter((x) => x[0] === t.tag).length === lists.length, 'log of ' + c.name);
        t.eq((await c.call('server-log')).filter((x) => x[0] === t.tag), lists.map((x) => [t.tag, ...x]), 'log of ' + c.name);
      }
    }),
    test('emitter 5: empty names, many rooms, bytes in every place, then requests', { on: ['S', 'S+4'] }, async (t) => {
      const a = await t.each();
      const names = NAMES.map((x) => x + t.tag);
      for (const c of Object.values(a)) await c.join(...names);
      const e = await t.emitter(5);
      for (let i = 0; i < names.length; i++) e.to(names[i]).emit('n', i, { '😀': [BYTES] });
      e.to(names).emit('once', BYTES);
      e.to(names[0]).except(names[1]).emit('nobody');
      e.except([]).emit('all');
      for (const c of Object.values(a)) await c.until((g) => g.length >= names.length + 2, 'all messages');
      await t.fence();
      for (const c of Object.values(a)) t.got(c, [...names.map((_, i) => ['n', i, { '😀': [BYTES] }]), ['once', BYTES], ['all']]);
      e.in(names[3]).except('nobody' + t.tag).socketsLeave(names);
      for (const c of Object.values(a)) await t.until(async () => (await c.call('rooms')).length === 1, c.name + ' left');
      e.socketsJoin(names[10]);
      for (const c of Object.values(a)) await t.until(async () => (await c.call('rooms')).includes(names[10]), c.name + ' joined');
    }),
    test('emitter 3: rooms of any name, flags', { on: ['S', 'S/old', 'S/mixed', 'S+2'] }, async (t) => {
      const a = await t.each();
      const names = NAMES.map((x) => x + t.tag);
      for (const c of Object.values(a)) await c.join(...names);
      const e = await t.emitter(3);
      for (let i = 0; i < names.length; i++) e.to(names[i]).emit('n', i);
      e.to(names[0]).to(names[1]).emit('once', { k: 'v' });
      e.json.emit('json', null);
      for (const c of Object.values(a)) await c.until((g) => g.length >= names.length + 2, 'all messages');
      await t.fence();
      for (const c of Object.values(a)) t.got(c, [...names.map((_, i) => ['n', i]), ['once', { k: 'v' }], ['json', null]]);
    }),
    test('custom: data of every kind, there and back', { on: ['S+2', 'S+S/old'], from: 'each', can: ['custom'] }, async (t) => {
      const a = await t.each();
      for (const x of [0, '', false, [], {}, [{ a: null }], '😀', 'z'.repeat(20000)]) t.eq(await a[t.from.name].call('custom', { q: 'echo', x }), { error: null, replies: [x, x] }, 'echo of ' + JSON.stringify(x).slice(0, 40));
    }),
    test('custom of a 2.x node: no data, null, lists', { on: ['S', 'S/old', 'S/mixed'] }, async (t) => {
      const w = await (await t.wire()).tap();
      await t.client(t.s);
      const ask = asker(t, w);
      for (const data of [null, [], 7, 'text', {}, { q: null }]) t.eq(await ask({ requestid: 'Qc', type: 5, data }), { requestid: 'Qc', data: null }, 'answer to ' + JSON.stringify(data));
      t.eq(await ask({ requestid: 'Qc', type: 5 }), { requestid: 'Qc', data: null }, 'answer to nothing');
      t.eq(await ask({ requestid: 'Qc', type: 5, data: { q: 'double', x: 4 } }), { requestid: 'Qc', data: 8 }, 'answer to a question');
    }),
    test('sharded: fields too many, flags of any kind, rooms that look like nodes', { on: ['S/sharded'] }, async (t) => {
      const w = await t.wire();
      const c = await t.client(t.s);
      await c.join('r1');
      const uid = 'aaaaaaaaaaaaaaaa';
      const say = (channel, x, how = JSON.stringify) => w.spublish(channel, how(x));
      const all = 'socket.io#/#';
      const m = (n, opts, more) => ({ nsp: '/', uid, type: 3, data: Object.assign({ opts, packet: { type: 2, data: ['m', n], nsp: '/', extra: 1 } }, more) });
      await say(all, Object.assign(m(1, { rooms: [], except: [], flags: {} }), { nodeId: 5, offset: '1-1' }));
      await say(all, m(2, {}));
      await say(all, m(3, { rooms: null, flags: { volatile: 0, timeout: 'x', unknown: {} } }));
      await say('socket.io#/#r1#', m(4, { rooms: ['r1'] }));
      await say(all, m(5, { rooms: ['r1', 'r1'], except: ['none'] }), (x) => pack.new.encode(x));
      await say('socket.io#/#r1#', m(6, { rooms: ['r2'] }));
      await say(all, Object.assign(m(7, {}), { nsp: '/chat' }));
      await say(all, m(8, {}, { packet: { type: 5, data: ['m', 8, BYTES] } }), (x) => pack.new.encode(x));
      await t.fence();
      t.got(c, [['m', 1], ['m', 2], ['m', 3], ['m', 4], ['m', 5], ['m', 8, BYTES]]);
    }),
    test('sharded: answers to nobody, twice, and after the end', { on: ['S/sharded'], can: ['server-emit'] }, async (t) => {
      const uid = 'bbbbbbbbbbbbbbbb';
      const w = await (await t.wire()).shardedMember('/', uid);
      const c = await t.client(t.s);
      const answer = c.call('server-emit', { event: 'who', ack: true });
      const m = await w.next((x, v) => v && v.type === 9, 'request');
      const own = `socket.io#/#${m.value.uid}#`;
      const say = (data, more) => w.spublish(own, JSON.stringify(Object.assign({ type: 10, uid, nsp: '/', data: Object.assign({ requestId: m.value.data.requestId }, data) }, more)));
      await say({ requestId: 'nobody', packet: 1 });
      await say({ requestId: '', packet: 1 });
      await say({ packet: 2 }, { nsp: '/chat' });
      await say({ packet: ['first'] });
      await say({ packet: ['again'] });
      t.eq(await answer, { error: null, answers: [['first']] }, 'answers');
      await say({ packet: 'late' });
      await say({ packet: 'late' }, { type: 8, data: { requestId: m.value.data.requestId, sockets: [] } });
      await t.fence();
      t.ok(!c.gone, 'disconnected');
    }),
    test('messages with flags keep their order, and local ones stay', { on: ['S+S', 'S+4', 'S+S/sharded'], from: 'each' }, async (t) => {
      const a = await t.each();
      const from = a[t.from.name];
      const flags = [[], ['compress:false'], ['compress:true'], ['broadcast'], ['compress:true', 'broadcast']];
      for (let i = 0; i < 50; i++) await from.emit({ event: 'm', args: [i], flags: flags[i % flags.length] });
      await from.emit({ event: 'm', args: ['here'], flags: ['local'] });
      await t.fence();
      const numbers = Array.from({ length: 50 }, (_, i) => ['m', i]);
      for (const c of Object.values(a)) t.got(c, c.node === t.from ? [...numbers, ['m', 'here']] : numbers);
    }),
    test('all rooms: names of any kind, of every node, each once', { on: ['S+S', 'S+4', 'S+2', 'S+S/old', 'S+S/mixed'], from: 'each', can: ['all-rooms'] }, async (t) => {
      const a = await t.each();
      const names = NAMES.map((x) => x + t.tag);
      for (const c of Object.values(a)) await c.join(...names);
      await t.settled();
      t.eq((await a[t.from.name].ok('all-rooms', {})).rooms.filter((x) => x.endsWith(t.tag)), byText(names), 'rooms');
    }),
    test('handshakes and data of sockets elsewhere come as they are', { on: ['S+S', 'S+4', 'S+S/sharded', 'S+4/sharded'], from: 'each', can: ['fetch'] }, async (t) => {
      const a = await t.each();
      const room = t.r();
      const away = t.nodes.find((n) => n !== t.from);
      const values = [{ '😀': ['"', '\n', null, { deep: [[[]]] }], '': 0 }, [], 'text', false, 0, 1e300];
      const clients = [];
      for (const [i, value] of values.entries()) {
        const c = await t.client(away, '/', { label: 'l' + i, query: { label: `ü&=#${i}😀` } });
        await c.join(room);
        await c.ok('data', value);
        clients.push(c);
      }
      const found = (await a[t.from.name].ok('fetch', { rooms: [room] })).sockets;
      t.eq(found.map((s) => [s.id, s.value, s.label]), clients.map((c, i) => [c.id, values[i], `ü&=#${i}😀`]).sort((x, y) => (x[0] < y[0] ? -1 : 1)), 'sockets');
    }),
    test('Redis stands still for a moment: nothing is lost, nothing comes twice', { on: ['S+S', 'S+S/sharded'], fresh: true, timeout: 90000 }, async (t) => {
      const a = await t.each();
      await t.fence();
      await t.redis.pause();
      for (let i = 0; i < 100; i++) await a.s1.emit({ event: 'm', args: [i] });
      t.eq(a.s1.all.length, 100, 'the own clients wait for Redis');
      await sleep(300);
      t.redis.resume();
      await a.s2.until((g) => g.length >= 100, 'all messages');
      await t.fence();
      for (const c of Object.values(a)) t.got(c, Array.from({ length: 100 }, (_, i) => ['m', i]));
      t.eq((await a.s1.call('stats')).lost, 0, 'lost');
    }),
  ];
};
