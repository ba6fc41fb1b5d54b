'use strict';
// The stand-in: the fixture of the conformance suite on Node's server 4.8.4 with the relay's rules around its engine (../README.md, "The rules that
// are tested"). It is there to show that the cases can pass. MUTANT=NAME breaks one rule, to show that they can fail (mutants.js).
// It has no hold, and Node's engine is what it is (../known-differences.json).
const crypto = require('crypto');
const http = require('http');
const net = require('net');
const path = require('path');
const Module = require('module');

const take = (name) => { const i = process.argv.indexOf('--' + name); return i < 0 ? undefined : process.argv.splice(i, 2)[1]; };
const [listenAt, nodesText, secret, hold, redisUrl, key, maxRelayed] = ['nodes-listen', 'nodes', 'nodes-secret', 'hold', 'redis', 'key', 'max-relayed'].map(take);
const mutant = process.env.MUTANT || '';
const at = process.argv.indexOf('--profile');
const profile = process.argv[at + 1];
if (profile === 'nosticky') process.argv[at + 1] = 'default';
const fail = (why) => { console.error(why); process.exit(1); };
if (hold !== undefined) process.exit(3);

// ---------------------------------------------------------------- who is there
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const nodes = new Map(); // tag -> address, the others only
let tag = crypto.randomBytes(3).toString('base64url');
if (nodesText && nodesText.startsWith('fixed:')) {
  const seen = new Set();
  let own = null;
  for (const [name, address] of nodesText.slice(6).split(',').map((x) => x.split('='))) {
    if (seen.has(name)) fail(`two nodes are named ${name}`);
    seen.add(name);
    if (address === listenAt) own = name; else nodes.set(name, address);
  }
  if (!own) fail('no node of the list has the address ' + listenAt);
  tag = own;
}
if (listenAt && !secret && !/^(127\.|localhost:|\[::1\])/.test(listenAt)) fail('a nodes\' listener on ' + listenAt + ' needs a secret (--nodes-secret)');

// ---------------------------------------------------------------- the fixture, caught while it starts
const fixture = process.env.SIO_FIXTURE || path.join(__dirname, '..', '..', 'reference', 'server.js');
process.env.SIO_REF = '4.8.4';
const lib = require('sios-4.8.4');
const Original = lib.Server;
let io, server, adapter;
let ready = Promise.resolve();
if (redisUrl) {
  const Redis = require('ioredis');
  const { createAdapter } = require('@socket.io/redis-adapter');
  const pub = new Redis(redisUrl);
  const sub = pub.duplicate();
  adapter = createAdapter(pub, sub, { key: key || 'socket.io', requestsTimeout: 1000 });
  ready = new Promise((r) => setImmediate(r)).then(() => Promise.all([pub.ping(), sub.ping()])); // after the subscriptions
}
lib.Server = class extends Original { constructor(opts) { super(Object.assign({}, opts, adapter && { adapter })); io = this; } };
const load = Module._load;
Module._load = function (name, ...rest) { if (name === 'sios-4.8.4') return lib; if (/^msgpack-parser/.test(name)) return load.call(this, name, module, false); return load.call(this, name, ...rest); };
const create = http.createServer;
http.createServer = (...args) => {
  server = create(...args);
  const listen = server.listen;
  server.listen = (...a) => { ready.then(() => listen.apply(server, a)); return server; };
  return server;
};
require(fixture);
Module._load = load;
http.createServer = create;

const engine = io.engine;
if (profile !== 'custom-id') engine.generateId = () => tag + crypto.randomBytes(12).toString('base64url');
const base = io.path().replace(/\/$/, '') + '/';

