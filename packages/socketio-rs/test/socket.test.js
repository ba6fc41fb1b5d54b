// Sockets: what they send, receive and acknowledge.

'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { serve, connect, next, until, aWhile } = require('./support');

const WAYS = [['polling'], ['websocket'], ['polling', 'websocket']];

for (const transports of WAYS) {
  for (const native of [false, true]) {
    test(`events, answers and bytes travel both ways (${transports}${native ? ', own listener' : ''})`, async (t) => {
      const io = serve(t, { native });
      io.on('connection', (socket) => {
        socket.on('sum', (a, b, answer) => answer(a + b, [a, { b }]));
        socket.on('bytes', (bytes, answer) => answer({ back: bytes, twice: Buffer.concat([bytes, bytes]) }));
        socket.emit('welcome', 'grüezi', { list: [1, null, true] }, Buffer.from([0, 255]), (reply) => socket.emit('heard', reply));
      });
      const peer = connect(t, io, '/', { transports });
      const welcomed = next(peer, 'welcome');
      const [text, object, bytes, answer] = await welcomed;
      assert.deepEqual([text, object, [...bytes]], ['grüezi', { list: [1, null, true] }, [0, 255]]);
      answer('yes');
      assert.deepEqual(await next(peer, 'heard'), ['yes']);
      const sum = await new Promise((resolve) => peer.emit('sum', 2, 3, (...all) => resolve(all)));
      assert.deepEqual(sum, [5, [2, { b: 3 }]]);
      const { back, twice } = await peer.emitWithAck('bytes', Buffer.from('ab'));
      assert.deepEqual([back.toString(), twice.toString()], ['ab', 'abab']);
    });
  }
}

test('events of one client come in order, and none is lost', async (t) => {
  const io = serve(t);
  const seen = [];
  io.on('connection', (socket) => socket.on('n', (n) => seen.push(n)));
  const peer = connect(t, io, '/', { transports: ['websocket'] });
  await next(peer, 'connect');
  for (let i = 0; i < 5000; i++) peer.emit('n', i);
  await until('all are there', () => seen.length === 5000);
  assert.deepEqual(seen, [...Array(5000).keys()]);
});

test('what is emitted in one turn arrives in order, also large and binary', async (t) => {
  const io = serve(t);
  const big = 'x'.repeat(200_000);
  io.on('connection', (socket) => {
    socket.emit('a', 1);
    socket.emit('a', 2, Buffer.alloc(100_000, 7));
    io.emit('a', 3, big);
    socket.send('a', 4);
    setTimeout(() => socket.emit('a', 5));
  });
  const peer = connect(t, io);
  const seen = [];
  peer.on('a', (n, what) => seen.push([n, what?.length]));
  peer.on('message', (_, n) => seen.push([n, undefined]));
  await until('all are there', () => seen.length === 5);
  assert.deepEqual(seen, [[1, undefined], [2, 100_000], [3, 200_000], [4, undefined], [5, undefined]]);
});

test('a value is sent as it was when it was emitted', async (t) => {
  const io = serve(t);
  io.on('connection', (socket) => {
    const value = { n: 1 };
    socket.emit('value', value);
    value.n = 2;
  });
  assert.deepEqual(await next(connect(t, io), 'value'), [{ n: 1 }]);
});

test('values come as JSON.parse makes them', async (t) => {
  const io = serve(t);
  io.on('connection', (socket) => socket.on('raw', (value, answer) => answer(JSON.stringify(value), typeof value.date)));
  const peer = connect(t, io);
  const value = { b: 1, a: [1.5, -0, 1e21, ''], 7: 'seven', deep: { x: { y: null } }, date: new Date(0) };
  const [json, kind] = await new Promise((resolve) => peer.emit('raw', value, (...all) => resolve(all)));
  assert.equal(json, JSON.stringify(value));
  assert.equal(kind, 'string');
});

test('typed arrays and ArrayBuffers are sent as bytes, toJSON is honoured', async (t) => {
  const io = serve(t);
  io.on('connection', (socket) => socket.emit('mixed', new Uint16Array([1]), new ArrayBuffer(3), { toJSON: () => 'short' }, [new Uint8Array([9])]));
  const [a, b, c, [d]] = await next(connect(t, io), 'mixed');
  assert.deepEqual([a.length, b.length, c, d[0]], [2, 3, 'short', 9]);
});

test('an answer is given once', async (t) => {
  const io = serve(t);
  io.on('connection', (socket) => socket.on('twice', (answer) => {
    answer(1);
    answer(2);
    socket.emit('after');
  }));
  const peer = connect(t, io);
  let answers = 0;
  peer.emit('twice', () => answers++);
  await next(peer, 'after');
  assert.equal(answers, 1);
});

test('an answer that does not come is an error when there is a time for it', async (t) => {
  const io = serve(t);
  const failed = new Promise((resolve) => io.on('connection', (socket) => {
    socket.timeout(20).emit('silence', (error) => resolve(error));
  }));
  connect(t, io);
  assert.match((await failed).message, /operation has timed out/);
});

test('promises of answers', async (t) => {
  const io = serve(t);
  const answered = new Promise((resolve) => io.on('connection', async (socket) => resolve([
    await socket.emitWithAck('double', 21),
    await socket.timeout(5000).emitWithAck('double', 4),
    await socket.timeout(10).emitWithAck('never').catch((error) => error.message),
  ])));
  connect(t, io).on('double', (n, answer) => answer(2 * n));
  assert.deepEqual(await answered, [42, 8, 'operation has timed out']);
});

