// Ways in: beside a program's own HTTP, over TLS, by a unix socket, by a listener of the core's own.

'use strict';

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const os = require('node:os');
const path = require('node:path');
const test = require('node:test');
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { Server, Seed, serve, portOf, connect, connectSeed, next, until, ioc, once } = require('./support');

const get = async (url, options) => {
  const answer = await fetch(url, options);
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
};

async function listening(t, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return server.address().port;
}

test('beside a program\'s own requests, on the same port', async (t) => {
  const server = http.createServer((req, res) => res.end(`own ${req.url}`));
  const io = serve(t, {}, server);
  io.on('connection', (socket) => socket.on('echo', (value, answer) => answer(value)));
  const port = await listening(t, server);
  assert.equal((await get(`http://127.0.0.1:${port}/page`)).text, 'own /page');
  assert.equal((await get(`http://127.0.0.1:${port}/socket.iox/`)).text, 'own /socket.iox/');
  assert.equal((await get(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=none`)).status, 400);
  for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
    const peer = ioc(`http://127.0.0.1:${port}`, { transports, forceNew: true });
    t.after(() => peer.disconnect());
    assert.equal(await peer.emitWithAck('echo', 'x'), 'x');
    if (transports.length === 2) await until('it upgrades', () => peer.io.engine.transport.name === 'websocket');
    assert.equal(await peer.emitWithAck('echo', 'y'), 'y');
  }
  assert.equal((await get(`http://127.0.0.1:${port}/page`)).text, 'own /page');
});

test('a function is no server', () => {
  assert.throws(() => new Server(() => {}), /express request handler/);
});

test('over TLS the bytes go through JavaScript', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'socketio-rs-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name));
  try {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=localhost'], { stdio: 'ignore' });
  } catch {
    return t.skip('openssl is not there');
  }
  const server = https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) });
  const io = serve(t, {}, server);
  io.on('connection', (socket) => socket.on('echo', (value, answer) => answer(value, socket.handshake.secure)));
  const port = await listening(t, server);
  const peer = ioc(`https://localhost:${port}`, { transports: ['websocket'], rejectUnauthorized: false });
  t.after(() => peer.disconnect());
  const big = 'x'.repeat(700_000);
  const [back, secure] = await new Promise((resolve) => peer.emit('echo', big, (...all) => resolve(all)));
  assert.ok(back === big && secure);
  const over = new Promise((resolve) => io.sockets.sockets.values().next().value.on('disconnect', resolve));
  peer.disconnect();
  await over;
});

test('by a unix socket', async (t) => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'socketio-rs-')), 's');
  const server = http.createServer();
  const io = serve(t, {}, server);
  io.on('connection', (socket) => socket.emit('hello'));
  server.listen(file);
  await once(server, 'listening');
  const request = http.request({ socketPath: file, path: '/socket.io/?EIO=4&transport=websocket', headers: {
    Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  } });
  request.end();
  const [answer, stream, head] = await once(request, 'upgrade');
  t.after(() => stream.destroy());
  assert.equal(answer.statusCode, 101);
  assert.equal(answer.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  const open = head.length > 0 ? head : (await once(stream, 'data'))[0];
  assert.match(open.toString('latin1'), /"sid"/);
});

test('a listener of the core\'s own', async (t) => {
  const io = serve(t, { native: true, host: '127.0.0.1' });
  assert.equal((await get(`http://127.0.0.1:${portOf(io)}/other`)).status, 404);
  assert.throws(() => new Server(portOf(io), { native: true, host: '127.0.0.1' }), { code: 'EADDRINUSE' });
  assert.throws(() => new Server(0, { native: true, allowRequest: () => {} }), TypeError);
});

test('options that make no sense are refused at once', () => {
  assert.throws(() => new Server(0, { pingInterval: -1 }), RangeError);
  assert.throws(() => new Server(0, { maxHttpBufferSize: 0 }), RangeError);
  assert.throws(() => new Server(0, { maxHttpBufferSize: 'large' }), RangeError);
  assert.throws(() => new Server(0, { parser: 'none' }), TypeError);
  assert.throws(() => new Server(0, { slowConsumer: 'wait' }), TypeError);
});

test('options may come with attach, and a path of one\'s own', async (t) => {
  const server = http.createServer();
  const io = new Server({ pingTimeout: 6000 });
  io.attach(server, { pingInterval: 24000, path: '/own/' });
  t.after(() => io.close());
  assert.deepEqual([io.engine.opts.pingTimeout, io.engine.opts.pingInterval, io.path()], [6000, 24000, '/own']);
  const port = await listening(t, server);
  const open = await get(`http://127.0.0.1:${port}/own/?EIO=4&transport=polling`);
  const { pingTimeout, pingInterval } = JSON.parse(open.text.slice(1));
  assert.deepEqual([pingTimeout, pingInterval], [6000, 24000]);
});