// ---------------------------------------------------------------- counts and the additions of the profile
const count = { relayed: { in: 0, out: 0 }, open: { in: 0, out: 0 }, unknown: { malformed: 0, gone: 0, unknown_node: 0, owner_unreachable: 0 }, refused_nodes: 0 };
let draining = false;
if (profile === 'nosticky') {
  const seen = new Map();
  io.on('connection', (s) => {
    io.of('/monitor').emit('report', { ev: 'connected', label: s.handshake.query.label, nsp: '/', node: tag, sid: s.client.conn.id, protocol: s.client.conn.protocol, transport: s.conn.transport.name });
    s.on('node', (ack) => ack(tag));
    s.on('internal', (ack) => ack(Object.keys(s.handshake.headers).filter((h) => h.startsWith('x-sio-')).sort()));
    s.on('note', (label, value) => { seen.set(label, [...(seen.get(label) || []), value]); });
    s.on('notes', (label, ack) => ack(seen.get(label) || []));
  });
}
function extra(req, res) {
  const url = new URL(req.url, 'http://x');
  if (url.pathname === '/nosticky/stats') { res.setHeader('content-type', 'application/json'); res.end(JSON.stringify(Object.assign({ tag, nodes: [...nodes.keys()], sessions: engine.clientsCount, draining }, count))); return true; }
  if (url.pathname === '/nosticky/drain') {
    draining = true;
    const over = Number(url.searchParams.get('over'));
    for (const c of Object.values(engine.clients)) setTimeout(() => c.close(), over * Math.random());
    res.end();
    return true;
  }
  return false;
}

// ---------------------------------------------------------------- the relay
const HOP = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'proxy-connection', 'content-length']);
const INTERNAL = ['x-sio-node', 'x-sio-peer', 'x-sio-secure'];
const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 64 });
const local = { request: server.listeners('request').slice(), upgrade: server.listeners('upgrade').slice() };
const serve = (kind, ...args) => { for (const l of local[kind]) l.apply(server, args); };

// The address of the node that has the session, or null: answered here.
function elsewhere(req) {
  if (!req.url.startsWith(base) || req.method === 'OPTIONS') return null;
  const query = new URLSearchParams(req.url.slice(req.url.indexOf('?')));
  const sid = query.get('sid');
  if (!sid || !['polling', 'websocket'].includes(query.get('transport')) || engine.clients[sid]) return null;
  if (sid.length !== 20) { count.unknown.malformed++; return null; }
  if (sid.startsWith(tag)) { count.unknown.gone++; return null; }
  const address = nodes.get(sid.slice(0, 4));
  if (mutant === 'no-relay') return null;
  if (!address) {
    count.unknown.unknown_node++;
    if (mutant === 'broadcast' && nodes.size) return [...nodes.values()][0];
    return null;
  }
  return address;
}
function headersFor(req, upgrade) {
  const out = [];
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    const name = req.rawHeaders[i].toLowerCase();
    if (INTERNAL.includes(name) && mutant !== 'keep-internal') continue;
    if (mutant === 'lose-headers' && ['accept-encoding', 'origin', 'cookie'].includes(name)) continue;
    if (HOP.has(name) && !(upgrade && (name === 'connection' || name === 'upgrade'))) continue;
    out.push(req.rawHeaders[i], req.rawHeaders[i + 1]);
  }
  if (req.headers['content-length'] !== undefined) out.push('content-length', req.headers['content-length']);
  else if (req.headers['transfer-encoding'] !== undefined) out.push('transfer-encoding', 'chunked');
  if (secret) out.push('x-sio-node', secret);
  out.push('x-sio-peer', req.socket.remoteAddress.replace('::ffff:', ''), 'x-sio-secure', req.socket.encrypted ? '1' : '0');
  return out;
}
const hostOf = (address) => { const i = address.lastIndexOf(':'); return { host: address.slice(0, i), port: Number(address.slice(i + 1)) }; };
const full = () => maxRelayed !== undefined && count.open.out >= Number(maxRelayed) && mutant !== 'unbounded';

