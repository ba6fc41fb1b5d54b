// Rooms, broadcasts, and what is asked of many.

'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { serve, connect, next, until, aWhile } = require('./support');

/** Clients with a name each, in the rooms that it says; what each gets is noted. */
async function group(t, io, rooms, nsp = '/') {
  const seen = [];
  io.of(nsp).on('connection', (socket) => {
    socket.join(rooms[socket.handshake.auth.name]);
    socket.data.name = socket.handshake.auth.name;
    socket.emit('in');
  });
  const peers = {};
  for (const name of Object.keys(rooms)) {
    peers[name] = connect(t, io, nsp, { auth: { name }, transports: ['websocket'] });
    peers[name].on('news', (what) => seen.push(`${name} ${what}`));
    await next(peers[name], 'in');
  }
  return { peers, seen, socketOf: (name) => [...io.of(nsp).sockets.values()].find((socket) => socket.data.name === name) };
}

test('to, except, and the sender left out', async (t) => {
  const io = serve(t);
  const { seen, socketOf } = await group(t, io, { ann: ['a'], bob: ['a', 'b'], cyd: ['b'] });
  io.emit('news', 1);
  io.to('a').emit('news', 2);
  io.to(['a', 'b']).except('b').emit('news', 3);
  socketOf('bob').to('b').emit('news', 4);
  socketOf('bob').broadcast.emit('news', 5);
  io.to(socketOf('ann').id).emit('news', 6);
  io.in('nobody').emit('news', 7);
  io.local.compress(false).to('b').emit('news', 8);
  await until('the last one', () => seen.filter((one) => one.endsWith('8')).length === 2);
  assert.deepEqual(seen.sort(), ['ann 1', 'ann 2', 'ann 3', 'ann 5', 'ann 6', 'bob 1', 'bob 2', 'bob 8', 'cyd 1', 'cyd 4', 'cyd 5', 'cyd 8']);
});

test('rooms of a socket and of the adapter', async (t) => {
  const io = serve(t);
  const { socketOf } = await group(t, io, { ann: ['a', 'c'], bob: ['a'] });
  const [ann, bob] = [socketOf('ann'), socketOf('bob')];
  assert.deepEqual([...ann.rooms], [ann.id, 'a', 'c']);
  ann.leave('c');
  assert.deepEqual([...ann.rooms], [ann.id, 'a']);
  const { rooms, sids } = io.of('/').adapter;
  assert.deepEqual([...rooms.get('a')].sort(), [ann.id, bob.id].sort());
  assert.equal(rooms.has('c'), false);
  assert.deepEqual([...sids.get(bob.id)].sort(), [bob.id, 'a'].sort());
  assert.deepEqual([...(await io.in('a').allSockets())].sort(), [ann.id, bob.id].sort());
});

test('the adapter tells who joins and leaves', async (t) => {
  const io = serve(t);
  const { socketOf } = await group(t, io, { ann: [] });
  const told = [];
  const { adapter } = io.of('/');
  for (const event of ['create-room', 'join-room', 'leave-room', 'delete-room']) {
    adapter.on(event, (room, id) => told.push([event, room, id === socketOf('ann').id]));
  }
  socketOf('ann').join('x');
  socketOf('ann').leave('x');
  assert.deepEqual(told, [['create-room', 'x', false], ['join-room', 'x', true], ['leave-room', 'x', true], ['delete-room', 'x', false]]);
});

test('many are asked, and answer or not', async (t) => {
  const io = serve(t);
  const { peers } = await group(t, io, { ann: ['a'], bob: ['a'], cyd: [] });
  peers.ann.on('q', (n, answer) => answer(n + 1));
  peers.bob.on('q', (n, answer) => answer(n + 2));
  assert.deepEqual((await io.to('a').timeout(10_000).emitWithAck('q', 1)).sort(), [2, 3]);
  const failed = await io.timeout(300).emitWithAck('q', 1).catch((error) => error);
  assert.match(failed.message, /operation has timed out/);
  assert.deepEqual(failed.responses.sort(), [2, 3]);
  assert.deepEqual(await io.to('nobody').timeout(10_000).emitWithAck('q', 1), []);
});

test('sockets are fetched, joined, taken out and disconnected together', async (t) => {
  const io = serve(t);
  const { peers, socketOf } = await group(t, io, { ann: ['a'], bob: ['a'], cyd: [] });
  const fetched = await io.in('a').fetchSockets();
  assert.deepEqual(fetched.map((socket) => socket.data.name).sort(), ['ann', 'bob']);
  io.in('a').socketsJoin(['x', 'y']);
  io.in('y').except(socketOf('bob').id).socketsLeave('x');
  assert.deepEqual([...socketOf('ann').rooms], [socketOf('ann').id, 'a', 'y']);
  assert.ok(socketOf('bob').rooms.has('x'));
  const gone = next(peers.bob, 'disconnect');
  io.in('x').disconnectSockets();
  assert.equal(socketOf('bob'), undefined);
  assert.equal((await gone)[0], 'io server disconnect');
  await aWhile();
  assert.ok(peers.ann.connected);
});

test('what middleware joins is there when the socket is connected', async (t) => {
  const io = serve(t);
  io.use((socket, go) => { socket.join('early'); go(); });
  const rooms = new Promise((resolve) => io.on('connection', (socket) => resolve([...socket.rooms].map((room) => (room === socket.id ? 'own' : room)))));
  connect(t, io);
  assert.deepEqual(await rooms, ['own', 'early']);
});
