// The server: what a program holds, and where records of the core are carried out.

'use strict';

const http = require('node:http');
const { EventEmitter } = require('node:events');
const { CoreAdapter } = require('./adapter');
const { Client } = require('./client');
const { Encoder } = require('./encoder');
const { Engine, Conn } = require('./engine');
const { ClientFiles } = require('./files');
const { Front } = require('./http');
const { Namespace, ParentNamespace } = require('./namespace');
const { coreOptions } = require('./options');
const { Socket } = require('./socket');
const { reconstruct } = require('./values');
const { Wire, FIELD } = require('./wire');

const DEFAULTS = {
  path: '/socket.io',
  serveClient: true,
  connectTimeout: 45000,
  pingInterval: 25000,
  pingTimeout: 20000,
  upgradeTimeout: 10000,
  maxHttpBufferSize: 1e6,
  transports: ['polling', 'websocket'],
  allowUpgrades: true,
  allowEIO3: false,
  cleanupEmptyChildNamespaces: false,
};

class Server {
  constructor(srv, opts = {}) {
    if (typeof srv === 'object' && srv instanceof Object && !srv.listen) {
      opts = srv;
      srv = undefined;
    }
    this.opts = { ...this._defaults(), ...opts };
    this.encoder = new Encoder();
    this.httpServer = undefined;
    this.engine = undefined;
    this._nsps = new Map();
    this.parentNsps = new Map();
    this._parentsByPattern = new Map();
    this._wire = undefined;
    this._fronts = [];
    /** Connections with sockets, or with something that JavaScript keeps, by their ids. */
    this._conns = new Map();
    /** Requests that open connections, by the numbers that they were given. */
    this._requests = new Map();
    this._keepsRequests = Boolean(this.opts.allowRequest);
    this._wantsConns = false;
    this._later = new Map();
    this._lastQuestion = 0;
    this._hasRule = false;
    /** Connections whose packets somebody listens to, at most. */
    this._shownConns = 0;
    this._isClosed = false;
    this._keepAlive = undefined;
    this._files = new ClientFiles(this._charset());
    this.path(this.opts.path);
    this.serveClient(this.opts.serveClient !== false);
    this._adapter = this.opts.adapter;
    this.sockets = this.of('/');
    if (srv !== undefined && srv !== null && srv !== false) this.attach(srv, this.opts);
  }

  _defaults() {
    return DEFAULTS;
  }

  _charset() {
    return '; charset=utf-8';
  }

  // ---- options --------------------------------------------------------------------------------

  path(value) {
    if (arguments.length === 0) return this._path;
    this._path = String(value).replace(/\/$/, '');
    this.opts.path = this._path;
    this._restart();
    return this;
  }

  serveClient(value) {
    if (arguments.length === 0) return this._serveClient;
    this._serveClient = value;
    return this;
  }

  connectTimeout(value) {
    if (value === undefined) return this.opts.connectTimeout;
    this.opts.connectTimeout = value;
    this._restart();
    return this;
  }

  adapter(value) {
    if (arguments.length === 0) return this._adapter;
    this._adapter = value;
    this.opts.adapter = value;
    for (const nsp of this._nsps.values()) nsp._initAdapter();
    this._restart();
    return this;
  }

  get _isClustered() {
    return Boolean(this._adapter && this._adapter.redis);
  }

  get _hasForeignAdapter() {
    return typeof this._adapter === 'function';
  }

  _makeAdapter(nsp) {
    return this._hasForeignAdapter ? new this._adapter(nsp) : new CoreAdapter(nsp);
  }

  // ---- ways in --------------------------------------------------------------------------------

  listen(srv, opts = {}) {
    return this.attach(srv, opts);
  }

