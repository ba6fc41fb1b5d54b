// The rooms of a namespace, which are the core's.

'use strict';

const { EventEmitter } = require('node:events');
const { serialize } = require('./values');
const { FIELD, VOLATILE, UNCOMPRESSED, LOCAL } = require('./wire');

const names = (set) => (set && set.size > 0 ? JSON.stringify([...set].map(String)) : '');

class CoreAdapter extends EventEmitter {
  constructor(nsp) {
    super();
    this.nsp = nsp;
    /** The answers to broadcasts that are waited for, by their numbers. */
    this._acks = new Map();
  }

  get encoder() {
    return this.nsp.server.encoder;
  }

  init() {}

  close() {}

  serverCount() {
    return Promise.resolve(1);
  }

  // ---- rooms ----------------------------------------------------------------------------------

  /** All rooms, each with the ids in it. */
  get rooms() {
    const rooms = new Map();
    const wire = this._wire();
    if (!wire) return rooms;
    for (const [room, ids] of Object.entries(wire.ask('allRooms', this.nsp._number))) {
      rooms.set(room, new Set(ids));
    }
    return rooms;
  }

  /** All sockets, each with its rooms. */
  get sids() {
    const sids = new Map();
    for (const [room, ids] of this.rooms) {
      for (const id of ids) {
        if (!sids.has(id)) sids.set(id, new Set());
        sids.get(id).add(room);
      }
    }
    return sids;
  }

  addAll(id, rooms) {
    const socket = this.nsp._socketOf(id);
    if (!socket) return;
    const isWatched = this.listenerCount('join-room') + this.listenerCount('create-room') > 0;
    const before = isWatched ? this.rooms : undefined;
    socket._command(`J${FIELD}${socket._number}${FIELD}${names(new Set(rooms))}`);
    if (!before) return;
    for (const room of rooms) {
      if (!before.has(room)) this.emit('create-room', room);
      if (!before.get(room)?.has(id)) this.emit('join-room', room, id);
    }
  }

  del(id, room) {
    const socket = this.nsp._socketOf(id);
    if (!socket) return;
    const isWatched = this.listenerCount('leave-room') + this.listenerCount('delete-room') > 0;
    const before = isWatched ? this.rooms.get(room) : undefined;
    socket._command(`L${FIELD}${socket._number}${FIELD}${names(new Set([room]))}`);
    if (!before?.has(id)) return;
    this.emit('leave-room', room, id);
    if (before.size === 1) this.emit('delete-room', room);
  }

  /** All rooms but the socket's own, which it has as long as it is connected. */
  delAll(id) {
    for (const room of this.socketRooms(id) ?? []) this.del(id, room);
  }

  socketRooms(id) {
    const socket = this.nsp._socketOf(id);
    return socket ? new Set(socket._wire.ask('rooms', socket._number)) : undefined;
  }

  // ---- sending --------------------------------------------------------------------------------

  broadcast(packet, opts) {
    this._send(packet, opts, '');
  }

  /** Gives what forgets who has not answered. */
  broadcastWithAck(packet, opts, clientCount, ack) {
    if (this.nsp.server._isClustered && !opts.flags?.local) {
      return this._clusterWithAck(packet, opts, clientCount, ack);
    }
    const wire = this._wire();
    const ids = wire ? this._localIds(opts) : [];
    const id = this.nsp._ids++;
    const sockets = ids.map((one) => this.nsp._socketOf(one)).filter(Boolean);
    for (const socket of sockets) socket._acksOf().set(id, ack);
    if (ids.length > 0) this._send(packet, opts, id);
    clientCount(ids.length);
    return () => sockets.forEach((socket) => socket._acksOf().delete(id));
  }

  _clusterWithAck(packet, opts, clientCount, ack) {
    const timeout = opts.flags?.timeout ?? 5000;
    const json = serialize(packet.data, []);
    this._question('ack', [Math.ceil(timeout), ...this._operator(opts), json], (error, answers) => {
      if (error) return;
      const [values, missing] = answers;
      values.forEach((value) => ack(value));
      if (!missing) clientCount(values.length);
    });
  }

