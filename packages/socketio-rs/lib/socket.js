// Sockets: one client in one namespace.

'use strict';

const { EventEmitter } = require('node:events');
const { BroadcastOperator } = require('./operator');
const { RESERVED } = require('./reserved');
const { serialize } = require('./values');
const { FIELD, VOLATILE, UNCOMPRESSED, ANSWER } = require('./wire');

const emitPlain = EventEmitter.prototype.emit;

class Socket extends EventEmitter {
  constructor(nsp, wire, number, id, state, recovered) {
    super();
    this.nsp = nsp;
    this.server = nsp.server;
    this.id = id;
    this.connected = false;
    this.recovered = recovered;
    this.data = {};
    this.flags = {};
    this._wire = wire;
    this._number = number;
    this._state = state;
    this._fns = undefined;
    this._acks = undefined;
    this._anyListeners = undefined;
    this._anyOutgoing = undefined;
    this._handshake = undefined;
    /** The rooms that it was in, while and after it ends. */
    this._rooms = undefined;
    /** The batch of commands in which something was sent. */
    this._sentIn = -1;
    /** The core knows it no more, or will not be told. */
    this._isFreed = false;
  }

  get adapter() {
    return this.nsp.adapter;
  }

  get acks() {
    return this._acksOf();
  }

  /** Who waits for the client, by number. */
  _acksOf() {
    return (this._acks ??= new Map());
  }

  get fns() {
    return (this._fns ??= []);
  }

  get client() {
    return this.server._clientOf(this._state);
  }

  get conn() {
    return this.server._connOf(this._state);
  }

  get request() {
    return this.server._requestOf(this._state, this);
  }

  get handshake() {
    return (this._handshake ??= this.server._handshakeOf(this));
  }

  set handshake(value) {
    this._handshake = value;
  }

  get disconnected() {
    return !this.connected;
  }

  get rooms() {
    if (this._rooms) return this._rooms;
    return this.adapter.socketRooms(this.id) || new Set();
  }

  _command(line, buffers) {
    if (!this._isFreed) this._wire.command(line, buffers);
  }

  // ---- sending --------------------------------------------------------------------------------

  emit(ev, ...args) {
    if (RESERVED.has(ev)) throw new Error(`"${String(ev)}" is a reserved event name`);
    const data = [ev, ...args];
    const { flags } = this;
    this.flags = {};
    let id = '';
    if (typeof data[data.length - 1] === 'function') {
      id = this.nsp._ids++;
      this._registerAck(id, data.pop(), flags.timeout);
    }
    this._emitData(data, id, flags);
    return true;
  }

  _emitData(data, id, flags) {
    const buffers = [];
    const json = serialize(data, buffers);
    if (this._anyOutgoing !== undefined) this._notifyOutgoing({ data });
    this._showPacket(json, flags.compress !== false);
    const { batch } = this._wire;
    // Node: a volatile packet behind any other of the same tick is dropped
    if (flags.volatile && this._sentIn === batch) return;
    this._sentIn = batch;
    const bits = (flags.volatile ? VOLATILE : 0) | (flags.compress === false ? UNCOMPRESSED : 0);
    this._command(
      `E${FIELD}${this._number}${FIELD}${bits}${FIELD}${id}${FIELD}${buffers.length}${FIELD}${json}`,
      buffers,
    );
  }

  /** Tells the connection's listeners of packets, if there are any. */
  _showPacket(json, compress) {
    const { conn } = this._state;
    if (conn === undefined || conn.listenerCount('packetCreate') === 0) return;
    const { name } = this.nsp;
    conn.emit('packetCreate', { type: 'message', data: `2${name === '/' ? '' : `${name},`}${json}`, options: { compress } });
  }

  _registerAck(id, ack, timeout) {
    if (timeout === undefined) {
      this._acksOf().set(id, ack);
      return;
    }
    const timer = setTimeout(() => {
      this._acksOf().delete(id);
      ack.call(this, new Error('operation has timed out'));
    }, timeout);
    this._acksOf().set(id, (...args) => {
      clearTimeout(timer);
      ack.apply(this, [null, ...args]);
    });
  }

