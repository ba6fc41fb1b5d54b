// The API of Socket.IO 2.x, the seed: callable with and without `new`.

'use strict';

const { EventEmitter } = require('node:events');
const { Client } = require('./client');
const { Namespace, ParentNamespace } = require('./namespace');
const { Server } = require('./server');
const { Socket } = require('./socket');
const { hasBinary } = require('./values');
const { CoreAdapter } = require('./adapter');
const { FIELD } = require('./wire');

const emitPlain = EventEmitter.prototype.emit;

/** The events that are the library's: emitted to listeners here, not to clients. */
const RESERVED_OF_SOCKET = ['error', 'connect', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];
const RESERVED_OF_NAMESPACE = ['connect', 'connection', 'newListener'];

const NAMESPACE_FLAGS = ['json', 'volatile', 'local'];
const SOCKET_FLAGS = ['json', 'volatile', 'broadcast', 'local'];

const DEFAULTS = {
  path: '/socket.io',
  serveClient: true,
  connectTimeout: 45000,
  pingInterval: 25000,
  pingTimeout: 60000,
  upgradeTimeout: 10000,
  maxHttpBufferSize: 10e7,
  transports: ['polling', 'websocket'],
  allowUpgrades: true,
  allowEIO3: true,
  rootFirst: true,
  cookie: 'io',
};

/** Options by their names before 1.0. */
const OLD_SETTINGS = {
  transports: 'transports',
  'heartbeat timeout': 'pingTimeout',
  'heartbeat interval': 'pingInterval',
  'destroy buffer size': 'maxHttpBufferSize',
};

/** Rooms as an object, the socket's own first. */
function roomsObject(rooms, id) {
  const object = {};
  const all = [...rooms];
  if (all.includes(id)) object[id] = id;
  for (const room of all) object[room] = room;
  return object;
}

class SeedAdapter extends CoreAdapter {
  /** Rooms by name, each with its sockets and their number. */
  get rooms() {
    const rooms = {};
    for (const [room, ids] of super.rooms) {
      rooms[room] = { sockets: Object.fromEntries([...ids].map((id) => [id, true])), length: ids.size };
    }
    return rooms;
  }

  get sids() {
    const sids = {};
    for (const [room, ids] of super.rooms) {
      for (const id of ids) (sids[id] ??= {})[room] = true;
    }
    return sids;
  }

  addAll(id, rooms, fn) {
    const socket = this.nsp._socketOf(id);
    if (socket) socket._command(`J${FIELD}${socket._number}${FIELD}${JSON.stringify(rooms.map(String))}`);
    if (fn) process.nextTick(fn, null);
  }

  add(id, room, fn) {
    return this.addAll(id, [room], fn);
  }

  del(id, room, fn) {
    const socket = this.nsp._socketOf(id);
    if (socket) socket._command(`L${FIELD}${socket._number}${FIELD}${JSON.stringify([String(room)])}`);
    if (fn) process.nextTick(fn, null);
  }

  delAll(id, fn) {
    const socket = this.nsp._socketOf(id);
    const rooms = socket ? socket._wire.ask('rooms', socket._number) : [];
    if (rooms.length > 0) socket._command(`L${FIELD}${socket._number}${FIELD}${JSON.stringify(rooms)}`);
    if (fn) process.nextTick(fn, null);
  }

  /** The ids of the sockets in these rooms, or of all. */
  clients(rooms, fn) {
    if (typeof rooms === 'function') [rooms, fn] = [[], rooms];
    if (!fn) return;
    if (this.nsp.server._isClustered) {
      this.sockets(new Set(rooms)).then((ids) => fn(null, [...ids]), fn);
      return;
    }
    const ids = this._localIds({ rooms: new Set(rooms) });
    process.nextTick(fn, null, ids);
  }

  clientRooms(id, fn) {
    const socket = this.nsp._socketOf(id);
    const rooms = socket ? socket._wire.ask('rooms', socket._number) : null;
    if (fn) process.nextTick(fn, null, rooms);
  }

  broadcast(packet, opts) {
    const flags = opts.flags ?? {};
    super.broadcast(packet, {
      rooms: new Set(opts.rooms ?? []),
      except: new Set(opts.except ?? []),
      flags: { volatile: flags.volatile, local: flags.local, compress: flags.compress },
    });
  }
}

