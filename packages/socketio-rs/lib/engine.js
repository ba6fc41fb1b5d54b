// What users see of the engine: `io.engine` and `socket.conn`.

'use strict';

const { EventEmitter } = require('node:events');
const { cors } = require('./cors');
const { FIELD } = require('./wire');

/** The engine of a server. Its options may be changed until the first client connects. */
class Engine extends EventEmitter {
  constructor(io, opts) {
    super();
    this._io = io;
    this.opts = opts;
    this.middlewares = [];
    this._cors = opts.cors ? cors(opts.cors) : undefined;
    /** May be replaced: makes the ids of connections. */
    this.generateId = undefined;
    for (const name of ['pingTimeout', 'pingInterval', 'upgradeTimeout', 'maxHttpBufferSize', 'transports', 'allowUpgrades', 'cookie']) {
      Object.defineProperty(this, name, {
        get: () => this.opts[name],
        set: (value) => {
          this.opts[name] = value;
          io._restart();
        },
        enumerable: true,
        configurable: true,
      });
    }
  }

  get clientsCount() {
    return this._io._wireOrNone()?.ask('sessions') ?? 0;
  }

  /** The connections that JavaScript has looked at, by id. */
  get clients() {
    const clients = {};
    for (const [id, state] of this._io._conns) clients[id] = this._io._connOf(state);
    return clients;
  }

  on(name, listener) {
    super.on(name, listener);
    if (name === 'connection') this._io._wantConns();
    if (name === 'initial_headers' || name === 'headers') this._io._keepRequests();
    return this;
  }

  once(name, listener) {
    if (name === 'connection') this._io._wantConns();
    if (name === 'initial_headers' || name === 'headers') this._io._keepRequests();
    return super.once(name, listener);
  }

  addListener(name, listener) {
    return this.on(name, listener);
  }

  /** Adds a middleware of requests, as of Express. */
  use(fn) {
    this.middlewares.push(fn);
    this._io._keepRequests();
  }

  /** Runs the middlewares. */
  _run(req, res, done) {
    const all = this._cors ? [this._cors, ...this.middlewares] : this.middlewares;
    if (all.length === 0) return done();
    const next = (at) => {
      if (at === all.length) return done();
      all[at](req, res, (error) => (error ? done(error) : next(at + 1)));
    };
    next(0);
  }

  _applyCors(req, res, done) {
    if (this._cors) this._cors(req, res, done);
    else done();
  }

  /** The id of a new connection, if the program makes them. */
  _makeId(req, done) {
    if (typeof this.generateId !== 'function') return done();
    let id;
    try {
      id = this.generateId(req);
    } catch (error) {
      return done(this._badId(error));
    }
    if (id && typeof id.then === 'function') {
      id.then((made) => done(undefined, made), (error) => done(this._badId(error)));
    } else {
      done(undefined, id);
    }
  }

  _badId(error) {
    return { status: 400, code: 3, message: 'Bad request', context: { name: 'ID_GENERATION_ERROR', error } };
  }

  _refused(req, { code = 3, message, context }) {
    if (this.listenerCount('connection_error') === 0) return;
    this.emit('connection_error', { req, code, message: code === 4 ? 'Forbidden' : message, context: context ?? { message } });
  }

  /** The core has refused a request. */
  _refusedBy(req, body) {
    if (this.listenerCount('connection_error') === 0) return;
    try {
      const { code, message } = JSON.parse(body.toString());
      this.emit('connection_error', { req, code, message, context: {} });
    } catch {
      // no refusal of the engine, such as that of a body
    }
  }

  /** Ends all connections. */
  close() {
    this._io._endCore();
    return this;
  }
}

/** A connection, as `socket.conn` and `client.conn`. */
class Conn extends EventEmitter {
  constructor(io, state) {
    super();
    this._io = io;
    this._state = state;
    this.id = state.id;
    this.server = io.engine;
    this.protocol = state.protocol;
    this.readyState = state.isOver ? 'closed' : 'open';
    io._wantConns();
    // its own, so that it can be taken away
    Object.defineProperty(this, 'request', {
      get: () => io._requestOf(state),
      configurable: true,
      enumerable: false,
    });
  }

  on(name, listener) {
    if (name === 'packetCreate') this._io._shownConns++;
    return super.on(name, listener);
  }

  get remoteAddress() {
    return this._io._requestOf(this._state)?.socket?.remoteAddress;
  }

  get upgraded() {
    return this._state.transport !== undefined && this._state.upgraded === true;
  }

  get queuedBytes() {
    return this._about()?.queuedBytes ?? 0;
  }

  /** How the connection travels: its name, and whether packets would leave at once. */
  get transport() {
    const about = this._about();
    const name = about?.transport ?? this._state.transport;
    return { name, writable: about?.queuedBytes === 0, protocol: this.protocol, sid: this.id };
  }

  get writeBuffer() {
    return { length: this._about()?.queuedBytes ?? 0 };
  }

  _about() {
    const { wire } = this._state;
    return wire.isClosed ? null : wire.ask('conn', this.id);
  }

  /** Sends a message of the engine. */
  send(data) {
    const isText = typeof data === 'string';
    const bytes = isText ? Buffer.from(data) : Buffer.from(data.buffer ?? data, data.byteOffset, data.byteLength);
    this._state.wire.command(`W${FIELD}${this.id}${FIELD}${isText ? 0 : 1}`, [bytes]);
    return this;
  }

  write(data) {
    return this.send(data);
  }

  close() {
    if (this.readyState !== 'open') return;
    this.readyState = 'closing';
    this._state.wire.command(`C${FIELD}${this.id}`);
  }

  _onclose(reason) {
    this.readyState = 'closed';
    this.emit('close', reason);
  }
}

module.exports = { Engine, Conn };