  emitWithAck(ev, ...args) {
    const withError = this.flags.timeout !== undefined;
    return new Promise((resolve, reject) => {
      args.push((first, second) => {
        if (!withError) resolve(first);
        else if (first) reject(first);
        else resolve(second);
      });
      this.emit(ev, ...args);
    });
  }

  send(...args) {
    this.emit('message', ...args);
    return this;
  }

  write(...args) {
    this.emit('message', ...args);
    return this;
  }

  /** Answers the event with this number. */
  _ack(id, args) {
    const buffers = [];
    const json = serialize(args, buffers);
    this._command(
      `E${FIELD}${this._number}${FIELD}${ANSWER}${FIELD}${id}${FIELD}${buffers.length}${FIELD}${json}`,
      buffers,
    );
  }

  /** An ERROR packet, for clients 1.x and 2.x. */
  _error(data) {
    this._command(`X${FIELD}${this._number}${FIELD}${JSON.stringify(data ?? null)}`);
  }

  // ---- modifiers ------------------------------------------------------------------------------

  to(room) {
    return this._operator().to(room);
  }

  in(room) {
    return this._operator().in(room);
  }

  except(room) {
    return this._operator().except(room);
  }

  get broadcast() {
    return this._operator();
  }

  get local() {
    return this._operator().local;
  }

  get volatile() {
    this.flags.volatile = true;
    return this;
  }

  compress(compress) {
    this.flags.compress = compress;
    return this;
  }

  timeout(timeout) {
    this.flags.timeout = timeout;
    return this;
  }

  _operator() {
    const { flags } = this;
    this.flags = {};
    return new BroadcastOperator(this.adapter, new Set(), new Set([this.id]), flags);
  }

  // ---- rooms ----------------------------------------------------------------------------------

  join(rooms) {
    if (this._rooms) return;
    return this.adapter.addAll(this.id, new Set(Array.isArray(rooms) ? rooms : [rooms]));
  }

  leave(rooms) {
    if (this._rooms) return;
    if (!Array.isArray(rooms)) return this.adapter.del(this.id, rooms);
    const left = rooms.map((room) => this.adapter.del(this.id, room)).filter(Boolean);
    return left.length > 0 ? Promise.all(left) : undefined;
  }

  // ---- what comes -----------------------------------------------------------------------------

  use(fn) {
    this.fns.push(fn);
    return this;
  }

  /** An event came; with a number its client wants an answer. */
  _onevent(args, id) {
    if (id >= 0) args.push(this._answerTo(id));
    if (this._anyListeners !== undefined) {
      for (const listener of this._anyListeners.slice()) listener.apply(this, args);
    }
    if (this._fns === undefined || this._fns.length === 0) {
      if (this.connected) emitPlain.apply(this, args);
      return;
    }
    this._run(args, (error) => {
      process.nextTick(() => {
        if (error) this._refuseEvent(error);
        else if (this.connected) emitPlain.apply(this, args);
      });
    });
  }

  _answerTo(id) {
    let isSent = false;
    return (...args) => {
      if (isSent) return;
      isSent = true;
      this._ack(id, args);
    };
  }

  _refuseEvent(error) {
    this._onerror(error);
  }

  _run(event, done) {
    const fns = this._fns.slice();
    const run = (at) => {
      if (at === fns.length) return done();
      fns[at].call(this, event, (error) => (error ? done(error) : run(at + 1)));
    };
    run(0);
  }

  /** The client acknowledged. */
  _onack(id, args) {
    const ack = this._acks?.get(id);
    if (typeof ack !== 'function') return;
    this._acks.delete(id);
    ack.apply(this, args);
  }

  _onerror(error) {
    if (this.listenerCount('error') > 0) {
      this.emitReserved('error', error);
    } else {
      console.error('Missing error handler on `socket`.');
      console.error(error.stack);
    }
  }

