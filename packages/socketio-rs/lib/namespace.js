// Namespaces, by name and by rule.

'use strict';

const { EventEmitter } = require('node:events');
const { BroadcastOperator } = require('./operator');

/** The events of a namespace that are the library's. */
const RESERVED_HERE = new Set(['connect', 'connection', 'new_namespace']);

class Namespace extends EventEmitter {
  constructor(server, name) {
    super();
    this.sockets = new Map();
    this.server = server;
    this.name = name;
    this._fns = [];
    this._ids = 0;
    /** Sockets on their way in. */
    this._entering = new Map();
    /** How many sockets have listeners of what is sent. */
    this._watchers = 0;
    /** The batch of commands in which something was sent to all. */
    this._sentIn = -1;
    /** The core's number, once there is a core. */
    this._number = -1;
    /** What comes back with clients. */
    this._away = new Map();
    this._initAdapter();
  }

  _initAdapter() {
    this.adapter = this.server._makeAdapter(this);
    Promise.resolve(this.adapter.init?.()).catch(() => {});
  }

  /** The core is there. */
  _enter(wire) {
    this._number = wire.ask('namespace', this.name);
    if (this._fns.length > 0) wire.ask('middleware', this._number);
    for (const event of this.eventNames()) this._listen(event);
  }

  _socketOf(id) {
    return this.sockets.get(id) ?? this._entering.get(id);
  }

  /** All connected sockets. */
  _everybody() {
    return [...this.sockets.values()];
  }

  use(fn) {
    this._fns.push(fn);
    if (this._fns.length === 1) this.server._wireOrNone()?.ask('middleware', this._number);
    return this;
  }

  /** Runs the middleware; each `next` counts once. */
  _run(socket, done) {
    const fns = this._fns.slice();
    const run = (at) => {
      if (at === fns.length) return done();
      let isCalled = false;
      fns[at](socket, (error) => {
        if (isCalled) return;
        isCalled = true;
        if (error) done(error);
        else run(at + 1);
      });
    };
    run(0);
  }

  /** A socket is connected. */
  _connect(socket) {
    this._entering.delete(socket.id);
    this.sockets.set(socket.id, socket);
    socket._onconnect();
    this.emitReserved('connect', socket);
    this.emitReserved('connection', socket);
  }

  _remove(socket) {
    this._entering.delete(socket.id);
    if (this.sockets.get(socket.id) === socket) this.sockets.delete(socket.id);
  }

  emitReserved(ev, ...args) {
    return super.emit(ev, ...args);
  }

  emitUntyped(ev, ...args) {
    return super.emit(ev, ...args);
  }

  on(ev, listener) {
    super.on(ev, listener);
    this._listen(ev);
    return this;
  }

  addListener(ev, listener) {
    return this.on(ev, listener);
  }

  /** Other servers may send this event. */
  _listen(ev) {
    if (!this.server._isClustered || typeof ev !== 'string' || RESERVED_HERE.has(ev)) return;
    const wire = this.server._wireOrNone();
    if (wire && this._number >= 0) wire.ask('serverEvent', this._number, ev);
  }

  // ---- sending --------------------------------------------------------------------------------

  to(room) {
    return new BroadcastOperator(this.adapter).to(room);
  }

  in(room) {
    return new BroadcastOperator(this.adapter).in(room);
  }

  except(room) {
    return new BroadcastOperator(this.adapter).except(room);
  }

  emit(ev, ...args) {
    return new BroadcastOperator(this.adapter).emit(ev, ...args);
  }

  emitWithAck(ev, ...args) {
    return new BroadcastOperator(this.adapter).emitWithAck(ev, ...args);
  }

  send(...args) {
    this.emit('message', ...args);
    return this;
  }

  write(...args) {
    this.emit('message', ...args);
    return this;
  }

  compress(compress) {
    return new BroadcastOperator(this.adapter).compress(compress);
  }

  get volatile() {
    return new BroadcastOperator(this.adapter).volatile;
  }

  get local() {
    return new BroadcastOperator(this.adapter).local;
  }

  timeout(timeout) {
    return new BroadcastOperator(this.adapter).timeout(timeout);
  }

  serverSideEmit(ev, ...args) {
    if (RESERVED_HERE.has(ev)) throw new Error(`"${String(ev)}" is a reserved event name`);
    this.adapter.serverSideEmit([ev, ...args]);
    return true;
  }

  serverSideEmitWithAck(ev, ...args) {
    return new Promise((resolve, reject) => {
      this.serverSideEmit(ev, ...args, (error, responses) => {
        if (!error) return resolve(responses);
        error.responses = responses;
        reject(error);
      });
    });
  }

  /** Another server has sent an event. */
  _onServerSideEmit(args) {
    super.emit(...args);
  }

  // ---- sockets --------------------------------------------------------------------------------

  allSockets() {
    return new BroadcastOperator(this.adapter).allSockets();
  }

  fetchSockets() {
    return new BroadcastOperator(this.adapter).fetchSockets();
  }

  socketsJoin(room) {
    return new BroadcastOperator(this.adapter).socketsJoin(room);
  }

  socketsLeave(room) {
    return new BroadcastOperator(this.adapter).socketsLeave(room);
  }

  disconnectSockets(close = false) {
    return new BroadcastOperator(this.adapter).disconnectSockets(close);
  }
}

/** The namespaces of one rule: what is added here concerns all of them. */
class ParentNamespace extends Namespace {
  constructor(server) {
    super(server, `/_${ParentNamespace.count++}`);
    this.children = new Set();
  }

  _initAdapter() {
    this.adapter = { broadcast: (packet, opts) => this.children.forEach((child) => child.adapter.broadcast(packet, opts)) };
  }

  emit(ev, ...args) {
    this.children.forEach((child) => child.emit(ev, ...args));
    return true;
  }

  createChild(name) {
    const { server } = this;
    const child = new this.constructor.Child(server, name);
    child._fns = this._fns.slice(0);
    for (const event of ['connect', 'connection']) this.listeners(event).forEach((listener) => child.on(event, listener));
    this.children.add(child);
    if (server.opts.cleanupEmptyChildNamespaces) {
      const remove = child._remove.bind(child);
      child._remove = (socket) => {
        remove(socket);
        if (child.sockets.size > 0 || child._entering.size > 0) return;
        child.adapter.close();
        server._nsps.delete(child.name);
        this.children.delete(child);
        server._leaveNamespace(child);
      };
    }
    server._addNamespace(child);
    return child;
  }

  fetchSockets() {
    throw new Error('fetchSockets() is not supported on parent namespaces');
  }

  use(fn) {
    this._fns.push(fn);
    return this;
  }
}
ParentNamespace.count = 0;
ParentNamespace.Child = Namespace;

module.exports = { Namespace, ParentNamespace };