test('allowRequest, middleware of the engine and its headers', async (t) => {
  const refusals = [];
  const io = serve(t, { allowRequest: (req, done) => setImmediate(done, req._query.no ? 'not you' : null, !req._query.no) });
  io.engine.use((req, res, go) => { res.setHeader('x-own', '1'); go(); });
  io.engine.on('initial_headers', (headers) => { headers['x-first'] = 'yes'; });
  io.engine.on('connection_error', ({ code, message, context }) => refusals.push([code, message, context.message]));
  const url = `http://localhost:${portOf(io)}/socket.io/?EIO=4&transport=polling`;
  const refused = await get(`${url}&no=1`);
  assert.deepEqual([refused.status, JSON.parse(refused.text)], [403, { code: 4, message: 'not you' }]);
  assert.deepEqual(refusals, [[4, 'Forbidden', 'not you']]);
  const open = await get(url);
  assert.deepEqual([open.status, open.headers.get('x-own'), open.headers.get('x-first')], [200, '1', 'yes']);
  const refusedSocket = connect(t, io, '/', { transports: ['websocket'], query: { no: 1 }, reconnection: false });
  await next(refusedSocket, 'connect_error');
  const peer = connect(t, io, '/', { transports: ['websocket'] });
  await next(peer, 'connect');
});

test('CORS by the option of 4.x', async (t) => {
  const io = serve(t, { cors: { origin: ['https://a.test', /\.b\.test$/], credentials: true, methods: ['GET', 'POST'], allowedHeaders: ['x-y'] } });
  const url = `http://localhost:${portOf(io)}/socket.io/?EIO=4&transport=polling`;
  const allowed = async (origin, options) => (await get(url, { headers: { origin }, ...options })).headers.get('access-control-allow-origin');
  assert.equal(await allowed('https://a.test'), 'https://a.test');
  assert.equal(await allowed('https://x.b.test'), 'https://x.b.test');
  assert.equal(await allowed('https://c.test'), null);
  const preflight = await get(url, { method: 'OPTIONS', headers: { origin: 'https://a.test' } });
  assert.equal(preflight.status, 204);
  const header = (name) => preflight.headers.get(`access-control-allow-${name}`);
  assert.deepEqual([header('methods'), header('headers'), header('credentials')], ['GET,POST', 'x-y', 'true']);
});

test('ids of connections by the program', async (t) => {
  const io = serve(t);
  let last = 0;
  io.engine.generateId = async () => `own-${++last}`;
  const seen = new Promise((resolve) => io.on('connection', (socket) => resolve(socket.client.id)));
  connect(t, io, '/', { transports: ['websocket'] });
  assert.equal(await seen, 'own-1');
  io.engine.generateId = () => { throw new Error('none'); };
  assert.equal((await get(`http://localhost:${portOf(io)}/socket.io/?EIO=4&transport=polling`)).status, 400);
});

test('a body that is too large is refused before it is kept', async (t) => {
  const io = serve(t, { maxHttpBufferSize: 1000 });
  const url = `http://localhost:${portOf(io)}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await get(url)).text.slice(1));
  const posted = await get(`${url}&sid=${sid}`, { method: 'POST', body: 'x'.repeat(1001) }).catch(() => ({ status: 'cut' }));
  assert.ok([413, 'cut'].includes(posted.status));
});

test('the connections of the engine can be watched', async (t) => {
  const io = serve(t);
  const told = [];
  io.engine.on('connection', (conn) => {
    told.push(`open ${conn.protocol} ${conn.transport.name}`);
    conn.on('upgrade', (transport) => told.push(`upgrade ${transport.name}`));
    conn.on('close', (reason) => told.push(`close ${reason}`));
  });
  const peer = connect(t, io);
  await until('it upgrades', () => told.length === 2);
  assert.equal(io.engine.clientsCount, 1);
  peer.disconnect();
  await until('it is over', () => told.length === 3);
  assert.deepEqual(told, ['open 4 polling', 'upgrade websocket', 'close transport close']);
});

test('clients of 2.x at a server of 4.x, if they are allowed', async (t) => {
  const io = serve(t, { allowEIO3: true });
  io.on('connection', (socket) => socket.emit('hello', socket.conn.protocol));
  assert.deepEqual(await next(connectSeed(t, io), 'hello'), [3]);
  const strict = serve(t);
  await next(connectSeed(t, strict, '/', { reconnection: false }), 'connect_error');
});

test('origins of 2.x, by a list and by a function', async (t) => {
  const server = http.createServer();
  const io = Seed(server, { origins: 'http://a.test:* b.test:80' });
  t.after(() => io.close());
  const port = await listening(t, server);
  const status = async (origin) => (await get(`http://127.0.0.1:${port}/socket.io/?EIO=3&transport=polling`, { headers: { origin } })).status;
  assert.deepEqual([await status('http://b.test'), await status('http://c.test')], [200, 403]);
  io.origins((origin, done) => done(null, origin === 'http://c.test'));
  assert.deepEqual([await status('http://b.test'), await status('http://c.test')], [403, 200]);
});