  emitReserved(ev, ...args) {
    return emitPlain.call(this, ev, ...args);
  }

  emitUntyped(ev, ...args) {
    return emitPlain.call(this, ev, ...args);
  }

  _onconnect() {
    // the core's rooms have it already
    if (this.server._hasForeignAdapter) this.adapter.addAll(this.id, new Set([this.id]));
    this.connected = true;
    // the answer to its CONNECT leaves in this turn
    this._sentIn = this._wire.batch;
  }

  // ---- catch-all listeners --------------------------------------------------------------------

  onAny(listener) {
    (this._anyListeners ??= []).push(listener);
    return this;
  }

  prependAny(listener) {
    (this._anyListeners ??= []).unshift(listener);
    return this;
  }

  offAny(listener) {
    this._anyListeners = without(this._anyListeners, listener);
    return this;
  }

  listenersAny() {
    return this._anyListeners || [];
  }

  onAnyOutgoing(listener) {
    this._watch();
    this._anyOutgoing.push(listener);
    return this;
  }

  prependAnyOutgoing(listener) {
    this._watch();
    this._anyOutgoing.unshift(listener);
    return this;
  }

  offAnyOutgoing(listener) {
    if (this._anyOutgoing === undefined) return this;
    this._anyOutgoing = without(this._anyOutgoing, listener) ?? [];
    if (this._anyOutgoing.length === 0) this._unwatch();
    return this;
  }

  listenersAnyOutgoing() {
    return this._anyOutgoing || [];
  }

  _watch() {
    if (this._anyOutgoing !== undefined) return;
    this._anyOutgoing = [];
    this.nsp._watchers++;
  }

  _unwatch() {
    if (this._anyOutgoing === undefined) return;
    this._anyOutgoing = undefined;
    this.nsp._watchers--;
  }

  _notifyOutgoing(packet) {
    if (this._anyOutgoing === undefined) return;
    for (const listener of this._anyOutgoing.slice()) listener.apply(this, packet.data);
  }

  /** What adapters of others call. */
  notifyOutgoingListeners(packet) {
    this._notifyOutgoing(packet);
  }

  // ---- the end --------------------------------------------------------------------------------

  disconnect(close = false) {
    if (!this.connected) return this;
    if (close) {
      this.server._disconnectClient(this._state);
    } else {
      this._end('server namespace disconnect', () => this._command(`D${FIELD}${this._number}${FIELD}0`));
    }
    return this;
  }

  /** Ends here and now; `command` tells the core, after the rooms were read. */
  _end(reason, command) {
    if (!this.connected) return;
    const rooms = this.rooms;
    this._onclose(reason, rooms, command);
  }

  /** It is over: the listeners are told, with the rooms that it was in. */
  _onclose(reason, rooms = new Set(), command = undefined, description = undefined) {
    if (!this.connected) {
      command?.();
      return this;
    }
    this._rooms = rooms;
    try {
      this.emitReserved('disconnecting', reason, description);
    } finally {
      command?.();
      this._cleanup();
      this.emitReserved('disconnect', reason, description);
    }
    return this;
  }

  /** It is in no room and no table any more. */
  _cleanup() {
    this.connected = false;
    this._rooms = this._noRooms();
    this._unwatch();
    this.nsp._remove(this);
    this.server._removeFromConn(this);
    if (this.server._hasForeignAdapter) this.adapter.delAll(this.id);
  }

  _noRooms() {
    return new Set();
  }

  /** The core may use the number for another. */
  _free() {
    if (this._isFreed) return;
    this._command(`F${FIELD}${this._number}`);
    this._isFreed = true;
  }
}

function without(listeners, listener) {
  if (listeners === undefined || listener === undefined) return undefined;
  const rest = listeners.slice();
  const at = rest.indexOf(listener);
  if (at >= 0) rest.splice(at, 1);
  return rest.length > 0 ? rest : undefined;
}

module.exports = { Socket };
