// A client's connection as its sockets share it.

'use strict';

const { FIELD } = require('./wire');

class Client {
  constructor(server, state) {
    this.server = server;
    this._state = state;
    this.id = state.id;
    this.encoder = server.encoder;
  }

  get conn() {
    return this.server._connOf(this._state);
  }

  get request() {
    return this.server._requestOf(this._state);
  }

  /** The connected sockets, by their ids. */
  get sockets() {
    return new Map(this._connected().map((socket) => [socket.id, socket]));
  }

  /** The same, by their namespaces. */
  get nsps() {
    return new Map(this._connected().map((socket) => [socket.nsp.name, socket]));
  }

  _connected() {
    return this._state.sockets.filter((socket) => socket.connected);
  }

  /** What is no packet ends the connection; packets are decoded by the core. */
  ondata(data) {
    if (typeof data === 'string' || data instanceof Uint8Array) {
      throw new Error('socketio-rs: packets are decoded by the core');
    }
    const error = new Error(`Unknown type: ${data}`);
    for (const socket of this._connected()) socket._onerror(error);
    const sockets = this._connected();
    process.nextTick(() => {
      for (const socket of sockets) socket._end('forced close');
      this.close();
    });
  }

  /** Ends all sockets, and the connection. */
  _disconnect() {
    this.server._disconnectClient(this._state);
  }

  /** Sends packets that are encoded: what adapters of others call. */
  writeToEngine(packets, opts = {}) {
    const conn = this.conn;
    if (opts.volatile && !conn.transport.writable) return;
    for (const packet of Array.isArray(packets) ? packets : [packets]) conn.write(packet);
  }

  /** Closes the connection alone. */
  close() {
    this._state.wire.command(`C${FIELD}${this.id}`);
  }
}

module.exports = { Client };