  attach(srv, opts = {}) {
    if (typeof srv === 'function') {
      throw new Error(
        'You are trying to attach socket.io to an express request handler function. Please pass a http.Server instance.',
      );
    }
    if (Number(srv) == srv) srv = Number(srv);
    this.opts = { ...this.opts, ...opts, path: opts.path ?? this.opts.path };
    if (opts.path !== undefined) this.path(opts.path);
    if (opts.allowRequest) this._keepsRequests = true;
    this.engine ??= this._makeEngine();
    this.engine.opts = this.opts;
    if (typeof srv === 'number' && this.opts.native) return this._listenNatively(srv);
    // makes the core, so that options that make no sense are refused here
    this._start();
    if (typeof srv === 'number') {
      const port = srv;
      srv = http.createServer((req, res) => {
        res.writeHead(404);
        res.end();
      });
      srv.listen(port, this.opts.host);
    }
    this.httpServer = srv;
    this._fronts.push(new Front(this, srv));
    return this;
  }

  /** The engine by its name of old. */
  get eio() {
    return this.engine;
  }

  _makeEngine() {
    return new Engine(this, this.opts);
  }

  attachApp() {
    throw new Error('socketio-rs: uWebSockets.js has a server of its own; use attach() or the option `native`');
  }

  _listenNatively(port) {
    for (const name of ['allowRequest', 'cors']) {
      if (this.opts[name] !== undefined && typeof this.opts[name] !== 'object') {
        throw new TypeError(`option ${name}: a listener of the core's own asks no functions; attach to an http.Server`);
      }
    }
    this._start();
    this._address = this._wire.ask('listen', this.opts.host ?? '', port);
    // what an open http.Server is to the process
    this._keepAlive ??= setInterval(() => {}, 0x7fffffff);
    return this;
  }

  /** Where a listener of the core's own listens. */
  address() {
    return this._address ?? this.httpServer?.address();
  }

  bind(engine) {
    if (!(engine instanceof Engine)) throw new TypeError('socketio-rs: bind() takes an engine of this package');
    this.engine = engine;
    return this;
  }

  onconnection() {
    throw new Error('socketio-rs: connections are made by the core; use attach()');
  }

  // ---- the core -------------------------------------------------------------------------------

