// Namespaces by name and by rule, and their middleware.

'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { Server, serve, connect, next, until } = require('./support');

test('namespaces by name, made before and after the server listens', async (t) => {
  const io = new Server();
  const early = io.of('early');
  assert.equal(io.of('/early'), early);
  assert.equal(io.of(''), io.sockets);
  const announced = next(io, 'new_namespace');
  io.attach(0);
  t.after(() => io.close());
  const late = io.of('/late', (socket) => socket.emit('hello', 'late'));
  assert.deepEqual(await announced, [late]);
  early.on('connection', (socket) => socket.emit('hello', 'early'));
  assert.deepEqual(await next(connect(t, io, '/early'), 'hello'), ['early']);
  assert.deepEqual(await next(connect(t, io, '/late'), 'hello'), ['late']);
  const [error] = await next(connect(t, io, '/none'), 'connect_error');
  assert.equal(error.message, 'Invalid namespace');
});

test('middleware runs in its order, and what refuses is told with its data', async (t) => {
  const io = serve(t);
  const ran = [];
  io.use((socket, go) => { ran.push(1); setTimeout(go, 20); });
  io.use((socket, go) => { ran.push(2); go(); go(new Error('too late')); });
  io.use((socket, go) => {
    ran.push(3);
    if (socket.handshake.auth.ok) return go();
    go(Object.assign(new Error('who are you?'), { data: { code: 7 } }));
  });
  io.on('connection', () => ran.push('in'));
  const refused = connect(t, io, '/', { auth: {} });
  const [error] = await next(refused, 'connect_error');
  assert.deepEqual([error.message, error.data, ran.splice(0)], ['who are you?', { code: 7 }, [1, 2, 3]]);
  await until('nothing is kept', () => io.sockets._entering.size === 0 && io._conns.size === 0);
  const peer = connect(t, io, '/', { auth: { ok: true } });
  await next(peer, 'connect');
  await until('it is in', () => ran.includes('in'));
  assert.deepEqual(ran, [1, 2, 3, 'in']);
});

test('a client that leaves while middleware runs is forgotten', async (t) => {
  const io = serve(t);
  let goOn;
  io.use((socket, go) => { goOn = go; });
  let connections = 0;
  io.on('connection', () => connections++);
  const peer = connect(t, io, '/', { transports: ['websocket'], reconnection: false });
  await until('it is asked', () => goOn);
  peer.io.engine.close();
  await until('it is forgotten', () => io.sockets._entering.size === 0);
  goOn();
  await until('nothing is kept', () => io._wire.sockets.every((socket) => socket === undefined));
  assert.equal(connections, 0);
});

test('namespaces by a pattern', async (t) => {
  const io = serve(t);
  const parent = io.of(/^\/room-\d+$/);
  parent.use((socket, go) => { socket.data.seen = true; go(); });
  parent.on('connection', (socket) => {
    socket.join('r');
    socket.emit('hello', socket.nsp.name, socket.data.seen);
  });
  const peers = [connect(t, io, '/room-1'), connect(t, io, '/room-2')];
  assert.deepEqual(await Promise.all(peers.map((peer) => next(peer, 'hello'))), [['/room-1', true], ['/room-2', true]]);
  assert.equal(parent.children.size, 2);
  const all = Promise.all(peers.map((peer) => next(peer, 'all')));
  parent.to('r').emit('all', 1);
  assert.deepEqual(await all, [[1], [1]]);
  const [error] = await next(connect(t, io, '/room-x'), 'connect_error');
  assert.equal(error.message, 'Invalid namespace');
});

test('namespaces by functions, of which the first that allows counts', async (t) => {
  const io = serve(t);
  const asked = [];
  io.of((name, auth, done) => { asked.push([name, auth]); setTimeout(done, 10, null, false); });
  io.of((name, auth, done) => done(null, auth.key === 'k')).on('connect', (socket) => socket.emit('hello', 'second'));
  io.of((name, auth, done) => done(null, true)).on('connect', (socket) => socket.emit('hello', 'third'));
  assert.deepEqual(await next(connect(t, io, '/x', { auth: { key: 'k' } }), 'hello'), ['second']);
  assert.deepEqual(await next(connect(t, io, '/y', { auth: {} }), 'hello'), ['third']);
  assert.deepEqual(asked, [['/x', { key: 'k' }], ['/y', {}]]);
});

test('two clients that ask at once get one namespace, and empty ones may go', async (t) => {
  const io = serve(t, { cleanupEmptyChildNamespaces: true });
  const parent = io.of(/^\/dyn/);
  parent.on('connection', () => {});
  const peers = [connect(t, io, '/dyn'), connect(t, io, '/dyn')];
  await Promise.all(peers.map((peer) => next(peer, 'connect')));
  await until('both are there', () => io._nsps.get('/dyn').sockets.size === 2);
  assert.equal(parent.children.size, 1);
  peers.forEach((peer) => peer.disconnect());
  await until('it is gone', () => !io._nsps.has('/dyn') && parent.children.size === 0);
  const again = connect(t, io, '/dyn');
  await next(again, 'connect');
});
