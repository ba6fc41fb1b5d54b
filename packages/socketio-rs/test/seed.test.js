// The API of 2.x: what its document shows, and where it differs from 4.x.

'use strict';

const http = require('node:http');
const test = require('node:test');
const assert = require('node:assert/strict');
const { Seed, serveSeed, connect, connectSeed, next, until, aWhile } = require('./support');

test('a server is made with and without new, and of what may be given', async () => {
  const all = [Seed(), new Seed(), Seed({ path: '/x' }), Seed(http.createServer(), { serveClient: false }), new Seed(0)];
  for (const io of all) assert.ok(io instanceof Seed);
  assert.deepEqual([all[0].path(), all[2].path(), all[3].serveClient(), all[0].serveClient()], ['/socket.io', '/x', false, true]);
  assert.equal(all[0].sockets.name, '/');
  assert.equal(all[0].nsps['/'], all[0].sockets);
  assert.throws(() => Seed(() => {}), /express request handler/);
  await all[4].close();
});

test('settings by their old names, until the first client', async (t) => {
  const io = serveSeed(t);
  io.set('transports', ['polling']).set('heartbeat timeout', 1234).set('heartbeat interval', 5678).set('destroy buffer size', 99_999);
  assert.deepEqual([io.eio.transports, io.eio.pingTimeout, io.eio.maxHttpBufferSize], [['polling'], 1234, 99_999]);
  io.set('origins', 'http://a.test:*');
  assert.equal(io.origins(), 'http://a.test:*');
  io.origins('*:*');
  const open = await (await fetch(`http://localhost:${io.address().port}/socket.io/?EIO=3&transport=polling`)).text();
  const { pingTimeout, pingInterval, upgrades } = JSON.parse(open.slice(open.indexOf('{'), open.lastIndexOf('}') + 1));
  assert.deepEqual([pingTimeout, pingInterval, upgrades], [1234, 5678, []]);
});

test('authorization by its old name refuses with an error', async (t) => {
  const io = serveSeed(t);
  io.set('authorization', (req, done) => done(null, req.headers['x-key'] === 'k'));
  const refused = connectSeed(t, io);
  assert.deepEqual(await next(refused, 'error'), ['Not authorized']);
  await next(connectSeed(t, io, '/', { extraHeaders: { 'x-key': 'k' } }), 'connect');
});

test('joining and leaving call back, and rooms are an object', async (t) => {
  const io = serveSeed(t);
  const seen = new Promise((resolve) => io.on('connection', (socket) => {
    socket.join('room 237', () => {
      const joined = Object.keys(socket.rooms);
      socket.join(['b', 'c'], () => socket.leave('b', () => resolve([socket.id, joined, Object.keys(socket.rooms)])));
    });
  }));
  connectSeed(t, io);
  const [id, joined, rooms] = await seen;
  assert.deepEqual([joined, rooms], [[id, 'room 237'], [id, 'room 237', 'c']]);
});

test('flags and rooms are state until the next emission', async (t) => {
  const io = serveSeed(t);
  const seen = [];
  io.on('connection', (socket) => {
    const { name } = socket.handshake.query;
    if (name !== 'c') socket.join('ab');
    socket.on('go', () => {
      socket.to('ab').emit('n', 1);
      socket.emit('n', 2);
      socket.broadcast.emit('n', 3);
      io.sockets.in('ab').emit('n', 4);
      io.emit('n', 5);
      io.sockets.volatile.local.json.compress(false).to('ab').emit('n', 6);
      assert.deepEqual(io.sockets.flags, {});
      assert.throws(() => socket.broadcast.emit('n', () => {}), /Callbacks are not supported when broadcasting/);
    });
  });
  const peers = {};
  for (const name of ['a', 'b', 'c']) {
    peers[name] = connectSeed(t, io, '/', { query: { name }, transports: ['websocket'] });
    peers[name].on('n', (n) => seen.push(`${name}${n}`));
    await next(peers[name], 'connect');
  }
  await until('all are connected', () => Object.keys(io.sockets.connected).length === 3);
  peers.a.emit('go');
  await until('the last one', () => seen.includes('c5') && seen.includes('b5') && seen.includes('a5'));
  await aWhile();
  assert.deepEqual(seen.filter((one) => !one.endsWith('6')).sort(), ['a2', 'a4', 'a5', 'b1', 'b3', 'b4', 'b5', 'c3', 'c5']);
});