function relay(req, res, address) {
  if (full()) { res.writeHead(503, { 'Retry-After': '1' }); return res.end(); }
  count.relayed.out++; count.open.out++;
  const begin = (body) => {
    let answered = false, over = false;
    const done = () => { if (!over) { over = true; count.open.out--; } };
    const up = http.request(Object.assign(hostOf(address), { method: req.method, path: mutant === 'rewrite-query' ? req.url.split('?')[0] + '?' + new URLSearchParams(req.url.split('?')[1]) : req.url, headers: headersFor(req), setHost: false, agent }));
    let timer;
    up.on('socket', (s) => { if (s.connecting && mutant !== 'no-connect-limit') { timer = setTimeout(() => up.destroy(new Error('connect')), 1000); s.once('connect', () => clearTimeout(timer)); } });
    if (mutant === 'own-timeout') up.setTimeout(1500, () => up.destroy(new Error('timeout')));
    up.on('response', (r) => {
      answered = true;
      if (mutant === 'repeat-post') req.again = 9;
      if (r.statusCode === 403 && r.headers['x-sio-refused'] && mutant !== 'pass-403') { r.resume(); count.unknown.owner_unreachable++; return serve('request', req, res); }
      if (res.headersSent) return r.resume();
      res.sendDate = false;
      const head = [];
      for (let i = 0; i < r.rawHeaders.length; i += 2) if (!['connection', 'keep-alive'].includes(r.rawHeaders[i].toLowerCase())) head.push(r.rawHeaders[i], r.rawHeaders[i + 1]);
      res.writeHead(r.statusCode, r.statusMessage, head);
      r.pipe(res);
      r.on('close', () => { done(); if (!r.complete) res.destroy(); });
    });
    up.on('error', () => {
      clearTimeout(timer); done();
      if (answered) return res.destroy();
      if (res.destroyed || res.headersSent) return;
      if (mutant === 'repeat-post' && (req.again = (req.again || 0) + 1) < 3) return begin(body || Buffer.concat(req.kept || []));
      count.unknown.owner_unreachable++;
      if (mutant === 'hang') return;
      serve('request', req, res);
    });
    if (mutant !== 'leak') res.on('close', () => { if (!res.writableFinished) { up.destroy(); done(); } });
    if (mutant === 'repeat-post' && !body) { req.kept = []; req.on('data', (d) => req.kept.push(d)); }
    if (body) up.end(body); else req.pipe(up);
  };
  if (mutant === 'buffer' && req.method === 'POST') { const all = []; req.on('data', (d) => all.push(d)); return void req.on('end', () => begin(Buffer.concat(all))); }
  if (mutant === 'reorder' && req.method === 'POST') {
    const all = [];
    req.on('data', (d) => all.push(d));
    return void req.on('end', () => {
      res.writeHead(200, { 'content-type': 'text/html' }); res.end('ok');
      setTimeout(() => { const fake = Object.assign(Object.create(req), {}); const up = http.request(Object.assign(hostOf(address), { method: 'POST', path: req.url, headers: headersFor(fake), setHost: false, agent }), (r) => r.resume()); up.on('error', () => {}); up.end(Buffer.concat(all)); count.open.out--; }, Math.random() * 40);
    });
  }
  begin(null);
}

function relayUpgrade(req, c, head, address) {
  if (full()) return c.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  count.relayed.out++; count.open.out++;
  let over = false, connected = false;
  const done = () => { if (!over) { over = true; count.open.out--; } };
  const up = net.connect(Object.assign(hostOf(address), { allowHalfOpen: true }));
  const timer = setTimeout(() => { if (mutant !== 'no-connect-limit') up.destroy(new Error('connect')); }, 1000);
  up.setNoDelay(true); c.setNoDelay(true); c.setTimeout(0);
  c.on('error', () => up.destroy());
  up.on('error', () => { clearTimeout(timer); done(); if (connected) c.destroy(); else { count.unknown.owner_unreachable++; serve('upgrade', req, c, head); } });
  up.on('connect', () => {
    connected = true;
    clearTimeout(timer);
    const h = headersFor(req, true);
    let text = `${req.method} ${req.url} HTTP/1.1\r\n`;
    for (let i = 0; i < h.length; i += 2) text += h[i] + ': ' + h[i + 1] + '\r\n';
    up.write(Buffer.concat([Buffer.from(text + '\r\n', 'latin1'), head]));
    if (mutant === 'corrupt') { let n = 0; up.on('data', (d) => c.write(++n % 15 === 0 ? d.subarray(0, -1) : d)); } else up.pipe(c);
    c.pipe(up);
    up.on('close', () => { done(); if (!up.readableEnded) c.destroy(); else c.end(); });
    if (mutant !== 'leak') c.on('close', () => { if (!c.readableEnded) up.destroy(); else up.end(); });
  });
}