  _coreOptions() {
    const core = coreOptions(this.opts);
    // those that are not in node_modules
    core.serveClient = Boolean(this._serveClient);
    if (this.opts.native && this.opts.cors?.origin) core.origins = [].concat(this.opts.cors.origin).join(' ').replace(/https?:\/\//g, '$&');
    return core;
  }

  /** Makes the core, if it is not there. */
  _start() {
    if (this._wire !== undefined && !this._isStale) return;
    if (this._wire !== undefined) this._wire.end();
    this._isStale = false;
    this._isUsed = false;
    this._wire = new Wire(this._coreOptions(), (wire, records, at, buffers) => this._dispatch(wire, records, at, buffers));
    if (this._wantsConns || this._keepsRequests) this._wire.ask('conns');
    for (const nsp of this._nsps.values()) nsp._enter(this._wire);
    if (this._hasRule) this._wire.ask('rule');
  }

  /** Options have changed: a core that nobody has used yet is made anew. */
  _restart() {
    if (this._wire === undefined || this._isUsed || this.opts.native) return;
    this._isStale = true;
  }

  _wireOrNone() {
    return this._wire !== undefined && !this._wire.isClosed && !this._isStale ? this._wire : undefined;
  }

  _wantConns() {
    if (this._wantsConns) return;
    this._wantsConns = true;
    this._wireOrNone()?.ask('conns');
  }

  _keepRequests() {
    this._keepsRequests = true;
    this._wireOrNone()?.ask('conns');
  }

  /** An answer that comes by a record. */
  _askLater(done) {
    this._lastQuestion = (this._lastQuestion + 1) & 0x3fffffff;
    this._later.set(this._lastQuestion, done);
    return this._lastQuestion;
  }

  // ---- records --------------------------------------------------------------------------------

  /** Carries out the record at an index; the index of the next. */
  _dispatch(wire, r, at, buffers) {
    switch (r[at]) {
      case 0: {
        wire.next = at + 5;
        const args = r[at + 3];
        if (r[at + 4] > 0) reconstruct(args, wire.takeBuffers(buffers, r[at + 4]));
        const socket = wire.sockets[r[at + 1]];
        if (socket?.connected) socket._onevent(args, r[at + 2]);
        break;
      }
      case 1: {
        wire.next = at + 2;
        const socket = wire.sockets[r[at + 1]];
        if (socket) socket.nsp._connect(socket);
        break;
      }
      case 2:
        wire.next = at + 4;
        this._disconnected(wire.sockets[r[at + 1]], r[at + 2], r[at + 3]);
        break;
      case 3:
        wire.next = at + 3;
        this._runMiddleware(wire, r[at + 1], wire.sockets[r[at + 2]]);
        break;
      case 4:
        wire.next = at + 7;
        this._makeSocket(wire, r[at + 1], r[at + 2], r[at + 3], r[at + 4], r[at + 5], r[at + 6] === 1);
        break;
      case 5: {
        wire.next = at + 4;
        const [body] = wire.takeBuffers(buffers, 1);
        wire.requests.get(r[at + 1])?.answer(r[at + 1], r[at + 2], r[at + 3], body);
        break;
      }
      case 6: {
        wire.next = at + 5;
        const args = r[at + 3];
        if (r[at + 4] > 0) reconstruct(args, wire.takeBuffers(buffers, r[at + 4]));
        wire.sockets[r[at + 1]]?._onack(r[at + 2], args);
        break;
      }
      case 7:
        wire.next = at + 3;
        wire.sockets[r[at + 1]]?._onerror(new Error(r[at + 2]));
        break;
      case 8:
        wire.next = at + 1;
        wire.onClosed?.();
        break;
      case 9: {
        wire.next = at + 2;
        const socket = wire.sockets[r[at + 1]];
        if (socket) this._drop(socket);
        break;
      }
      case 10:
        wire.next = at + 5;
        this._connOpened(wire, r[at + 1], r[at + 2], r[at + 3], r[at + 4]);
        break;
      case 11: {
        wire.next = at + 3;
        const state = this._conns.get(r[at + 1]);
        if (state) {
          state.transport = r[at + 2];
          state.upgraded = true;
          state.conn?.emit('upgrade', state.conn.transport);
        }
        break;
      }
      case 12:
        wire.next = at + 3;
        this._connClosed(r[at + 1], r[at + 2]);
        break;
      case 13:
        wire.next = at + 4;
        this._allowNamespace(wire, r[at + 1], r[at + 2], r[at + 3]);
        break;
      case 14: {
        wire.next = at + 4;
        const done = this._later.get(r[at + 1]);
        this._later.delete(r[at + 1]);
        if (r[at + 2] === 0) done?.(null, r[at + 3]);
        else done?.(new Error(r[at + 3]));
        break;
      }
      case 15:
        wire.next = at + 3;
        wire.requests.get(r[at + 1])?.upgraded(r[at + 1], r[at + 2]);
        break;
      case 16: {
        wire.next = at + 3;
        const bytes = r[at + 2] === 1 ? wire.takeBuffers(buffers, 1)[0] : null;
        wire.requests.get(r[at + 1])?.carry(r[at + 1], bytes);
        break;
      }
      case 17: {
        wire.next = at + 5;
        const args = r[at + 3];
        if (r[at + 4] > 0) reconstruct(args, wire.takeBuffers(buffers, r[at + 4]));
        this._serverEvent(wire, r[at + 1], r[at + 2], args);
        break;
      }
      case 18:
        wire.next = at + 3;
        wire.requests.get(r[at + 1])?.taken(r[at + 1], r[at + 2]);
        break;
      default:
        throw new Error(`socketio-rs: the addon is of another version (record ${r[at]})`);
    }
    return wire.next;
  }

  _stateOf(wire, id, protocol) {
    let state = this._conns.get(id);
    if (!state) {
      state = { id, wire, protocol, sockets: [], request: undefined, client: undefined, conn: undefined, isOver: false, transport: undefined };
      this._conns.set(id, state);
    }
    return state;
  }

  _makeSocket(wire, number, name, id, conn, protocol, recovered) {
    this._isUsed = true;
    const nsp = this._nsps.get(name);
    if (!nsp) {
      wire.sockets[number] = undefined;
      wire.command(`D${FIELD}${number}${FIELD}0`);
      wire.command(`F${FIELD}${number}`);
      return;
    }
    const state = this._stateOf(wire, conn, protocol);
    const socket = new (this._classes().Socket)(nsp, wire, number, id, state, recovered);
    state.sockets.push(socket);
    nsp._entering.set(id, socket);
    wire.sockets[number] = socket;
    if (recovered) this._giveBack(socket);
  }

  _classes() {
    return { Socket, Namespace, ParentNamespace };
  }

  _runMiddleware(wire, question, socket) {
    if (!socket) return wire.command(`M${FIELD}${question}${FIELD}["Invalid namespace",null]`);
    socket.nsp._run(socket, (error) => {
      if (socket._isFreed) return;
      if (!error) return wire.command(`M${FIELD}${question}${FIELD}`);
      wire.command(`M${FIELD}${question}${FIELD}${this._refusalJson(socket, error)}`);
      this._drop(socket);
    });
  }

  _refusalJson(socket, error) {
    const message = error.message ?? String(error);
    return JSON.stringify([String(message), error.data ?? null]);
  }

  /** A socket that did not get in. */
  _drop(socket) {
    socket.nsp._entering.delete(socket.id);
    socket._cleanup();
    this._freeSocket(socket);
  }

  _freeSocket(socket) {
    const { sockets } = socket._wire;
    if (sockets[socket._number] === socket) sockets[socket._number] = undefined;
    socket._free();
  }

  _disconnected(socket, reason, rooms) {
    if (!socket) return;
    if (this.opts.connectionStateRecovery && socket.connected) this._keepData(socket, reason);
    try {
      socket._onclose(this._reason(reason), this._roomsOf(rooms));
    } finally {
      this._freeSocket(socket);
    }
  }

  _reason(reason) {
    return reason;
  }

  _roomsOf(rooms) {
    return new Set(rooms);
  }

  _removeFromConn(socket) {
    const state = socket._state;
    const at = state.sockets.indexOf(socket);
    if (at >= 0) state.sockets.splice(at, 1);
    if (state.sockets.length > 0) return;
    const isTold = this._wantsConns || this._keepsRequests;
    if (!isTold || state.isOver) this._conns.delete(state.id);
  }

  _disconnectClient(state) {
    const sockets = state.sockets.filter((socket) => socket.connected);
    for (const socket of sockets) socket.disconnect();
    if (state.conn) state.conn.readyState = 'closing';
    state.wire.command(`C${FIELD}${state.id}`);
  }

  // ---- connections ----------------------------------------------------------------------------

  _connOpened(wire, id, request, protocol, transport) {
    this._isUsed = true;
    const state = this._stateOf(wire, id, protocol);
    state.transport = transport;
    if (request > 0) {
      state.request = this._requests.get(request);
      this._requests.delete(request);
    }
    if (this.engine?.listenerCount('connection') > 0) this.engine.emit('connection', this._connOf(state));
  }

  _connClosed(id, reason) {
    const state = this._conns.get(id);
    if (!state) return;
    state.isOver = true;
    this._conns.delete(id);
    state.conn?._onclose(reason);
  }

  _connOf(state) {
    return (state.conn ??= new Conn(this, state));
  }

  _clientOf(state) {
    return (state.client ??= new (this._clientClass())(this, state));
  }

  _clientClass() {
    return Client;
  }

  _keepRequest(number, req) {
    if (this._keepsRequests) this._requests.set(number, req);
  }

  _forgetRequest(number) {
    this._requests.delete(number);
  }

  /** The request that opened a connection: Node's, or one like it. */
  _requestOf(state, socket = state.sockets[0]) {
    if (state.request || !socket) return state.request;
    return (state.request = lightRequest(socket));
  }

  _handshakeOf(socket) {
    const handshake = socket._wire.isClosed || socket._isFreed ? null : socket._wire.ask('handshake', socket._number);
    const { conn } = socket._state;
    const isRequestGone = conn !== undefined && !Object.hasOwn(conn, 'request');
    if (!handshake) return {};
    if (isRequestGone) return { ...handshake, headers: {}, query: {}, secure: true, url: '', time: `${new Date(handshake.issued)}` };
    const { rawHeaders: _, method: __, port: ___, ...rest } = handshake;
    rest.time = `${new Date(rest.issued)}`;
    return rest;
  }

  // ---- recovery -------------------------------------------------------------------------------

  _keepData(socket, reason) {
    const recoverable = ['transport error', 'transport close', 'forced close', 'ping timeout', 'server shutting down', 'forced server close'];
    if (!recoverable.includes(reason)) return;
    const { _away } = socket.nsp;
    const time = this.opts.connectionStateRecovery.maxDisconnectionDuration ?? 120000;
    const timer = setTimeout(() => _away.delete(socket.id), time);
    timer.unref();
    _away.set(socket.id, { data: socket.data, timer });
  }

  _giveBack(socket) {
    const { _away } = socket.nsp;
    const away = _away.get(socket.id);
    if (!away) return;
    clearTimeout(away.timer);
    _away.delete(socket.id);
    socket.data = away.data;
  }

  // ---- namespaces -----------------------------------------------------------------------------

  of(name, fn) {
    if (typeof name === 'function' || name instanceof RegExp) {
      const parent = new (this._classes().ParentNamespace)(this);
      if (typeof name === 'function') {
        this.parentNsps.set(name, parent);
      } else {
        this.parentNsps.set((nsp, _auth, next) => next(null, name.test(nsp)), parent);
        this._parentsByPattern.set(name, parent);
      }
      if (fn) parent.on('connect', fn);
      if (!this._hasRule) {
        this._hasRule = true;
        this._wireOrNone()?.ask('rule');
      }
      return parent;
    }
    name = String(name);
    if (name[0] !== '/') name = `/${name}`;
    let nsp = this._nsps.get(name);
    if (!nsp) {
      for (const [pattern, parent] of this._parentsByPattern) {
        if (pattern.test(name)) {
          nsp = parent.createChild(name);
          break;
        }
      }
      if (!nsp) {
        nsp = new (this._classes().Namespace)(this, name);
        this._addNamespace(nsp);
      }
    }
    if (fn) nsp.on('connect', fn);
    return nsp;
  }

  _addNamespace(nsp) {
    this._nsps.set(nsp.name, nsp);
    const wire = this._wireOrNone();
    if (wire) nsp._enter(wire);
    if (nsp.name !== '/') this._announce(nsp);
  }

  _announce(nsp) {
    this.sockets.emitReserved('new_namespace', nsp);
  }

  _leaveNamespace(nsp) {
    this._wireOrNone()?.ask('release', nsp._number);
  }

  /** A client asks for a namespace that does not exist: the rules are asked in their order. */
  _allowNamespace(wire, question, name, auth) {
    const answer = (allow) => wire.command(`R${FIELD}${question}${FIELD}${allow ? 1 : 0}`);
    if (this._nsps.has(name)) return answer(true);
    const rules = [...this.parentNsps.entries()];
    const run = (at) => {
      if (at === rules.length) return answer(false);
      const [rule, parent] = rules[at];
      let isCalled = false;
      rule(name, auth, (error, allow) => {
        if (isCalled) return;
        isCalled = true;
        if (error || !allow) return run(at + 1);
        if (!this._nsps.has(name)) parent.createChild(name);
        answer(true);
      });
    };
    run(0);
  }

  _serverEvent(wire, name, question, args) {
    const nsp = this._nsps.get(name);
    if (!nsp) return;
    if (question > 0) {
      args.push((value) => wire.command(`A${FIELD}${question}${FIELD}${JSON.stringify(value ?? null)}`));
    }
    nsp._onServerSideEmit(args);
  }

  // ---- handshakes -----------------------------------------------------------------------------

  /** What decides about a handshake. */
  _allowRequest() {
    return this.opts.allowRequest;
  }

  _refusal(message) {
    return { status: 403, code: 4, message: message ? String(message) : 'Forbidden' };
  }

  // ---- the end --------------------------------------------------------------------------------

  async close(fn) {
    this._isClosed = true;
    for (const nsp of this._nsps.values()) {
      for (const socket of nsp._everybody()) socket._end(this._closeReason());
      nsp.adapter.close?.();
    }
    this._endCore();
    if (this._keepAlive) {
      clearInterval(this._keepAlive);
      this._keepAlive = undefined;
    }
    const { httpServer } = this;
    if (!httpServer) {
      if (fn) fn();
      return;
    }
    return new Promise((resolve) => {
      httpServer.close((error) => {
        if (fn) fn(error);
        resolve();
      });
      httpServer.closeIdleConnections?.();
    });
  }

  _closeReason() {
    return 'server shutting down';
  }

  /** Ends the core's part: all connections. */
  _endCore() {
    const wire = this._wireOrNone();
    if (!wire || wire.isEnding) return;
    wire.isEnding = true;
    this._fronts.forEach((front) => front.endWith(wire));
    this._fronts = [];
    this._wire = undefined;
    wire.onClosed = () => wire.end();
    wire.ask('close');
  }

  /** An attached server has closed by itself. */
  _httpClosed() {
    for (const nsp of this._nsps.values()) {
      for (const socket of nsp._everybody()) socket._end('forced close');
    }
    this._endCore();
  }

  // ---- as the namespace `/` -------------------------------------------------------------------

  to(room) {
    return this.sockets.to(room);
  }

  in(room) {
    return this.sockets.in(room);
  }

  except(room) {
    return this.sockets.except(room);
  }

  use(fn) {
    this.sockets.use(fn);
    return this;
  }

  emit(ev, ...args) {
    return this.sockets.emit(ev, ...args);
  }

  send(...args) {
    this.sockets.emit('message', ...args);
    return this;
  }

  write(...args) {
    this.sockets.emit('message', ...args);
    return this;
  }

  serverSideEmit(ev, ...args) {
    return this.sockets.serverSideEmit(ev, ...args);
  }

  serverSideEmitWithAck(ev, ...args) {
    return this.sockets.serverSideEmitWithAck(ev, ...args);
  }

  emitWithAck(ev, ...args) {
    return this.sockets.emitWithAck(ev, ...args);
  }

  allSockets() {
    return this.sockets.allSockets();
  }

  fetchSockets() {
    return this.sockets.fetchSockets();
  }

  compress(compress) {
    return this.sockets.compress(compress);
  }

  get volatile() {
    return this.sockets.volatile;
  }

  get local() {
    return this.sockets.local;
  }

  timeout(timeout) {
    return this.sockets.timeout(timeout);
  }

  socketsJoin(room) {
    return this.sockets.socketsJoin(room);
  }

  socketsLeave(room) {
    return this.sockets.socketsLeave(room);
  }

  disconnectSockets(close = false) {
    return this.sockets.disconnectSockets(close);
  }
}

for (const name of Object.keys(EventEmitter.prototype)) {
  if (typeof EventEmitter.prototype[name] !== 'function' || name === 'emit') continue;
  Object.defineProperty(Server.prototype, name, {
    value(...args) {
      return this.sockets[name](...args);
    },
    writable: true,
    configurable: true,
  });
}

/** What is known of a request that was not kept. */
function lightRequest(socket) {
  const { _wire: wire } = socket;
  const handshake = wire.isClosed || socket._isFreed ? null : wire.ask('handshake', socket._number);
  if (!handshake) return undefined;
  const { address: remoteAddress, port: remotePort, secure: encrypted } = handshake;
  const connection = { remoteAddress, remotePort, encrypted };
  const at = handshake.url.indexOf('?');
  return {
    method: handshake.method,
    url: handshake.url,
    headers: handshake.headers,
    rawHeaders: handshake.rawHeaders,
    httpVersion: '1.1',
    socket: connection,
    connection,
    _query: Object.fromEntries(new URLSearchParams(at < 0 ? '' : handshake.url.slice(at + 1))),
  };
}

module.exports = { Server };