test('reserved names are emitted here', async (t) => {
  const io = serveSeed(t);
  const seen = new Promise((resolve) => io.on('connection', (socket) => {
    socket.on('error', (error) => resolve(error.message));
    socket.emit('error', new Error('mine'));
  }));
  connectSeed(t, io);
  assert.equal(await seen, 'mine');
});

test('clients of a namespace and of its rooms', async (t) => {
  const io = serveSeed(t);
  const ids = [];
  io.of('/chat').on('connection', (socket) => {
    ids.push(socket.id);
    if (ids.length === 1) socket.join('general');
  });
  connectSeed(t, io, '/chat');
  connectSeed(t, io, '/chat');
  await until('both are there', () => ids.length === 2);
  assert.ok(ids.every((id) => id.startsWith('/chat#')));
  const clients = (target) => new Promise((resolve, reject) => target.clients((error, all) => (error ? reject(error) : resolve(all.sort()))));
  assert.deepEqual(await clients(io.of('/chat')), [...ids].sort());
  assert.deepEqual(await clients(io.of('/chat').in('general')), [ids[0]]);
  assert.equal((await clients(io)).length, 2);
});

test('middleware of events refuses with an error packet', async (t) => {
  const io = serveSeed(t);
  io.on('connection', (socket) => socket.use((event, go) => {
    if (event[0] === 'good') return go();
    go(Object.assign(new Error('no'), event[1] ? { data: { code: 7 } } : {}));
  }));
  const peer = connectSeed(t, io);
  peer.emit('bad');
  assert.deepEqual(await next(peer, 'error'), ['no']);
  peer.emit('bad', 1);
  assert.deepEqual(await next(peer, 'error'), [{ code: 7 }]);
});

test('who is refused by / gets into no other namespace', async (t) => {
  const io = serveSeed(t);
  io.use((socket, go) => go(new Error('stay out')));
  let entered = 0;
  io.of('/chat').on('connection', () => entered++);
  const peer = connectSeed(t, io, '/chat');
  await aWhile();
  assert.equal(entered, 0);
  assert.equal(peer.connected, false);
});

test('bytes go both ways, and acknowledgements, with clients of 2.x and 4.x', async (t) => {
  const io = serveSeed(t);
  io.on('connection', (socket) => {
    socket.emit('with-binary', 1, '2', { 3: '4', 5: Buffer.alloc(6) });
    socket.emit('ferret', 'tobi', (data) => socket.emit('heard', data));
  });
  for (const way of [connectSeed, connect]) {
    const peer = way(t, io);
    const [binary, heard] = [next(peer, 'with-binary'), next(peer, 'heard')];
    peer.on('ferret', (name, fn) => fn(`woot ${name}`, Buffer.from([1])));
    const [a, b, object] = await binary;
    assert.deepEqual([a, b, object[3], object[5].length], [1, '2', '4', 6]);
    assert.deepEqual(await heard, ['woot tobi']);
  }
});

test('disconnecting is told while the rooms are still there', async (t) => {
  const io = serveSeed(t);
  const told = new Promise((resolve) => io.on('connection', (socket) => {
    const seen = [];
    socket.on('disconnecting', () => seen.push(Object.keys(socket.rooms).length));
    socket.on('disconnect', (reason) => resolve([...seen, Object.keys(socket.rooms).length, reason, socket.connected]));
    socket.join('a', () => socket.disconnect(true));
  }));
  connectSeed(t, io, '/', { reconnection: false });
  assert.deepEqual(await told, [2, 0, 'server namespace disconnect', false]);
});
