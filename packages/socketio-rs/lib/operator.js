// Modifiers of one emission, by value, and sockets that may be on another node.

'use strict';

const { RESERVED } = require('./reserved');

class BroadcastOperator {
  constructor(adapter, rooms = new Set(), exceptRooms = new Set(), flags = {}) {
    this.adapter = adapter;
    this.rooms = rooms;
    this.exceptRooms = exceptRooms;
    this.flags = flags;
  }

  to(room) {
    const rooms = new Set(this.rooms);
    if (Array.isArray(room)) room.forEach((one) => rooms.add(one));
    else rooms.add(room);
    return new BroadcastOperator(this.adapter, rooms, this.exceptRooms, this.flags);
  }

  in(room) {
    return this.to(room);
  }

  except(room) {
    const except = new Set(this.exceptRooms);
    if (Array.isArray(room)) room.forEach((one) => except.add(one));
    else except.add(room);
    return new BroadcastOperator(this.adapter, this.rooms, except, this.flags);
  }

  compress(compress) {
    return this._with({ compress });
  }

  get volatile() {
    return this._with({ volatile: true });
  }

  get local() {
    return this._with({ local: true });
  }

  timeout(timeout) {
    return this._with({ timeout });
  }

  _with(flag) {
    return new BroadcastOperator(this.adapter, this.rooms, this.exceptRooms, { ...this.flags, ...flag });
  }

  _options() {
    return { rooms: this.rooms, except: this.exceptRooms, flags: this.flags };
  }

  emit(ev, ...args) {
    if (RESERVED.has(ev)) throw new Error(`"${String(ev)}" is a reserved event name`);
    const data = [ev, ...args];
    const packet = { type: 2, data };
    if (typeof data[data.length - 1] !== 'function') {
      this.adapter.broadcast(packet, this._options());
      return true;
    }
    const ack = data.pop();
    let isOver = false;
    const responses = [];
    const timer = setTimeout(() => {
      isOver = true;
      forget?.();
      ack.apply(this, [new Error('operation has timed out'), this.flags.expectSingleResponse ? null : responses]);
    }, this.flags.timeout);
    let servers = -1;
    let answered = 0;
    let clients = 0;
    const check = () => {
      if (!isOver && servers === answered && responses.length === clients) {
        clearTimeout(timer);
        ack.apply(this, [null, this.flags.expectSingleResponse ? responses[0] : responses]);
      }
    };
    const forget = this.adapter.broadcastWithAck(packet, this._options(), (count) => {
      clients += count;
      answered++;
      check();
    }, (response) => {
      responses.push(response);
      check();
    });
    this.adapter.serverCount().then((count) => {
      servers = count;
      check();
    });
    return true;
  }

  emitWithAck(ev, ...args) {
    return new Promise((resolve, reject) => {
      this.emit(ev, ...args, (error, responses) => {
        if (!error) return resolve(responses);
        error.responses = responses;
        reject(error);
      });
    });
  }

  allSockets() {
    if (!this.adapter) throw new Error('No adapter for this namespace, are you trying to get the list of clients of a dynamic namespace?');
    return this.adapter.sockets(this.rooms);
  }

  fetchSockets() {
    return this.adapter.fetchSockets(this._options()).then((sockets) =>
      sockets.map((socket) => (socket.server ? socket : new RemoteSocket(this.adapter, socket))));
  }

  socketsJoin(room) {
    this.adapter.addSockets(this._options(), Array.isArray(room) ? room : [room]);
  }

  socketsLeave(room) {
    this.adapter.delSockets(this._options(), Array.isArray(room) ? room : [room]);
  }

  disconnectSockets(close = false) {
    this.adapter.disconnectSockets(this._options(), close);
  }
}

/** A socket of another node. */
class RemoteSocket {
  constructor(adapter, details) {
    this.id = details.id;
    this.handshake = details.handshake;
    this.rooms = new Set(details.rooms);
    this.data = details.data;
    this.operator = new BroadcastOperator(adapter, new Set([this.id]), new Set(), { expectSingleResponse: true });
  }

  timeout(timeout) {
    return this.operator.timeout(timeout);
  }

  emit(ev, ...args) {
    return this.operator.emit(ev, ...args);
  }

  emitWithAck(ev, ...args) {
    return this.operator.emitWithAck(ev, ...args);
  }

  join(room) {
    return this.operator.socketsJoin(room);
  }

  leave(room) {
    return this.operator.socketsLeave(room);
  }

  disconnect(close = false) {
    this.operator.disconnectSockets(close);
    return this;
  }
}

module.exports = { BroadcastOperator, RemoteSocket };