test('names of the library cannot be emitted', async (t) => {
  const io = serve(t);
  const thrown = new Promise((resolve) => io.on('connection', (socket) => {
    for (const name of ['connect', 'disconnect', 'connect_error']) assert.throws(() => socket.emit(name), /is a reserved event name/);
    assert.throws(() => io.emit('connect'), /"connect" is a reserved event name/);
    resolve();
  }));
  connect(t, io);
  await thrown;
});

test('middleware of a socket passes, changes and refuses events', async (t) => {
  const io = serve(t);
  const errors = [];
  io.on('connection', (socket) => {
    socket.use((event, go) => (event[0] === 'bad' ? go(new Error('not this one')) : go()));
    socket.use((event, go) => { event[1] = `${event[1]}!`; setImmediate(go); });
    socket.on('error', (error) => errors.push(error.message));
    socket.on('good', (text, answer) => answer(text));
    socket.on('bad', () => errors.push('came'));
  });
  const peer = connect(t, io);
  peer.emit('bad', 1);
  assert.equal(await peer.emitWithAck('good', 'hi'), 'hi!');
  assert.deepEqual(errors, ['not this one']);
});

test('catch-all listeners see what comes and what goes', async (t) => {
  const io = serve(t);
  const seen = [];
  io.on('connection', (socket) => {
    socket.onAny((name, value) => seen.push(`in ${name} ${value}`));
    socket.prependAny((name) => seen.push(`first ${name}`));
    socket.onAnyOutgoing((name, value) => seen.push(`out ${name} ${value}`));
    socket.on('one', () => {
      socket.emit('two', 2);
      io.emit('three', 3);
    });
  });
  const peer = connect(t, io);
  peer.emit('one', 1);
  await next(peer, 'three');
  assert.deepEqual(seen, ['first one', 'in one 1', 'out two 2', 'out three 3']);
});

test('a volatile event behind another of the same turn is dropped, alone it arrives', async (t) => {
  const io = serve(t);
  io.on('connection', (socket) => {
    socket.on('go', () => {
      socket.emit('n', 1);
      socket.volatile.emit('n', 2);
      socket.emit('n', 3);
      setTimeout(() => socket.volatile.emit('n', 4), 100);
    });
  });
  const peer = connect(t, io, '/', { transports: ['websocket'] });
  const seen = [];
  peer.on('n', (n) => seen.push(n));
  await next(peer, 'connect');
  peer.emit('go');
  await until('the last one', () => seen.includes(4));
  assert.deepEqual(seen, [1, 3, 4]);
});

test('an error of a listener is the process\'s, and others go on', async (t) => {
  const io = serve(t);
  const errors = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => errors.push(error.message));
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    listeners.forEach((listener) => process.on('uncaughtException', listener));
  });
  io.on('connection', (socket) => {
    socket.on('throw', () => { throw new Error('mine'); });
    socket.on('echo', (value, answer) => answer(value));
  });
  const peer = connect(t, io, '/', { transports: ['websocket'] });
  peer.emit('throw');
  assert.equal(await peer.emitWithAck('echo', 1), 1);
  assert.deepEqual(errors, ['mine']);
});

test('what is no packet is an error of the sockets, and ends the connection alone', async (t) => {
  const io = serve(t);
  const told = [];
  io.on('connection', (socket) => {
    socket.on('error', (error) => told.push(error.message));
    socket.on('disconnect', (reason) => told.push(reason));
  });
  const witness = connect(t, io);
  const peer = connect(t, io, '/', { transports: ['websocket'], reconnection: false });
  await Promise.all([next(witness, 'connect'), next(peer, 'connect')]);
  peer.io.engine.write('5woooot');
  await until('it ended', () => told.length === 2);
  assert.match(told[0], /Illegal attachments/);
  assert.equal(told[1], 'forced close');
  await aWhile();
  assert.equal(witness.connected, true);
});

test('the handshake and the request of a socket', async (t) => {
  for (const options of [{}, { native: true }, { allowRequest: (req, done) => { req.mark = 'kept'; done(null, true); } }]) {
    const io = serve(t, options);
    const seen = new Promise((resolve) => io.on('connection', resolve));
    connect(t, io, '/', { query: { room: 'a b' }, auth: { token: 't' }, extraHeaders: { 'X-Test': 'yes' } });
    const socket = await seen;
    const { handshake, request } = socket;
    assert.equal(handshake.query.room, 'a b');
    assert.deepEqual(handshake.auth, { token: 't' });
    assert.equal(handshake.headers['x-test'], 'yes');
    assert.equal(handshake.secure, false);
    assert.match(handshake.url, /^\/socket\.io\/\?/);
    assert.match(handshake.address, /127\.0\.0\.1|::1/);
    assert.ok(Math.abs(Date.now() - handshake.issued) < 60_000);
    assert.equal(request.headers['x-test'], 'yes');
    assert.equal(request._query.room, 'a b');
    assert.equal(socket.client.request, request);
    assert.equal(request.mark, options.allowRequest ? 'kept' : undefined);
    assert.equal(socket.conn, socket.client.conn);
    assert.match(socket.conn.transport.name, /polling|websocket/);
  }
});
