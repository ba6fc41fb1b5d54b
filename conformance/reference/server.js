'use strict';
// The fixture server of fixture-spec.md, on the Node reference implementation.
// SIO_REF = 2.0.4 (default) | 2.5.1 | 4.8.4 | socketio-rs, our own core under the API of 2.x (packages/socketio-rs)
const http = require('http');
const ref = process.env.SIO_REF || '2.0.4';

const arg = (name) => { const i = process.argv.indexOf('--' + name); return i < 0 ? undefined : process.argv[i + 1]; };
const port = Number(arg('port'));
const profile = arg('profile') || 'default';
const rs = ref === 'socketio-rs';
// what 2.x does not have is tried under the API of 4.x
const v4 = ref.startsWith('4') || (rs && profile.startsWith('recovery'));
const lib = require(rs ? '../../packages/socketio-rs/lib/' + (v4 ? 'index.js' : 'v2.js') : 'sios-' + ref);
const Server = v4 ? lib.Server : lib;

// ---------------------------------------------------------------- profiles
const base = { pingInterval: 25000, pingTimeout: 60000, cookie: v4 ? { name: 'io' } : 'io' };
if (v4) Object.assign(base, { allowEIO3: true, cors: { origin: (o, cb) => cb(null, o || '*'), credentials: true }, maxHttpBufferSize: 1e8 });
const listOrigins = 'allowed.test:* secure.test:443 plain.test:80 *:9090';
const profiles = {
  'default': {},
  'custom-path': { path: '/my/own/path/' },
  'no-serve-client': { serveClient: false },
  'origins': { origins: listOrigins },
  'origins-fn': { origins: (origin, cb) => (origin === 'http://ok.test' ? cb(null, true) : origin === 'http://msg.test' ? cb('origin refused', false) : cb(null, false)) },
  'allow-request': {
    allowRequest: (req, fn) => {
      const q = new URL(req.url, 'http://x').searchParams.get('deny');
      if (q === null) return fn(null, true);
      if (/^\d+$/.test(q)) return fn(Number(q), false);
      return q === '' ? fn(null, false) : fn(q, false);
    },
  },
  'msgpack': { parser: rs ? 'msgpack' : require(v4 ? 'msgpack-parser-3' : 'msgpack-parser-2') },
  'recovery': {},
  'recovery-mw': {},
  'recovery-ping': { pingInterval: 300, pingTimeout: 500 },
  'recovery-small': {},
  'recovery-identity': {},
  'short-ping': { pingInterval: 300, pingTimeout: 1500 },
  'short-upgrade': { upgradeTimeout: 300 },
  'small-buffer': { maxHttpBufferSize: 2000 },
  'websocket-only': { transports: ['websocket'] },
  'polling-only': { transports: ['polling'] },
  'no-upgrades': { allowUpgrades: false },
  'custom-id': {},
  'no-cookie': { cookie: false },
  'named-cookie': { cookie: v4 ? { name: 'my-sid', path: '/sock', httpOnly: true } : 'my-sid', cookiePath: '/sock' },
  'deflate': { perMessageDeflate: { threshold: 1024 }, httpCompression: { threshold: 1024 } },
  'no-deflate': { perMessageDeflate: false, httpCompression: false },
  'root-mw': {},
  'closable': {},
  'receipts': {},
  'receipts-ping': { pingInterval: 400, pingTimeout: 600 },
  ...(rs && { 'short-polls': { maxPacketsPerPoll: 16 } }),
};
if (!(profile in profiles)) { console.error('unknown profile ' + profile); process.exit(2); }
const opts = Object.assign({}, base, profiles[profile]);
const recovering = profile.startsWith('recovery');
if (recovering && !v4 || ['recovery-small', 'recovery-identity'].includes(profile)) { console.error('profile not available on ' + ref); process.exit(3); }
if (recovering) opts.connectionStateRecovery = { maxDisconnectionDuration: 2000, skipMiddlewares: profile !== 'recovery-mw' };
const receipting = profile.startsWith('receipts');
if (receipting && !v4 || receipting && rs) { console.error('profile not available on ' + ref); process.exit(3); }
if (v4 && opts.origins) { console.error('profile not available on ' + ref); process.exit(3); }

