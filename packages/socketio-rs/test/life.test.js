// JavaScript that does not come back, worker threads that end, clients that come back.

'use strict';

const path = require('node:path');
const test = require('node:test');
const assert = require('node:assert/strict');
const { Worker } = require('node:worker_threads');
const { serve, connect, next, until, once, ioc } = require('./support');

const main = path.join(__dirname, '..');
const client = path.join(__dirname, '../../../conformance/node_modules/sioc-4.8.4');

/** A server in a thread of its own, so that it alone is blocked. */
async function apart(t, options) {
  const program = `
    const { parentPort } = require('node:worker_threads');
    const { Server } = require(${JSON.stringify(main)});
    const io = new Server(0, ${JSON.stringify(options)});
    let count = 0;
    io.on('connection', (socket) => {
      socket.on('data', () => count++);
      socket.on('disconnect', (reason) => parentPort.postMessage({ lost: reason }));
    });
    parentPort.on('message', (ms) => {
      const until = Date.now() + ms;
      while (Date.now() < until);
      parentPort.postMessage({ waiting: io._wire.ask('waiting') });
      setInterval(() => parentPort.postMessage({ count }), 50);
    });
    parentPort.postMessage({ port: io.address().port });
  `;
  const worker = new Worker(program, { eval: true });
  t.after(() => worker.terminate());
  const told = {};
  worker.on('message', (message) => Object.assign(told, message));
  await until('it listens', () => told.port);
  const peers = [...Array(5)].map(() => ioc(`http://localhost:${told.port}`, { forceNew: true, transports: ['websocket'], reconnection: false }));
  t.after(() => peers.forEach((peer) => peer.disconnect()));
  await Promise.all(peers.map((peer) => next(peer, 'connect')));
  return { worker, told, peers };
}

test('while JavaScript is blocked no client is lost', async (t) => {
  const { worker, told, peers } = await apart(t, { pingInterval: 300, pingTimeout: 1500 });
  worker.postMessage(4000);
  for (const peer of peers) for (let i = 0; i < 10; i++) peer.emit('data', i);
  await until('all arrived', () => told.count === 50);
  assert.equal(told.lost, undefined);
});

test('what waits for JavaScript is bounded, and nothing is lost', async (t) => {
  const { worker, told, peers } = await apart(t, { maxInboundBatch: 256 * 1024 });
  worker.postMessage(1500);
  const text = 'x'.repeat(1000);
  for (const peer of peers) for (let i = 0; i < 1000; i++) peer.emit('data', text);
  await until('all arrived', () => told.count === 5000);
  assert.equal(told.lost, undefined);
  // one read of each connection may be on its way beyond the bound
  assert.ok(told.waiting > 200 * 1024 && told.waiting < (256 + 5 * 200) * 1024, `${told.waiting} bytes waited`);
});

test('worker threads end under traffic, and the process lives on', async (t) => {
  const program = `
    const { parentPort } = require('node:worker_threads');
    const { Server } = require(${JSON.stringify(main)});
    const { io: ioc } = require(${JSON.stringify(client)});
    const io = new Server(0, { native: Math.random() < 0.5 });
    io.on('connection', (socket) => socket.on('ping', (x, answer) => { answer(x); io.emit('all', Buffer.alloc(20000)); }));
    for (let i = 0; i < 3; i++) {
      const peer = ioc('http://localhost:' + io.address().port, { forceNew: true, transports: ['websocket'] });
      const go = () => peer.emit('ping', 1, go);
      peer.on('connect', () => { go(); parentPort.postMessage('busy'); });
    }
  `;
  for (let round = 0; round < 6; round++) {
    const worker = new Worker(program, { eval: true });
    await once(worker, 'message');
    await new Promise((resolve) => setTimeout(resolve, 50 + 20 * round));
    await worker.terminate();
  }
  const io = serve(t);
  io.on('connection', (socket) => socket.emit('alive'));
  await next(connect(t, io), 'alive');
});

test('clients come back to their sessions, with rooms, data and what they missed', async (t) => {
  const io = serve(t, { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } });
  const sockets = [];
  io.on('connection', (socket) => {
    sockets.push(socket);
    if (socket.recovered) return;
    socket.join('r');
    socket.data.name = 'ann';
    socket.emit('first');
  });
  const peer = connect(t, io, '/', { transports: ['websocket'], reconnectionDelay: 300 });
  const seen = [];
  peer.on('news', (what, bytes) => seen.push([what, Buffer.isBuffer(bytes) ? bytes.length : undefined]));
  await next(peer, 'first');
  const gone = new Promise((resolve) => sockets[0].on('disconnect', resolve));
  peer.io.engine.close();
  await gone;
  io.to('r').emit('news', 1);
  io.emit('news', 2, Buffer.alloc(3));
  await until('it is back', () => seen.length === 2);
  assert.deepEqual(seen, [[1, undefined], [2, 3]]);
  assert.equal(peer.recovered, true);
  const [before, after] = sockets;
  assert.deepEqual([after.id, after.recovered, after.data.name, after.rooms.has('r')], [before.id, true, 'ann', true]);
});

test('two servers in one process know nothing of each other', async (t) => {
  const [one, two] = [serve(t), serve(t)];
  one.on('connection', (socket) => socket.emit('who', 1));
  two.on('connection', (socket) => socket.emit('who', 2));
  assert.deepEqual(await Promise.all([next(connect(t, one), 'who'), next(connect(t, two), 'who')]), [[1], [2]]);
});