  _send(packet, opts, id) {
    const { nsp } = this;
    const wire = this._wire();
    const data = packet.data;
    const buffers = [];
    const json = serialize(data, buffers);
    if (!wire) return;
    if (nsp._watchers > 0) {
      for (const one of this._localIds(opts)) nsp._socketOf(one)?._notifyOutgoing(packet);
    }
    if (nsp.server._shownConns > 0) {
      for (const one of this._localIds(opts)) nsp._socketOf(one)?._showPacket(json, opts.flags?.compress !== false);
    }
    // Node: a volatile packet behind any other of the same tick is dropped
    if (opts.flags?.volatile && nsp._sentIn === wire.batch) return;
    nsp._sentIn = wire.batch;
    wire.command(`B${FIELD}${this._operator(opts).join(FIELD)}${FIELD}${id}${FIELD}${buffers.length}${FIELD}${json}`, buffers);
  }

  _operator(opts) {
    const flags = opts.flags ?? {};
    const bits = (flags.volatile ? VOLATILE : 0) | (flags.compress === false ? UNCOMPRESSED : 0) | (flags.local ? LOCAL : 0);
    return [this.nsp._number, bits, names(opts.rooms), names(opts.except)];
  }

  // ---- sockets --------------------------------------------------------------------------------

  _localIds(opts) {
    return this._wire() ? this._wire().ask('local', ...this._operator(opts)) : [];
  }

  sockets(rooms) {
    if (this.nsp.server._isClustered) {
      return this.fetchSockets({ rooms, except: new Set(), flags: {} }).then((all) => new Set(all.map((one) => one.id)));
    }
    return Promise.resolve(new Set(this._localIds({ rooms })));
  }

  fetchSockets(opts) {
    const isLocal = !this.nsp.server._isClustered || opts.flags?.local;
    const local = this._localIds(opts).map((id) => this.nsp._socketOf(id)).filter(Boolean);
    if (isLocal) return Promise.resolve(local);
    return new Promise((resolve, reject) => {
      this._question('fetch', this._operator(opts), (error, all) => {
        if (error) return reject(error);
        resolve(all.map((details) => this.nsp._socketOf(details.id) ?? details));
      });
    });
  }

  addSockets(opts, rooms) {
    for (const id of this._localIds(opts)) this.addAll(id, new Set(rooms));
    this._elsewhere(opts, 'join', rooms);
  }

  delSockets(opts, rooms) {
    for (const id of this._localIds(opts)) rooms.forEach((room) => this.del(id, room));
    this._elsewhere(opts, 'leave', rooms);
  }

  disconnectSockets(opts, close) {
    for (const id of this._localIds(opts)) this.nsp._socketOf(id)?.disconnect(close);
    this._elsewhere(opts, close ? 'close' : 'disconnect', []);
  }

  _elsewhere(opts, what, rooms) {
    if (!this.nsp.server._isClustered || opts.flags?.local) return;
    this._wire()?.command(`K${FIELD}${this._operator(opts).join(FIELD)}${FIELD}${what}${FIELD}${names(new Set(rooms))}`);
  }

  serverSideEmit(packet) {
    if (!this.nsp.server._isClustered) {
      console.warn('this adapter does not support the serverSideEmit() functionality');
      return;
    }
    const last = packet[packet.length - 1];
    if (typeof last !== 'function') {
      return this._wire().command(`S${FIELD}${this.nsp._number}${FIELD}${serialize(packet, [])}`);
    }
    this._question('serverAck', [this.nsp._number, serialize(packet.slice(0, -1), [])], (error, answers) => {
      if (error) return last(error);
      const [values, missing] = answers;
      last(missing ? new Error(`timeout reached: missing ${missing} responses`) : null, values);
    });
  }

  persistSession() {}

  restoreSession() {
    return null;
  }

  _question(kind, fields, done) {
    const { server } = this.nsp;
    const question = server._askLater(done);
    this._wire().ask(kind, question, ...fields);
  }

  _wire() {
    return this.nsp.server._wireOrNone();
  }
}

module.exports = { CoreAdapter };
