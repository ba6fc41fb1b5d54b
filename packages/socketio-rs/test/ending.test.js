// How sockets and servers end.

'use strict';

const http = require('node:http');
const test = require('node:test');
const assert = require('node:assert/strict');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { Server, serve, portOf, connect, next, until, once, ioc } = require('./support');

test('what the program ends is over at once', async (t) => {
  const io = serve(t);
  const told = [];
  const done = new Promise((resolve) => io.on('connection', (socket) => {
    socket.join('a');
    socket.on('disconnecting', (reason) => told.push(['disconnecting', reason, [...socket.rooms].includes('a')]));
    socket.on('disconnect', (reason) => told.push(['disconnect', reason, socket.rooms.size]));
    socket.emit('bye');
    socket.disconnect();
    assert.equal(told.length, 2);
    assert.deepEqual([socket.connected, io.sockets.sockets.size], [false, 0]);
    socket.emit('after');
    socket.join('b');
    assert.equal(socket.rooms.size, 0);
    resolve();
  }));
  const peer = connect(t, io, '/', { reconnection: false });
  const seen = [];
  peer.onAny((name) => seen.push(name));
  const gone = next(peer, 'disconnect');
  await done;
  assert.deepEqual(told, [['disconnecting', 'server namespace disconnect', true], ['disconnect', 'server namespace disconnect', 0]]);
  assert.equal((await gone)[0], 'io server disconnect');
  assert.deepEqual(seen, ['bye']);
});

test('with its connection all sockets of a client end', async (t) => {
  const io = serve(t);
  io.of('/b');
  const first = connect(t, io, '/', { forceNew: true, reconnection: false });
  const second = first.io.socket('/b');
  second.connect();
  await Promise.all([next(first, 'connect'), next(second, 'connect')]);
  const ends = Promise.all([next(first, 'disconnect'), next(second, 'disconnect')]);
  const [socket] = io.sockets.sockets.values();
  socket.disconnect(true);
  assert.deepEqual([io.sockets.sockets.size, io.of('/b').sockets.size], [0, 0]);
  await ends;
});

test('what the client ends is told with its rooms', async (t) => {
  const io = serve(t);
  const told = new Promise((resolve) => io.on('connection', (socket) => {
    const seen = [];
    socket.join('a');
    socket.on('disconnecting', (reason) => seen.push(reason, socket.rooms.has('a')));
    socket.on('disconnect', (reason) => resolve([...seen, reason, socket.rooms.size]));
  }));
  const peer = connect(t, io);
  await next(peer, 'connect');
  peer.disconnect();
  assert.deepEqual(await told, ['client namespace disconnect', true, 'client namespace disconnect', 0]);
  await until('nobody is left', () => io.sockets.sockets.size === 0 && io._wire.sockets.every((socket) => socket === undefined) && io._conns.size === 0);
});

test('close tells all sockets at once, and the callback when it is over', async (t) => {
  const io = new Server(0);
  const reasons = [];
  io.on('connection', (socket) => socket.on('disconnect', (reason) => reasons.push(reason)));
  const peers = [connect(t, io, '/', { reconnection: false }), connect(t, io, '/', { reconnection: false, transports: ['websocket'] })];
  await Promise.all(peers.map((peer) => next(peer, 'connect')));
  await until('both are there', () => io.sockets.sockets.size === 2);
  const ends = Promise.all(peers.map((peer) => next(peer, 'disconnect')));
  const closed = new Promise((resolve) => io.close(resolve));
  assert.deepEqual([reasons, io.sockets.sockets.size], [['server shutting down', 'server shutting down'], 0]);
  assert.equal(await closed, undefined);
  await ends;
});

test('the port is free again, and the server can listen anew', async (t) => {
  const io = new Server(0);
  const port = portOf(io);
  io.on('connection', (socket) => socket.emit('hello'));
  const peer = connect(t, io, '/', { reconnectionDelay: 50 });
  await next(peer, 'hello');
  await io.close();
  const again = next(peer, 'hello');
  io.listen(port);
  t.after(() => io.close());
  await again;
});

test('a server that never listened says so when it is closed', async () => {
  const io = new Server(http.createServer());
  const error = await new Promise((resolve) => io.close(resolve));
  assert.equal(error.code, 'ERR_SERVER_NOT_RUNNING');
  await new Server(http.createServer()).close();
});

test('an HTTP server that closes by itself takes its connections with it', async (t) => {
  const server = http.createServer().listen(0);
  await once(server, 'listening');
  const io = serve(t, {}, server);
  const over = new Promise((resolve) => io.on('connection', (socket) => socket.on('disconnect', resolve)));
  const peer = ioc(`http://localhost:${server.address().port}`, { transports: ['websocket'], reconnection: false });
  t.after(() => peer.disconnect());
  await next(peer, 'connect');
  server.close();
  await over;
  if (peer.connected) await next(peer, 'disconnect');
});

for (const options of ['{}', '{ native: true }']) {
  test(`a process ends when its server is closed (${options})`, async () => {
    const program = `
      const { Server } = require(${JSON.stringify(path.join(__dirname, '..'))});
      const { io: ioc } = require(${JSON.stringify(path.join(__dirname, '../../../conformance/node_modules/sioc-4.8.4'))});
      const io = new Server(0, ${options});
      io.on('connection', (socket) => { socket.emit('x'); setTimeout(() => io.close(), 50); });
      ioc('http://localhost:' + io.address().port, { reconnection: false });
    `;
    const child = spawn(process.execPath, ['-e', program], { stdio: 'inherit' });
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
  });
}

test('what is emitted as the process exits still leaves', async (t) => {
  const program = `
    const { Server } = require(${JSON.stringify(path.join(__dirname, '..'))});
    const io = new Server(0);
    io.on('connection', (socket) => socket.on('end', () => { socket.emit('last', 'word'); process.exit(3); }));
    console.log(io.address().port);
  `;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const [port] = await once(child.stdout, 'data');
  const peer = ioc(`http://localhost:${Number(port)}`, { transports: ['websocket'], reconnection: false });
  t.after(() => peer.disconnect());
  await next(peer, 'connect');
  const last = next(peer, 'last');
  peer.emit('end');
  assert.deepEqual(await last, ['word']);
  if (child.exitCode === null) await once(child, 'exit');
  assert.equal(child.exitCode, 3);
});