const httpServer = http.createServer((req, res) => { res.writeHead(404); res.end('outside'); });
// attached at the end: in 2.0.x a namespace.use() of any namespace after attach() loses the CONNECT packet of '/'
const io = new Server(opts);

// ---------------------------------------------------------------- helpers (the 2.x and 4.x APIs side by side)
const list = (target, cb) => (v4 ? target.allSockets().then((s) => cb([...s].sort())) : target.clients((err, ids) => cb(ids.slice().sort())));
const roomsOf = (s) => (v4 ? [...s.rooms] : Object.keys(s.rooms)).map((r) => (r === s.id ? '<id>' : r)).sort();
const connectedIds = (nsp) => (v4 ? [...nsp.sockets.keys()] : Object.keys(nsp.connected));
const join = (s, r, cb) => (v4 ? (s.join(r), cb()) : s.join(r, cb));
const leave = (s, r, cb) => (v4 ? (s.leave(r), cb()) : s.leave(r, cb));
const monitor = io.of('/monitor');
const labelOf = (s) => s.handshake.query.label;
const report = (what) => monitor.emit('report', what);

// ---------------------------------------------------------------- the common behaviour of every socket
function common(nsp, socket) {
  const label = labelOf(socket);
  socket.on('disconnecting', (reason) => report({ ev: 'disconnecting', label, nsp: nsp.name, reason, rooms: roomsOf(socket) }));
  socket.on('disconnect', (reason) => report({ ev: 'disconnect', label, nsp: nsp.name, reason, rooms: roomsOf(socket) }));
  socket.on('error', (err) => report({ ev: 'error', label, nsp: nsp.name, message: String((err && err.message) || err) }));

  // echo and acks
  socket.on('echo', (...args) => socket.emit('echo', ...args));
  socket.on('7', (...args) => socket.emit('seven', ...args));
  socket.on('echo-ack', (...args) => { const ack = args.pop(); ack(...args); });
  socket.on('ack-twice', (x, ack) => { ack('first', x); ack('second', x); socket.emit('acked-twice'); });
  socket.on('ack-later', (ms, ack) => setTimeout(() => ack('late'), ms));
  socket.on('types', (...args) => { const ack = args.pop(); ack(args.map((a) => (Buffer.isBuffer(a) ? 'binary:' + a.length : a === null ? 'null' : Array.isArray(a) ? 'array:' + a.length : typeof a))); });
  socket.on('ask', (event, ...args) => socket.emit(event, ...args, (...answer) => socket.emit('answer', ...answer)));
  socket.on('send-me', (...args) => socket.send(...args));
  socket.on('message', (...args) => {
    const last = args[args.length - 1];
    if (typeof last === 'function') last('got', ...args.slice(0, -1));
    else socket.emit('message-seen', ...args);
  });
  socket.on('emit-many', (n) => { for (let i = 0; i < n; i++) socket.emit('seq', i); });

  // who am I
  socket.on('whoami', (ack) => ack({ id: socket.id, nsp: socket.nsp.name, engine: socket.client.conn.id, sameConn: socket.client.conn === socket.conn, transport: socket.conn.transport.name, connected: socket.connected, disconnected: socket.disconnected }));
  socket.on('handshake', (ack) => {
    const h = socket.handshake;
    const query = {};
    for (const k of Object.keys(h.query)) if (!['EIO', 'transport', 't', 'sid', 'b64', 'j'].includes(k)) query[k] = h.query[k];
    ack({ query, auth: h.auth === undefined ? null : h.auth, xdomain: h.xdomain, secure: h.secure, xtest: h.headers['x-test'] || null, path: h.url.split('?')[0], address: h.address.replace('::ffff:', ''), issued: typeof h.issued, time: typeof h.time });
  });
  socket.on('request', (ack) => ack({ path: socket.request.url.split('?')[0], method: socket.request.method, xtest: socket.request.headers['x-test'] || null, cookie: socket.request.headers.cookie || null, same: socket.request === socket.client.request }));

  // rooms
  socket.on('join', (rooms, ack) => join(socket, rooms, (err) => ack && ack(err || null, roomsOf(socket))));
  socket.on('leave', (room, ack) => leave(socket, room, (err) => ack && ack(err || null, roomsOf(socket))));
  socket.on('rooms', (ack) => ack(roomsOf(socket)));
  socket.on('list', (rooms, ack) => {
    let target = nsp;
    for (const r of rooms) target = target.in(r);
    list(target, ack);
  });
  socket.on('connected', (ack) => ack(connectedIds(nsp).length, connectedIds(nsp).includes(socket.id)));
  // one broadcast, described by the client: { via, use, rooms, flags, event, args }
  socket.on('bcast', (o, ack) => {
    let target = o.via === 'nsp' ? nsp : o.via === 'server' ? io : socket;
    for (const f of o.flags || []) {
      if (f === 'compress:true') target = target.compress(true);
      else if (f === 'compress:false') target = target.compress(false);
      else target = target[f];
    }
    for (const r of o.rooms || []) target = target[o.use || 'to'](r);
    if (o.send) target.send(...(o.args || []));
    else target.emit(o.event, ...(o.args || []));
    if (ack) ack();
  });
  // a callback given to a broadcast must be refused; the process goes on
  socket.on('bcast-with-ack', (ack) => {
    let threw = null;
    try { socket.broadcast.emit('never', () => {}); } catch (e) { threw = e.message; }
    ack(v4 && threw === null ? 'accepted' : threw);
  });

  // volatile
  socket.on('volatile-me', (n) => { for (let i = 0; i < n; i++) socket.volatile.emit('v', i); });
  socket.on('volatile-then-normal', () => { socket.volatile.emit('v', 0); socket.emit('n', 1); });
  socket.on('normal-then-volatile', () => { socket.emit('n', 0); socket.volatile.emit('v', 1); socket.emit('n', 2); });
  // compression
  socket.on('fill', (size, compress, ack) => { const s = 'a'.repeat(size); (compress === null ? socket : socket.compress(compress)).emit('filled', s); if (ack) ack(); });

  // emitter API
  socket.once('k-once', () => socket.emit('k', 'once'));
  const removable = () => socket.emit('k', 'removable');
  socket.on('k-removable', removable);
  socket.on('k-multi', () => socket.emit('k', 'multi-1'));
  socket.on('k-multi', () => socket.emit('k', 'multi-2'));
  socket.on('remove-removable', (ack) => { socket.removeListener('k-removable', removable); ack(); });
  socket.on('remove-all', (event, ack) => { socket.removeAllListeners(event); ack(); });
  socket.on('names', (ack) => ack(socket.eventNames().filter((n) => /^k-/.test(n)).sort()));

  // ending
  socket.on('kick', (close) => socket.disconnect(close));
  socket.on('kick-after-emit', (close) => { socket.emit('bye', 1); socket.disconnect(close); socket.emit('after', 2); });
  socket.on('kick-later', (ms) => setTimeout(() => { socket.emit('bye', 1); socket.disconnect(true); }, ms));
}

