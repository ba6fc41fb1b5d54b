'use strict';
// Redis streams (wire: the suite is the other node; key `socket.io`).
const B = (...x) => Buffer.from(x);
const sort = (x) => [...x].sort();
const upTo = (n) => Array.from({ length: n }, (_, i) => i);

module.exports = ({ test, TYPE, encodeModel, modelEvent, modelOpts, hash, attackStream, sleep }) => {
  const uidOf = /^[0-9a-f]{16}$/;
  return [
    test('wire: broadcasts are entries as Node writes them', { on: ['S/streams'] }, async (t) => {
      const w = await (await t.wire()).tap();
      const c = await t.client(t.s);
      const see = async (o) => { w.got.length = 0; await c.emit(o); return w.next((m) => m.stream === 'socket.io', 'an entry'); };
      const hi = await see({ event: 'hi', args: [1, { a: 'é' }] });
      t.ok(uidOf.test(hi.fields.uid), 'uid ' + hi.fields.uid);
      t.eq(hi.order, ['uid', 'nsp', 'type', 'data'], 'order of the fields');
      t.eq(hi.fields, { uid: hi.fields.uid, nsp: '/', type: '3', data: '{"packet":{"type":2,"data":["hi",1,{"a":"é"}]},"opts":{"rooms":[],"except":[],"flags":{}}}' }, 'text');
      const bin = await see({ event: 'bin', args: [B(1, 2, 3)] });
      t.eq(bin.fields.data, encodeModel(modelEvent(['bin', B(1, 2, 3)])).toString('base64'), 'bytes: base64 of msgpack');
      const one = await see({ rooms: ['r1'], event: 'one' });
      t.eq(JSON.parse(one.fields.data), modelEvent(['one'], { rooms: ['r1'] }), 'one room');
      const v = await see({ from: 'socket', rooms: ['r1', 'r2'], except: ['r3'], flags: ['volatile', 'compress:false'], event: 'v' });
      t.eq([v.value.data.packet, v.value.data.opts.rooms, sort(v.value.data.opts.except), v.value.data.opts.flags], [{ type: 2, data: ['v'] }, ['r1', 'r2'], sort(['r3', c.id]), { volatile: true, compress: false }], 'rooms, exceptions, flags');
      t.eq(v.fields.uid, hi.fields.uid, 'the uid stays');
      t.eq(t.s.proxy.published().filter((x) => x.stream).map((x) => x.trim.join(' '))[0], 'MAXLEN ~ 10000', 'trimming');
    }),
    test('wire: join, leave and disconnect of others are entries', { on: ['S/streams'], can: ['bulk'] }, async (t) => {
      const w = await (await t.wire()).tap();
      const c = await t.client(t.s, '/chat');
      const see = async (o, type) => { w.got.length = 0; await c.ok('bulk', o); return (await w.next((m, v) => m.stream && v.type === type, 'an entry of type ' + type)).fields; };
      const o = { rooms: ['z'], except: ['y'], flags: {} };
      const join = await see({ op: 'join', rooms: ['z'], except: ['y'], to: ['a', 'b'] }, TYPE.JOIN);
      t.eq([join.nsp, JSON.parse(join.data)], ['/chat', { opts: o, rooms: ['a', 'b'] }], 'join');
      t.eq(JSON.parse((await see({ op: 'leave', rooms: ['z'], except: ['y'], to: ['a'] }, TYPE.LEAVE)).data), { opts: o, rooms: ['a'] }, 'leave');
      t.eq(JSON.parse((await see({ op: 'disconnect', rooms: ['z'], except: ['y'], close: true }, TYPE.DISCONNECT)).data), { opts: o, close: true }, 'disconnect');
    }),
    test('wire: what wants answers goes by PUB/SUB, not into the stream', { on: ['S/streams'], can: ['fetch', 'ask-all', 'server-emit'] }, async (t) => {
      const w = await (await (await t.wire()).tap()).member('/', 'bbbbbbbbbbbbbbbb');
      const c = await t.client(t.s);
      c.answers('ask', () => 'here');
      const length = await w.pub.xlen('socket.io');
      const answer = async (request, type, replies) => {
        w.got.length = 0;
        const r = c.call(...request);
        const m = await w.next((x, v) => x.channel === 'socket.io#/#' && v.type === type, 'request of type ' + type);
        t.ok(uidOf.test(m.value.uid) && m.value.nsp === '/' && m.value.data.requestId, 'fields of ' + JSON.stringify(m.value));
        for (const [kind, data] of replies) await w.publish(`socket.io#/#${m.value.uid}#`, { type: kind, data: Object.assign({ requestId: m.value.data.requestId }, data), uid: 'bbbbbbbbbbbbbbbb', nsp: '/' });
        return [m.value.data, await r];
      };
      let [q, r] = await answer(['fetch', { rooms: ['z'] }], TYPE.FETCH, [[TYPE.FETCHED, { sockets: [{ id: 'FAR', handshake: { query: {} }, rooms: ['z'], data: {} }] }]]);
      t.eq([q.opts.rooms, r.error, r.sockets.map((s) => s.id)], [['z'], null, ['FAR']], 'fetch');
      [q, r] = await answer(['server-emit', { event: 'sum', args: [1, 2], ack: true }], TYPE.EMIT, [[TYPE.EMITTED, { packet: 3 }]]);
      t.eq([q.packet, r.error, r.answers], [['sum', 1, 2], null, [3]], 'server-side emit');
      [q, r] = await answer(['ask-all', { event: 'ask', args: [1], timeout: 900 }], TYPE.BROADCAST, [[TYPE.COUNT, { clientCount: 2 }], [TYPE.ACK, { packet: 'far' }], [TYPE.ACK, { packet: B(7) }]]);
      t.eq([q.packet.data, q.opts.flags.timeout, r.error, sort(t.norm(r.answers).map((x) => JSON.stringify(x)))], [['ask', 1], 900, null, sort(['"far"', '"here"', '{"$bin":"07"}'])], 'broadcast with ack');
      t.eq(await w.pub.xlen('socket.io'), length, 'entries in the stream');
    }),
    test('wire: requests of others are answered on their channel', { on: ['S/streams'] }, async (t) => {
      const uid = '00000000000000aa';
      const w = await (await (await t.wire()).tap()).member('/', uid);
      const c = await t.client(t.s);
      await c.join('z1');
      c.answers('ask', (x) => ({ got: x }));
      const ask = async (type, data, want) => { w.got.length = 0; await w.publish('socket.io#/#', { type, data, uid, nsp: '/' }); return (await w.next((x, v) => x.channel === `socket.io#/#${uid}#` && v.type === want, 'answer to type ' + type)).value; };
      const opts = modelOpts({ rooms: ['z1'] });
      const f = await ask(TYPE.FETCH, { opts, requestId: 'q1' }, TYPE.FETCHED);
      t.eq([f.nsp, f.data.requestId, f.data.sockets.map((s) => [s.id, sort(s.rooms)])], ['/', 'q1', [[c.id, sort([c.id, 'z1'])]]], 'sockets');
      for (const k of ['headers', 'time', 'address', 'issued', 'url', 'query']) t.ok(f.data.sockets[0].handshake[k] !== undefined, 'handshake.' + k + ' is missing');
      t.eq((await ask(TYPE.EMIT, { requestId: 'q2', packet: ['sum', 3, 4] }, TYPE.EMITTED)).data, { requestId: 'q2', packet: 7 }, 'server-side emit');
      t.eq((await ask(TYPE.BROADCAST, { packet: { type: 2, data: ['ask', B(5)] }, requestId: 'q3', opts }, TYPE.COUNT)).data, { requestId: 'q3', clientCount: 1 }, 'count');
      t.eq((await w.next((x, v) => v && v.type === TYPE.ACK, 'ack')).value.data, { requestId: 'q3', packet: { got: B(5) } }, 'ack');
    }),
    test('wire: entries of an emitter, of every type', { on: ['S/streams'] }, async (t) => {
      const w = await t.wire();
      const c = await t.client(t.s);
      const chat = await t.client(t.s, '/chat');
      const b = await t.client(t.s, '/', 'b');
      await c.join('z1');
      const emitter = (type, data, nsp = '/') => w.add({ uid: 'emitter', nsp, type, data });
      const opts = { rooms: ['z1'], flags: {}, except: [] };
      await emitter(TYPE.BROADCAST, { packet: { type: 2, data: ['m', 1], nsp: '/' }, opts });
      await emitter(TYPE.BROADCAST, { packet: { type: 2, data: ['c'], nsp: '/chat' }, opts: { rooms: [], flags: {}, except: [] } }, '/chat');
      await w.add({ uid: 'emitter', type: TYPE.BROADCAST, data: { packet: { type: 2, data: ['bin', B(0, 255)], nsp: '/' }, opts } }, { binary: true });
      await c.until((g) => g.length === 2, 'two messages');
      t.got(c, [['m', 1], ['bin', { $bin: '00ff' }]]);
      await chat.until((g) => g.length === 1, 'the message');
      await emitter(TYPE.EMIT, { packet: ['note', 'from-emitter', t.tag] });
      await t.until(async () => JSON.stringify((await c.call('server-log')).pop()) === JSON.stringify(['from-emitter', t.tag]), 'server-side emit');
      await emitter(TYPE.JOIN, { opts: { rooms: ['z1'], except: [], flags: {} }, rooms: ['z2', 'z3'] });
      await t.until(async () => (await c.call('rooms')).includes('z3'), 'joined');
      await emitter(TYPE.LEAVE, { opts: { rooms: ['z2'], except: [], flags: {} }, rooms: ['z3'] });
      await t.until(async () => !(await c.call('rooms')).includes('z3'), 'left');
      await emitter(TYPE.DISCONNECT, { opts: { rooms: ['z2'], except: [], flags: {} }, close: true });
      await t.until(() => c.gone, 'disconnected');
      await t.fence();
      t.got(b, []);
    }),
    test('wire: text and bytes in turn, 1,000 entries, in order and once', { on: ['S/streams'], timeout: 15000 }, async (t) => {
      const w = await t.wire();
      const c = await t.client(t.s);
      await Promise.all(upTo(1000).map((i) => w.broadcast(['m', i % 3 ? i : B(i >> 8, i & 255)], { binary: i % 3 === 0 })));
      await c.until((g) => g.length >= 1000, '1,000 messages', 8000);
      await t.fence();
      t.eq(c.all.map((x) => (x[1].$bin ? parseInt(x[1].$bin, 16) : x[1])), upTo(1000), 'order');
    }),
    test('a node begins at the end of the stream', { on: ['S/streams'], fresh: true }, async (t) => {
      const w = await t.wire();
      for (let i = 0; i < 5; i++) await w.broadcast(['old', i]);
      const late = await t.cluster.add('subject', 'late');
      const c = await t.client(late);
      for (let i = 0; i < 5; i++) await w.broadcast(['new', i]);
      await c.until((g) => g.length >= 5, 'the new messages');
      await t.fence();
      t.got(c, upTo(5).map((i) => ['new', i]));
    }),
    test('its connections are away for half a second: nothing is lost, nothing comes twice', { on: ['S+S/streams', 'S+4/streams'], fresh: true, timeout: 15000 }, async (t) => {
      const a = await t.each();
      const away = Object.values(a)[1];
      await away.emit({ event: 'm', args: ['before'] });
      await t.fence();
      await t.s.proxy.down();
      for (let i = 0; i < 50; i++) { await away.emit({ event: 'm', args: [i % 2 ? i : B(i)] }); await sleep(10); }
      await t.s.proxy.up();
      await a.s1.until((g) => g.length >= 51, 'what was sent meanwhile', 4000);
      await t.fence();
      const want = [['m', 'before'], ...upTo(50).map((i) => ['m', i % 2 ? i : B(i)])];
      t.got(a.s1, want);
      t.got(away, want);
    }),
    test('the same before it has read anything', { on: ['S/streams'], fresh: true, timeout: 15000 }, async (t) => {
      const w = await t.wire();
      await w.broadcast(['old']);
      const c = await t.client(t.s);
      await sleep(50);
      const late = await t.cluster.add('subject', 'late');
      const d = await t.client(late);
      await late.proxy.down();
      for (let i = 0; i < 10; i++) await w.broadcast(['m', i]);
      await late.proxy.up();
      await d.until((g) => g.length >= 10, 'what was sent meanwhile', 3000);
      t.got(d, upTo(10).map((i) => ['m', i]));
      t.ok(!c.gone, 'the first was disconnected');
    }),
    test('trimmed while it was stopped: what is left comes in order, the gap is counted', { on: ['S/streams'], fresh: true, timeout: 15000 }, async (t) => {
      const w = await t.wire();
      const c = await t.client(t.s);
      await w.broadcast(['m', 'before']);
      await c.until((g) => g.length === 1, 'the first');
      const before = await c.call('stats');
      t.s.signal('SIGSTOP');
      // more than what the socket of a stopped reader takes in: it waits for one entry, and has it
      for (let i = 0; i < 500; i++) await w.broadcast(['m', i], i === 499 ? { maxlen: 100 } : {});
      t.s.signal('SIGCONT');
      await c.until((g) => g.some((x) => x[1] === 499), 'the last', 4000);
      await w.broadcast(['m', 'after']);
      await c.until((g) => g.some((x) => x[1] === 'after'), 'what came afterwards');
      const seq = c.all.map((x) => x[1]).filter((x) => typeof x === 'number');
      t.eq(seq, sort(new Set(seq)).sort((x, y) => x - y), 'order');
      t.eq(seq.slice(-100), upTo(500).slice(400), 'what was left');
      let missed;
      await t.until(async () => { missed = (await c.call('stats')).missed - (before.missed || 0); return missed >= 1; }, `${500 - seq.length} were trimmed unread, nothing is counted (missed)`);
      t.note(`${seq.length} of 500 came, missed: ${missed}`);
      t.ok(missed <= 500 - seq.length + 1, `${500 - seq.length} were trimmed unread, counted: ${missed}`);
    }),
    test('the stream is deleted while it runs', { on: ['S+S/streams', 'S+4/streams'], from: 'each', fresh: true, timeout: 15000 }, async (t) => {
      const a = await t.each();
      await a[t.from.name].emit({ event: 'm', args: [1] });
      await t.fence();
      await (await t.wire()).pub.del(t.cluster.key);
      await t.resumed(Object.values(a));
      await a[t.from.name].emit({ event: 'm', args: [2] });
      await t.fence();
      for (const c of Object.values(a)) t.got(c, [['m', 1], ['m', 2]]);
    }),
    test('the stream begins again with smaller ids, as after a failover to a slow clock', { on: ['S/streams'], fresh: true, timeout: 15000 }, async (t) => {
      const w = await t.wire();
      const c = await t.client(t.s);
      await w.broadcast(['m', 'before']);
      await c.until((g) => g.length === 1, 'the first');
      await w.pub.del('socket.io');
      const ms = Date.now() - 3600000;
      for (let i = 0; i < 5; i++) await w.broadcast(['m', i], { id: `${ms}-${i}` });
      await c.until((g) => g.length >= 6, 'messages with smaller ids', 4000);
      await sleep(100);
      t.got(c, [['m', 'before'], ...upTo(5).map((i) => ['m', i])]);
    }),
    test('the stream stays bounded', { on: ['S/streams'], fresh: true, timeout: 15000 }, async (t) => {
      const w = await t.wire();
      const c = await t.client(await t.cluster.add('subject', 'x1', { args: ['--max-len', '200'] }));
      await c.within(10000, 'emit-many', { n: 2000, event: 'm', tag: 'x', rooms: ['nobody'] });
      await t.until(async () => (await w.pub.xlen('socket.io')) >= 100, 'entries');
      await t.fence();
      const n = await w.pub.xlen('socket.io');
      t.ok(n <= 400, `${n} entries with a limit of 200`);
    }),
    ...[
      ['no fields that are known', [['x', 'y'], ['nsp', '/'], ['nsp', '/', 'uid', 'x'], ['nsp', '/', 'type', '3'], ['uid', 'x', 'type', '3']], false],
      ['types that are none', [['uid', 'x', 'nsp', '/', 'type', 'three', 'data', '{}'], ['uid', 'x', 'nsp', '/', 'type', '', 'data', '{}'], ['uid', 'x', 'nsp', '/', 'type', '3.5', 'data', '{}']]],
      ['without data', [3, 4, 5, 6, 7, 9].map((n) => ['uid', 'x', 'nsp', '/', 'type', String(n)])],
      ['data that are neither JSON nor base64 of msgpack', ['{', '{"packet":', '[]', 'null', '%%%', '', 'wQ==', 'k6c=', '3////w==', '{"packet":{"type":2,"data":["x"]},"opts":{"rooms":[]', '\u0000'].map((d) => ['uid', 'x', 'nsp', '/', 'type', '3', 'data', d])],
      ['wrong shapes', [{}, { packet: 5, opts: {} }, { packet: { type: 2 }, opts: modelOpts() }, { packet: { type: 2, data: 'x' }, opts: modelOpts() }, { packet: { type: 2, data: [] }, opts: modelOpts() }, { packet: { type: 2, data: [{}] }, opts: modelOpts() },
        { packet: { type: 2, data: ['ev'] } }, { packet: { type: 2, data: ['ev'] }, opts: 7 }, { packet: { type: 2, data: ['ev'] }, opts: { rooms: 5 } }, { packet: { type: 2, data: ['ev'] }, opts: { rooms: { a: 1 }, except: [], flags: {} } }].map((d) => ['uid', 'x', 'nsp', '/', 'type', '3', 'data', JSON.stringify(d)])],
      ['packet types that no broadcast has, and names of the protocol', [...[0, 1, 3, 4, 6, 255].map((type) => ({ packet: { type, data: ['ev'] }, opts: modelOpts() })), ...['connect', 'disconnect', 'disconnecting', 'connect_error'].map((ev) => modelEvent([ev, 'forged']))].map((d) => ['uid', 'x', 'nsp', '/', 'type', '3', 'data', JSON.stringify(d)])],
      ['nested 100,000 deep', [['uid', 'x', 'nsp', '/', 'type', '3', 'data', '{"packet":{"type":2,"data":["x",' + '['.repeat(100000) + ']'.repeat(100000) + ']}}'], ['uid', 'x', 'nsp', '/', 'type', '3', 'data', Buffer.alloc(150000, 0x91).toString('base64')]]],
    ].map(([name, entries, counted]) => test('hostile: entries with ' + name, { on: ['S/streams'], timeout: 15000 }, async (t) => attackStream(t, { wire: await t.wire(), client: await t.client(t.s), entries, counted: counted !== false }))),
    test('hostile: messages on the channels', { on: ['S/streams'], timeout: 15000 }, async (t) => {
      const w = await t.wire();
      const c = await t.client(t.s);
      const before = (await c.call('stats')).badMessages;
      const bad = [B(), B(0xc1), 'text', '{"type":3}', [], {}, { type: 7 }, { type: 7, nsp: '/', uid: 'x' }, { type: 9, nsp: '/', uid: 'x', data: { packet: 5 } }, { type: 4, nsp: '/', uid: 'x', data: { rooms: ['a'] } }, { type: 3, nsp: '/', uid: 'x', data: { requestId: 'q', packet: { type: 2, data: ['a'] } } }, B(0xdf, 0xff, 0xff, 0xff, 0xff), Buffer.alloc(150000, 0x91)];
      for (const b of bad) await w.publish('socket.io#/#', b);
      await w.publish('socket.io#/#', { type: TYPE.EMIT, nsp: '/', uid: 'x', data: { packet: ['note', 'after', t.tag] } });
      await t.until(async () => ((await c.call('server-log')).pop() || [])[1] === t.tag, 'a good message afterwards');
      t.got(c, []);
      const n = (await c.call('stats')).badMessages - before;
      t.ok(n >= bad.length, `${n} of ${bad.length} bad messages counted`);
    }),
    test('four streams: every namespace goes where Node servers read', { on: ['S/streams4'] }, async (t) => {
      const streams = [0, 1, 2, 3, -1, -2, -3].map((i) => 'socket.io-' + i);
      const w = await (await t.wire()).tap(...streams);
      for (const nsp of ['/', '/chat', '/notifications', '/a[1]']) {
        const c = await t.client(t.s, nsp);
        w.got.length = 0;
        await c.emit({ event: 'm', args: [nsp] });
        const m = await w.next((x, v) => x.stream && v.type === TYPE.BROADCAST, 'the entry of ' + nsp);
        t.ok(streams.slice(0, 4).includes(m.stream), `${nsp} went to ${m.stream}, which Node servers do not read`);
        if (hash(nsp) >= 0) t.eq(m.stream, 'socket.io-' + hash(nsp) % 4, 'stream of ' + nsp);
      }
    }),
    test('four streams: all of them are read, also those that Node writes and does not read', { on: ['S/streams4'] }, async (t) => {
      const w = await t.wire();
      const notes = await t.client(t.s, '/notifications');
      const root = await t.client(t.s);
      t.ok(hash('/notifications') % 4 === -3, 'the hash');
      await w.broadcast(['m', 1], { nsp: '/notifications', stream: 'socket.io--3' });
      await w.broadcast(['m', 2], { nsp: '/notifications', stream: 'socket.io-3' });
      for (const i of [0, 1, 2, 3]) await w.broadcast(['r', i], { stream: 'socket.io-' + i });
      await notes.until((g) => g.length >= 2, 'both messages');
      await root.until((g) => g.length >= 4, 'four messages');
      t.gotSet(notes, [['m', 1], ['m', 2]]);
      t.gotSet(root, upTo(4).map((i) => ['r', i]));
    }),
    test('four streams: every namespace, from node to node', { on: ['S+4/streams4'], from: 'each' }, async (t) => {
      for (const nsp of ['/', '/chat', '/notifications']) {
        const a = await t.each(nsp);
        const away = Object.values(a).find((c) => c.node !== t.from);
        await a[t.from.name].emit({ event: 'm', args: [nsp] });
        await away.until((g) => g.length === 1, 'the broadcast in ' + nsp);
      }
    }),
  ];
};