class SeedNamespace extends Namespace {
  constructor(server, name) {
    super(server, name);
    this.flags = {};
    this.rooms = [];
    this._connectedSockets = new Map();
    this._views = {};
    /** All sockets, and those that are connected, by their ids. */
    const table = this.sockets;
    Object.defineProperty(this, 'sockets', { get: () => this._view('sockets', this._all), configurable: true });
    this._all = table;
  }

  /** A table as an object, made when it is read after a change. */
  _view(name, table) {
    const stamp = this._changes;
    const view = this._views[name];
    if (view && view.stamp === stamp) return view.object;
    const object = Object.fromEntries(table);
    this._views[name] = { stamp, object };
    return object;
  }

  get connected() {
    return this._view('connected', this._connectedSockets);
  }

  get fns() {
    return this._fns;
  }

  get ids() {
    return this._ids;
  }

  _socketOf(id) {
    return this._all.get(id) ?? this._entering.get(id);
  }

  _connect(socket) {
    this._entering.delete(socket.id);
    this._all.set(socket.id, socket);
    this._connectedSockets.set(socket.id, socket);
    this._changes = (this._changes ?? 0) + 1;
    socket._onconnect();
    this.emitReserved('connect', socket);
    this.emitReserved('connection', socket);
  }

  _remove(socket) {
    this._entering.delete(socket.id);
    if (this._all.get(socket.id) === socket) {
      this._all.delete(socket.id);
      this._connectedSockets.delete(socket.id);
      this._changes = (this._changes ?? 0) + 1;
    }
  }

  _everybody() {
    return [...this._all.values()];
  }

  to(room) {
    if (!this.rooms.includes(room)) this.rooms.push(room);
    return this;
  }

  in(room) {
    return this.to(room);
  }

  compress(compress) {
    this.flags.compress = compress;
    return this;
  }

  binary(binary) {
    this.flags.binary = binary;
    return this;
  }

  emit(ev, ...args) {
    if (RESERVED_OF_NAMESPACE.includes(ev)) {
      emitPlain.call(this, ev, ...args);
      return this;
    }
    if (typeof args[args.length - 1] === 'function') {
      throw new Error('Callbacks are not supported when broadcasting');
    }
    const { rooms, flags } = this;
    this.rooms = [];
    this.flags = {};
    this.adapter.broadcast({ type: hasBinary(args) ? 5 : 2, data: [ev, ...args] }, { rooms, flags });
    return this;
  }

  clients(fn) {
    if (!this.adapter) throw new Error('No adapter for this namespace, are you trying to get the list of clients of a dynamic namespace?');
    const { rooms } = this;
    this.rooms = [];
    this.adapter.clients(rooms, fn);
    return this;
  }
}

class SeedParent extends ParentNamespace {
  constructor(server) {
    super(server);
    this.flags = {};
    this.rooms = [];
  }

  to(room) {
    return SeedNamespace.prototype.to.call(this, room);
  }

  in(room) {
    return this.to(room);
  }

  emit(ev, ...args) {
    if (RESERVED_OF_NAMESPACE.includes(ev)) {
      emitPlain.call(this, ev, ...args);
      return this;
    }
    const { rooms, flags } = this;
    this.children.forEach((child) => {
      child.rooms = rooms;
      child.flags = flags;
      child.emit(ev, ...args);
    });
    this.rooms = [];
    this.flags = {};
    return this;
  }
}
SeedParent.Child = SeedNamespace;

class SeedSocket extends Socket {
  constructor(nsp, wire, number, id, state, recovered) {
    super(nsp, wire, number, id, state, recovered);
    this.connected = true;
    this.flags = {};
    /** The rooms of the next emission. */
    this._to = [];
    this._joined = undefined;
  }

  get acks() {
    return (this._acksView ??= acksView(this._acksOf()));
  }

  get rooms() {
    if (this._rooms) return this._rooms;
    if (this._joined) return this._joined;
    const { _wire: wire } = this;
    if (!this._isIn || wire.isClosed) return {};
    return roomsObject(wire.ask('rooms', this._number), this.id);
  }

  _onconnect() {
    this._isIn = true;
    super._onconnect();
  }

