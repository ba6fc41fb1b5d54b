// Adapters written in JavaScript, and the core's own over Redis.

'use strict';

const path = require('node:path');
const test = require('node:test');
const assert = require('node:assert/strict');
const { execFileSync, spawn } = require('node:child_process');
const { createServer } = require('node:net');
const { serve, connect, next, until, once } = require('./support');

const { Adapter } = require(require.resolve('socket.io-adapter', {
  paths: [path.join(__dirname, '../../../conformance/node_modules/sios-4.8.4')],
}));

for (const transports of [['polling'], ['websocket']]) {
  test(`an adapter in JavaScript has the rooms (${transports})`, async (t) => {
    const told = [];
    class Telling extends Adapter {
      addAll(id, rooms) {
        told.push(rooms.size);
        return super.addAll(id, rooms);
      }
    }
    const io = serve(t, { adapter: Telling });
    const sockets = [];
    io.on('connection', (socket) => {
      socket.join(['a', socket.handshake.auth.room]);
      sockets.push(socket);
    });
    const peers = ['b', 'c'].map((room) => connect(t, io, '/', { transports, auth: { room } }));
    const seen = [];
    peers.forEach((peer, at) => {
      peer.on('n', (n, bytes) => seen.push(`${at} ${n} ${bytes ? bytes.length : ''}`));
      peer.on('q', (answer) => answer(at));
    });
    await Promise.all(peers.map((peer) => next(peer, 'connect')));
    await until('both are there', () => sockets.length === 2);
    const own = sockets.findIndex((socket) => socket.handshake.auth.room === 'b');
    assert.deepEqual([...sockets[own].rooms], [sockets[own].id, 'a', 'b']);
    io.to('b').emit('n', 1, Buffer.alloc(2));
    sockets[own].to('a').emit('n', 2);
    sockets[own].broadcast.emit('n', 3);
    io.emit('n', 4);
    await until('the last one', () => seen.includes('0 4 ') && seen.includes('1 4 '));
    assert.deepEqual(seen.sort(), ['0 1 2', '0 4 ', '1 2 ', '1 3 ', '1 4 ']);
    assert.deepEqual((await io.timeout(10_000).emitWithAck('q')).sort(), [0, 1]);
    assert.equal((await io.in('b').fetchSockets())[0], sockets[own]);
    io.in('c').disconnectSockets();
    await until('it is gone', () => io.sockets.adapter.sids.size === 1);
    assert.equal(io.sockets.adapter.rooms.has('c'), false);
    assert.deepEqual(told, [1, 2, 1, 2]);
  });
}

test('servers over Redis reach each other\'s sockets', async (t) => {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
  } catch {
    return t.skip('redis-server is not there');
  }
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  const redisServer = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => redisServer.kill());
  let log = '';
  redisServer.stdout.on('data', (text) => (log += text));
  await until('Redis is ready', () => log.includes('Ready to accept connections'));
  const { redis } = require('../lib/redis');
  const servers = [1, 2].map(() => serve(t, { adapter: redis({ url: `redis://127.0.0.1:${port}` }) }));
  const told = [];
  servers.forEach((io, at) => {
    io.on('connection', (socket) => socket.join('all'));
    io.on('hello', (what, answer) => {
      told.push(`${at} ${what}`);
      answer?.(at);
    });
  });
  const peers = servers.map((io) => connect(t, io, '/', { transports: ['websocket'] }));
  const seen = [];
  peers.forEach((peer, at) => peer.on('n', (n, bytes) => seen.push(`${at} ${n} ${bytes?.length ?? ''}`)));
  await Promise.all(peers.map((peer) => next(peer, 'connect')));
  await until('they know each other', async () => (await servers[0].fetchSockets()).length === 2);
  servers[0].to('all').emit('n', 1, Buffer.alloc(3));
  servers[1].local.emit('n', 2);
  await until('all is there', () => seen.length >= 3);
  assert.deepEqual(seen.sort(), ['0 1 3', '1 1 3', '1 2 ']);
  servers[0].serverSideEmit('hello', 'there');
  assert.deepEqual(await servers[0].serverSideEmitWithAck('hello', 'you'), [1]);
  assert.deepEqual(told, ['1 there', '1 you']);
  servers[0].in('all').socketsJoin('more');
  await until('both joined', async () => (await servers[1].in('more').allSockets()).size === 2);
  const gone = peers.map((peer) => next(peer, 'disconnect'));
  servers[0].in('more').disconnectSockets();
  await Promise.all(gone);
});
