'use strict';
// The fixture of fixture-spec.md on Node: engine.io 6.6.13 and socket.io 4.8.4, HTTP/3 by quic.py.
const http = require('http');
const path = require('path');
const engine = require('engine.io');
const { Server } = require('socket.io');
const { Quic, serverSession } = require('../lib/quic');

const args = {};
for (let i = 2; i < process.argv.length; i += 2) args[process.argv[i].slice(2)] = process.argv[i + 1];
const port = Number(args.port);
const base = { transports: ['polling', 'websocket', 'webtransport'], pingInterval: 25000, pingTimeout: 20000, upgradeTimeout: 1000, maxHttpBufferSize: 1e6 };
const PROFILES = {
  'wt-engine': {},
  'wt-engine-fast': { pingInterval: 300, pingTimeout: 200, upgradeTimeout: 300 },
  'wt-engine-small': { maxHttpBufferSize: 1000 },
  'wt-engine-off': { transports: ['polling', 'websocket'] },
  'wt-engine-only': { transports: ['webtransport'] },
  'wt-engine-noup': { allowUpgrades: false },
  wt: {},
  'wt-fast': { pingInterval: 300, pingTimeout: 1500 },
  'wt-large': { maxHttpBufferSize: 2e6 },
  'wt-cors': {},
  'wt-guard': null,
};
if (!(args.profile in PROFILES)) process.exit(2);
if (PROFILES[args.profile] === null) process.exit(3);
const options = { ...base, ...PROFILES[args.profile] };

let n = 0;
const events = [];
const note = (e) => events.push({ n: ++n, ...e });
const web = http.createServer((req, res) => {
  const u = new URL(req.url, 'http://x');
  const json = (x) => { res.setHeader('content-type', 'application/json'); res.end(JSON.stringify(x)); };
  if (u.pathname === '/stats') return json({ sessions: eio.clientsCount, pid: process.pid });
  if (u.pathname === '/events') return json(events.filter((e) => e.n > Number(u.searchParams.get('after') || 0)));
  if (u.pathname === '/do') {
    let body = '';
    req.on('data', (d) => { body += d; });
    req.on('end', () => {
      const c = JSON.parse(body);
      const s = eio.clients[c.conn];
      if (!s) return json({ found: false });
      if (c.op === 'close') s.close();
      if (c.op === 'send') for (let i = 0; i < c.count; i++) s.send(c.binary ? Buffer.alloc(c.size, i) : 'x'.repeat(c.size));
      json({ found: true });
    });
    return;
  }
  res.statusCode = 404;
  res.end('outside');
});

let eio;
let pathname;
if (args.profile.startsWith('wt-engine')) {
  pathname = '/engine.io/';
  eio = new engine.Server(options);
  eio.on('connection', (s) => {
    note({ ev: 'connection', conn: s.id, transport: s.transport.name });
    s.on('message', (m) => s.send(m));
    s.on('upgrade', (t) => note({ ev: 'upgrade', conn: s.id, transport: t.name }));
    s.on('close', (reason) => note({ ev: 'disconnect', conn: s.id, reason }));
  });
  eio.attach(web);
} else {
  pathname = '/socket.io/';
  if (args.profile === 'wt-cors') options.cors = { origin: true, credentials: true };
  const io = new Server(web, options);
  eio = io.engine;
  if (args.profile !== 'wt-cors') {
    // Not by the option `cors`: with it the reference refuses WebTransport.
    const [ours] = web.listeners('request');
    web.removeAllListeners('request');
    web.on('request', (req, res) => {
      if (req.headers.origin) { res.setHeader('access-control-allow-origin', req.headers.origin); res.setHeader('access-control-allow-credentials', 'true'); }
      ours.call(web, req, res);
    });
  }
  io.use((socket, next) => next(socket.handshake.auth.token === 'bad' ? new Error('no') : undefined));
  io.on('connection', (socket) => {
    note({ ev: 'connection', conn: socket.conn.id, id: socket.id, transport: socket.conn.transport.name });
    socket.conn.on('upgrade', (t) => note({ ev: 'upgrade', conn: socket.conn.id, transport: t.name }));
    socket.on('echo', (...a) => socket.emit('echo', ...a));
    socket.on('echo-ack', (...a) => a.pop()(...a));
    socket.on('bcast', (...a) => io.emit('bcast', ...a));
    socket.on('many', (k) => { for (let i = 0; i < k; i++) socket.emit('seq', i); });
    socket.on('kick', (close) => socket.disconnect(close));
    socket.on('whoami', (ack) => ack({ id: socket.id, conn: socket.conn.id, transport: socket.conn.transport.name, auth: socket.handshake.auth, origin: socket.handshake.headers.origin || null, address: socket.handshake.address || null }));
    socket.on('disconnect', (reason) => note({ ev: 'disconnect', conn: socket.conn.id, id: socket.id, reason }));
  });
}

const quic = new Quic();
quic.on('any', (e) => {
  if (e.ev !== 'request') return;
  const h = e.headers;
  const ok = h[':method'] === 'CONNECT' && h[':protocol'] === 'webtransport' && (h[':path'] || '').split('?')[0] === pathname;
  quic.say({ op: 'respond', c: e.c, st: e.st, headers: [[':status', ok ? '200' : '404'], ...(ok ? [['sec-webtransport-http3-draft', 'draft02']] : [])], fin: !ok });
  if (ok) eio.onWebTransportSession(serverSession(quic, e.c, e.st, h));
});
web.listen(port, '127.0.0.1', async () => {
  await quic.ask({ op: 'listen', port, cert: path.resolve(args.cert), key: path.resolve(args.key) });
  console.log('listening ' + port);
});
process.on('SIGTERM', () => { quic.end(); process.exit(0); });
process.on('unhandledRejection', (e) => { if (process.env.WT_LOUD) console.error('rejection', e); });