  emit(ev, ...args) {
    if (RESERVED_OF_SOCKET.includes(ev)) {
      emitPlain.call(this, ev, ...args);
      return this;
    }
    const { flags, _to: rooms } = this;
    const isBroadcast = rooms.length > 0 || flags.broadcast;
    const data = [ev, ...args];
    let id = '';
    if (typeof data[data.length - 1] === 'function') {
      if (isBroadcast) throw new Error('Callbacks are not supported when broadcasting');
      id = this.nsp._ids++;
      this._acksOf().set(id, data.pop());
    }
    this._to = [];
    this.flags = {};
    if (isBroadcast) {
      this.adapter.broadcast({ type: hasBinary(data) ? 5 : 2, data }, { except: [this.id], rooms, flags });
    } else {
      this._emitData(data, id, flags);
    }
    return this;
  }

  to(room) {
    if (!this._to.includes(room)) this._to.push(room);
    return this;
  }

  in(room) {
    return this.to(room);
  }

  compress(compress) {
    this.flags.compress = compress;
    return this;
  }

  binary(binary) {
    this.flags.binary = binary;
    return this;
  }

  join(rooms, fn) {
    const known = this.rooms;
    const all = (Array.isArray(rooms) ? rooms : [rooms]).filter(
      (room) => !Object.prototype.hasOwnProperty.call(known, room),
    );
    if (all.length === 0 || this._rooms) {
      if (fn) fn(null);
      return this;
    }
    this.adapter.addAll(this.id, all, (error) => fn && fn(error ?? null));
    return this;
  }

  leave(room, fn) {
    if (this._rooms) {
      if (fn) fn(null);
      return this;
    }
    this.adapter.del(this.id, room, (error) => fn && fn(error ?? null));
    return this;
  }

  leaveAll() {
    this.adapter.delAll(this.id);
  }

  /** Sends an ERROR packet. */
  error(data) {
    this._error(data);
  }

  _refuseEvent(error) {
    // clients 3.x and later would take the packet for the end of the socket
    if (this._state.protocol === 3) this._error(error.data || error.message);
    else this._onerror(error);
  }

  onerror(error) {
    this._onerror(error);
  }

  _noRooms() {
    return {};
  }

  _cleanup() {
    super._cleanup();
    this.connected = false;
  }
}

/** Acknowledgements by their numbers, as an object. */
function acksView(acks) {
  return new Proxy(acks, {
    get: (map, key) => map.get(Number(key)),
    has: (map, key) => map.has(Number(key)),
    ownKeys: (map) => [...map.keys()].map(String),
    getOwnPropertyDescriptor: (map, key) =>
      map.has(Number(key)) ? { value: map.get(Number(key)), enumerable: true, configurable: true } : undefined,
  });
}

class SeedClient extends Client {
  get sockets() {
    return Object.fromEntries(this._connected().map((socket) => [socket.id, socket]));
  }

  get nsps() {
    return Object.fromEntries(this._connected().map((socket) => [socket.nsp.name, socket]));
  }

  disconnect() {
    this._disconnect();
  }
}

class SeedServer extends Server {
  constructor(srv, opts = {}) {
    if (srv === null) srv = undefined;
    super(undefined, opts && typeof srv === 'object' && srv instanceof Object && !srv.listen ? srv : opts ?? {});
    this._origins = '*:*';
    const given = this.opts;
    this.origins(given.origins || '*:*');
    const isServer = srv !== undefined && !(typeof srv === 'object' && !srv.listen);
    if (isServer) this.attach(srv, given);
  }

  _defaults() {
    return DEFAULTS;
  }

  _charset() {
    return '';
  }

  _classes() {
    return { Socket: SeedSocket, Namespace: SeedNamespace, ParentNamespace: SeedParent };
  }

  _clientClass() {
    return SeedClient;
  }

  _makeAdapter(nsp) {
    return this._hasForeignAdapter ? new this._adapter(nsp) : new SeedAdapter(nsp);
  }

  _announce() {}

  _makeEngine() {
    const engine = super._makeEngine();
    // Engine.IO 3: pages of the origins that may connect may read the answers, with credentials
    engine._cors = (req, res, next) => {
      const { origin } = req.headers;
      if (origin) {
        res.setHeader('Access-Control-Allow-Credentials', 'true');
        res.setHeader('Access-Control-Allow-Origin', origin);
      } else {
        res.setHeader('Access-Control-Allow-Origin', '*');
      }
      if (req.method !== 'OPTIONS' || !this.opts.handlePreflightRequest) return next();
      this.opts.handlePreflightRequest.call(engine, req, res);
    };
    return engine;
  }

  get nsps() {
    return Object.fromEntries(this._nsps);
  }

  get parser() {
    return this.opts.parser;
  }