server.removeAllListeners('request');
server.removeAllListeners('upgrade');
const strip = (req) => { if (mutant === 'trust-internal') { if (req.headers['x-sio-peer']) Object.defineProperty(req.socket, 'remoteAddress', { value: req.headers['x-sio-peer'], configurable: true }); return; } for (const h of INTERNAL) delete req.headers[h]; };
const refusesNew = (req) => draining && req.url.startsWith(base) && !/[?&]sid=/.test(req.url) && req.url.includes('transport=');
server.on('request', (req, res) => {
  if (profile === 'nosticky' && extra(req, res)) return;
  strip(req);
  if (refusesNew(req) || (draining && mutant === 'drain-stops-relay' && elsewhere(req))) { res.writeHead(503, { 'Retry-After': '1' }); return res.end('{"message":"Server is draining"}'); }
  const address = elsewhere(req);
  if (address) relay(req, res, address); else serve('request', req, res);
});
if (local.upgrade.length) server.on('upgrade', (req, c, head) => {
  strip(req);
  if (refusesNew(req)) return c.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  const address = elsewhere(req);
  if (address) relayUpgrade(req, c, head, address); else serve('upgrade', req, c, head);
});

// ---------------------------------------------------------------- the nodes' listener
if (listenAt) {
  const right = (req) => {
    if (!secret || mutant === 'open-listener') return true;
    const given = Buffer.from(req.headers['x-sio-node'] || '');
    const want = Buffer.from(secret);
    return mutant === 'prefix-secret' ? want.toString().startsWith(given.toString()) && given.length > 0 : given.length === want.length && crypto.timingSafeEqual(given, want);
  };
  const mine = (req) => { const sid = new URLSearchParams(req.url.slice(req.url.indexOf('?'))).get('sid'); return req.url.startsWith(base) && sid && engine.clients[sid]; };
  const refuse = () => { count.refused_nodes++; };
  const inner = create((req, res) => {
    if (!right(req)) { refuse(); res.writeHead(403, { 'x-sio-refused': '1' }); return res.end(); }
    if (mutant === 'two-hops' && elsewhere(req)) return relay(req, res, elsewhere(req));
    if (!mine(req) && mutant !== 'open-listener') { res.writeHead(400, { 'content-type': 'application/json' }); return res.end('{"code":1,"message":"Session ID unknown"}'); }
    count.relayed.in++; count.open.in++;
    res.on('close', () => count.open.in--);
    strip(req);
    serve('request', req, res);
  });
  inner.on('upgrade', (req, c, head) => {
    const no = right(req) ? (mine(req) || mutant === 'open-listener' ? null : '400 Bad Request') : '403 Forbidden';
    if (no) { if (no[0] === '4' && no[2] === '3') refuse(); return c.end(`HTTP/1.1 ${no}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`); }
    count.relayed.in++; count.open.in++;
    c.on('close', () => count.open.in--);
    strip(req);
    serve('upgrade', req, c, head);
  });
  inner.keepAliveTimeout = 60000; inner.headersTimeout = 61000; inner.requestTimeout = 0;
  const { host, port } = hostOf(listenAt);
  inner.listen(port, host);

  // ---------------------------------------------------------------- announcements over Redis
  if (nodesText === 'redis') {
    const Redis = require('ioredis');
    const channel = (key || 'socket.io') + '-nodes#';
    const pub = new Redis(redisUrl), sub = pub.duplicate();
    const say = (more) => pub.publish(channel, JSON.stringify(Object.assign({ tag, address: listenAt }, more)));
    sub.subscribe(channel).then(() => say({ asks: true }));
    sub.on('message', (_, text) => {
      const m = JSON.parse(text);
      if (m.tag === tag) return;
      if (m.bye) return nodes.delete(m.tag);
      nodes.set(m.tag, m.address);
      if (m.asks) say({});
    });
    setInterval(() => say({}), 5000).unref();
    process.removeAllListeners('SIGTERM');
    process.on('SIGTERM', async () => { await Promise.race([say({ bye: true }), sleep(300)]); process.exit(0); });
  }
}