// ---------------------------------------------------------------- namespaces
io.on('connection', (s) => common(io.of('/'), s));
for (const name of ['/chat', '/other', '/a/b/c']) io.of(name).on('connection', (s) => common(io.of(name), s));
if (receipting) require('./receipts').add(io, { common, report, labelOf });

monitor.on('connection', (s) => s.emit('watching'));

io.of('/hello').on('connection', (s) => { common(io.of('/hello'), s); s.emit('hello', 'first', { n: 1 }); s.emit('hello', 'second', Buffer.from([1, 2, 3])); });

const both = io.of('/both');
const order = new WeakMap();
both.on('connect', (s) => order.set(s, ['connect']));
both.on('connection', (s) => { order.get(s).push('connection'); s.emit('order', order.get(s)); });

// namespace middleware
io.of('/mw-ok').use((s, next) => next()).on('connection', (s) => common(io.of('/mw-ok'), s));
io.of('/mw-deny').use((s, next) => next(new Error('not allowed'))).on('connection', () => report({ ev: 'connection', nsp: '/mw-deny' }));
io.of('/mw-data').use((s, next) => { const e = new Error('with data'); e.data = { reason: 'quota', code: 7 }; next(e); });
io.of('/mw-token').use((s, next) => {
  const token = (s.handshake.auth && s.handshake.auth.token) || s.handshake.query.token;
  next(token === 'secret' ? undefined : new Error('bad token'));
}).on('connection', (s) => common(io.of('/mw-token'), s));
io.of('/mw-chain')
  .use((s, next) => { s.trail = ['one']; next(); })
  .use((s, next) => setTimeout(() => { s.trail.push('two'); next(); }, 30))
  .use((s, next) => { s.trail.push('three'); next(); })
  .on('connection', (s) => { common(io.of('/mw-chain'), s); s.emit('trail', s.trail); });