  get _adapterOrDefault() {
    return this._adapter ?? SeedAdapter;
  }

  adapter(value) {
    if (arguments.length === 0) return this._adapterOrDefault;
    return super.adapter(value);
  }

  set(key, value) {
    if (key === 'authorization' && value) {
      this.use((socket, next) => {
        value(socket.request, (error, isAuthorized) => {
          if (error) return next(new Error(error));
          next(isAuthorized ? undefined : new Error('Not authorized'));
        });
      });
    } else if (key === 'origins' && value) {
      this.origins(value);
    } else if (key === 'resource') {
      this.path(value);
    } else if (OLD_SETTINGS[key] && this.engine) {
      this.engine[OLD_SETTINGS[key]] = value;
    } else {
      console.error('Option %s is not valid. Please refer to the README.', key);
    }
    return this;
  }

  origins(value) {
    if (arguments.length === 0) return this._origins;
    this._origins = value;
    return this;
  }

  /** Decides by the origin, unless the program decides by itself. */
  _allowRequest() {
    return this.opts.allowRequest ?? ((req, done) => this.checkRequest(req, done));
  }

  checkRequest(req, fn) {
    const origin = req.headers.origin || req.headers.referer;
    // a local file, or no page at all
    const said = origin === 'null' || !origin ? '*' : origin;
    if (typeof this._origins === 'function') return this._origins(said, fn);
    if (String(this._origins).includes('*:*')) return fn(null, true);
    if (said === '*') return fn(null, String(this._origins).split(' ').some((one) => one === '*'));
    let url;
    try {
      url = new URL(said);
    } catch {
      return fn(null, false);
    }
    const port = url.port || (url.protocol === 'https:' ? 443 : 80);
    const { hostname, protocol } = url;
    const list = Array.isArray(this._origins) ? this._origins : String(this._origins).split(' ');
    const names = [`${protocol}//${hostname}:${port}`, `${protocol}//${hostname}`, `${hostname}:${port}`, `${hostname}:*`, `*:${port}`];
    fn(null, names.some((name) => list.includes(name)) || list.includes(said));
  }

  _refusal(code) {
    if (typeof code === 'number' && { 0: 1, 1: 1, 2: 1, 3: 1 }[code]) {
      const messages = ['Transport unknown', 'Session ID unknown', 'Bad handshake method', 'Bad request'];
      return { status: 400, code, message: messages[code] };
    }
    return { status: 403, code: 4, message: typeof code === 'string' ? code : 'Forbidden' };
  }

  _refusalJson(socket, error) {
    const data = error.data || error.message || String(error);
    return JSON.stringify([typeof data === 'string' ? data : String(error.message), typeof data === 'string' ? null : data]);
  }

  _reason(reason) {
    return reason;
  }

  _roomsOf(rooms) {
    return Object.fromEntries(rooms.map((room) => [room, room]));
  }

  _closeReason() {
    return undefined;
  }

  of(name, fn) {
    return super.of(name, fn);
  }

  clients(fn) {
    this.sockets.clients(fn);
    return this;
  }

  to(room) {
    this.sockets.to(room);
    return this.sockets;
  }

  in(room) {
    return this.to(room);
  }

  emit(ev, ...args) {
    return this.sockets.emit(ev, ...args);
  }

  send(...args) {
    this.sockets.send(...args);
    return this;
  }

  write(...args) {
    return this.send(...args);
  }

  compress(compress) {
    this.sockets.compress(compress);
    return this.sockets;
  }
}

for (const flag of NAMESPACE_FLAGS) {
  for (const prototype of [SeedNamespace.prototype, SeedParent.prototype]) {
    Object.defineProperty(prototype, flag, {
      get() {
        this.flags[flag] = true;
        return this;
      },
      configurable: true,
    });
  }
  Object.defineProperty(SeedServer.prototype, flag, {
    get() {
      this.sockets.flags[flag] = true;
      return this;
    },
    configurable: true,
  });
}
for (const flag of SOCKET_FLAGS) {
  Object.defineProperty(SeedSocket.prototype, flag, {
    get() {
      this.flags[flag] = true;
      return this;
    },
    configurable: true,
  });
}

/** Callable without `new`. */
module.exports = new Proxy(SeedServer, {
  apply: (target, _, args) => new target(...args),
});
module.exports.Server = module.exports;
module.exports.Socket = SeedSocket;
module.exports.Namespace = SeedNamespace;