io.of('/mw-stop')
  .use((s, next) => next(new Error('stopped at one')))
  .use((s, next) => { report({ ev: 'second-ran', nsp: '/mw-stop' }); next(); });
io.of('/mw-slow').use((s, next) => setTimeout(next, 200)).on('connection', (s) => { report({ ev: 'connection', nsp: '/mw-slow', label: labelOf(s) }); common(io.of('/mw-slow'), s); });
if (profile === 'root-mw') {
  io.use((s, next) => (s.handshake.query.pass === '1' || (s.handshake.auth && s.handshake.auth.pass === '1') ? next() : next(new Error('root refused'))));
}

// packet middleware
const pmw = io.of('/packet-mw');
pmw.on('connection', (s) => {
  const log = [];
  let delayed = null;
  s.use((packet, next) => {
    const ev = packet[0];
    if (delayed) setImmediate(delayed);
    delayed = null;
    log.push('1:' + ev);
    if (ev === 'deny') return next(new Error('denied ' + packet[1]));
    if (ev === 'deny-data') { const e = new Error('x'); e.data = { code: 42, why: 'no' }; return next(e); }
    if (ev === 'rewrite') packet[1] = 'rewritten';
    if (ev === 'delay') { delayed = next; return; }
    next();
  });
  s.use((packet, next) => { log.push('2:' + packet[0]); next(); });
  common(pmw, s);
  s.on('deny', () => report({ ev: 'deny-handler-ran', label: labelOf(s) }));
  for (const ev of ['rewrite', 'delay', 'plain']) s.on(ev, (x, ack) => (ack ? ack(ev, x) : s.emit('handled', ev, x)));
  s.on('mw-log', (ack) => ack(log));
});

// the server ends the connection from within its connection handler
io.of('/kick-now').on('connection', (s) => { common(io.of('/kick-now'), s); s.emit('welcome'); s.disconnect(); });
io.of('/kick-close').on('connection', (s) => { common(io.of('/kick-close'), s); s.emit('welcome'); s.disconnect(true); });

// dynamic namespaces (not in 2.0.x)
if (ref !== '2.0.4') io.of(/^\/dyn-\d+$/).on('connection', (s) => { common(s.nsp, s); s.emit('dyn', s.nsp.name); });

if (recovering) setInterval(() => {}, 60000); // the process outlives its server
if (recovering) require('./recovery').add(io, { roomsOf, labelOf });

if (profile === 'closable') {
  io.of('/').on('connection', (s) => s.on('server-close', () => io.close(() => console.log('closed'))));
  setInterval(() => {}, 60000); // the process outlives its server
}

// ---------------------------------------------------------------- life
io.attach(httpServer, opts);
if (receipting) require('./receipts').watch(io);
let seq = 0;
if (profile === 'custom-id') io.engine.generateId = () => 'custom:id:' + (++seq);
httpServer.listen(port, '127.0.0.1', () => console.log('listening ' + port));
process.on('SIGTERM', () => process.exit(0));
// a request made without its ack throws in a handler: the fixture ignores it and lives on
process.on('uncaughtException', (e) => console.error('ignored: ' + e.message));
