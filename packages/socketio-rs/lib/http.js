// The way in through an `http.Server` of Node: its requests are answered by the core, and its connections are
// handed over when they are upgraded.

'use strict';

const http = require('node:http');
const { FIELD } = require('./wire');

/** Bytes of a bridged stream that may be underway to the core. */
const MAX_BRIDGED = 256 * 1024;

/** What is told when there is no core any more. */
const CLOSED = { status: 503, code: 3, message: 'Service Unavailable' };

const REFUSALS = {
  3: 'Bad request',
  4: 'Forbidden',
};

class Front {
  /** @param {import('./server').Server} io */
  constructor(io, httpServer) {
    this.io = io;
    this.httpServer = httpServer;
    this.answers = new Map();
    this.bridges = new Map();
    /** The core that is ending, once it is. */
    this.ending = undefined;
    this.listeners = httpServer.listeners('request').slice();
    httpServer.removeAllListeners('request');
    this.onRequest = (req, res) => this.request(req, res);
    this.onUpgrade = (req, socket, head) => this.upgrade(req, socket, head);
    this.onClose = () => io._httpClosed();
    httpServer.on('request', this.onRequest);
    if (io.opts.transports.includes('websocket')) httpServer.on('upgrade', this.onUpgrade);
    httpServer.on('close', this.onClose);
  }

  /** The core: made when the first client comes; once it ends, no other. */
  wire() {
    if (this.ending) return this.ending;
    this.io._start();
    return this.io._wire;
  }

  /** The server is closed: what still comes is for the core that ends, or refused. */
  endWith(wire) {
    this.ending = wire;
    this.httpServer.removeListener('close', this.onClose);
  }

  /** Whether a request is for the engine, by its path. */
  isOurs(req) {
    const path = this.io.engine.opts.addTrailingSlash === false ? this.io._path : `${this.io._path}/`;
    return req.url.slice(0, path.length) === path;
  }

  /** The target that the core sees: its path ends with a slash always. */
  target(req) {
    if (this.io.engine.opts.addTrailingSlash !== false) return req.url;
    const rest = req.url.slice(this.io._path.length);
    return rest.startsWith('/') ? req.url : `${this.io._path}/${rest}`;
  }

  // ---- requests -------------------------------------------------------------------------------

  request(req, res) {
    const { io } = this;
    if (!this.isOurs(req)) {
      for (const listener of this.listeners) listener.call(this.httpServer, req, res);
      return;
    }
    if (io._serveClient && io._files.handles(req, io._path)) {
      io.engine._applyCors(req, res, () => io._files.serve(req, res, io._path));
      return;
    }
    const wire = this.wire();
    if (wire.isClosed) return refuse(res, CLOSED);
    prepare(req);
    io.engine._run(req, res, (error) => {
      if (error) return refuse(res, error);
      this.admit(req, false, (refusal, id) => {
        if (refusal) {
          io.engine._refused(req, refusal);
          return refuse(res, refusal);
        }
        this.withBody(req, res, (body) => this.ask(wire, req, res, body, id));
      });
    });
  }

  /** Whether a handshake may go on, and with which id. */
  admit(req, isUpgrade, done) {
    const { engine } = this.io;
    const { transport, sid } = req._query;
    const isHandshake = sid === undefined && req.method === 'GET' &&
      engine.opts.transports.includes(transport) && isUpgrade === (transport === 'websocket');
    if (!isHandshake) return done();
    const withId = () => engine._makeId(req, done);
    const allow = this.io._allowRequest();
    if (!allow) return withId();
    let isDone = false;
    allow(req, (message, success) => {
      if (isDone) return;
      isDone = true;
      if (success) return withId();
      done(this.io._refusal(message));
    });
  }

  withBody(req, res, done) {
    if (req.method === 'GET' || req.method === 'HEAD') return done(null);
    const limit = this.io.engine.opts.maxHttpBufferSize;
    if (Number(req.headers['content-length']) > limit) return tooLarge(req, res);
    const chunks = [];
    let length = 0;
    req.on('data', (chunk) => {
      length += chunk.length;
      if (length > limit) {
        req.removeAllListeners('data');
        return tooLarge(req, res);
      }
      chunks.push(chunk);
    });
    req.on('end', () => length <= limit && done(Buffer.concat(chunks)));
  }

  ask(wire, req, res, body, id) {
    if (wire.isClosed) return refuse(res, CLOSED);
    const number = wire.expect(this);
    const { io } = this;
    const isHandshake = req._query.sid === undefined;
    if (isHandshake) io._keepRequest(number, req);
    this.answers.set(number, { wire, req, res, isHandshake });
    res.on('close', () => {
      if (!this.answers.delete(number)) return;
      wire.requests.delete(number);
      io._forgetRequest(number);
      if (!wire.isClosed) wire.ask('abort', number);
    });
    wire.request(number, this.head(req, id, []), body);
  }

  /** The core's answer. */
  answer(number, status, headers, body) {
    const answer = this.answers.get(number);
    if (!answer) return;
    this.answers.delete(number);
    const { wire, req, res, isHandshake } = answer;
    wire.requests.delete(number);
    const { io } = this;
    if (status >= 400) {
      if (isHandshake) io._forgetRequest(number);
      io.engine._refusedBy(req, body);
    }
    const all = {};
    for (let i = 0; i < headers.length; i += 2) {
      const [name, value] = [headers[i], headers[i + 1]];
      all[name] = name in all ? [].concat(all[name], value) : value;
    }
    if (isHandshake && status === 200) io.engine.emit('initial_headers', all, req);
    io.engine.emit('headers', all, req);
    for (const name of Object.keys(all)) {
      // what a middleware said comes first
      const before = name === 'vary' || name === 'set-cookie' ? res.getHeader(name) : undefined;
      const value = all[name];
      if (before === undefined) res.setHeader(name, value);
      else res.setHeader(name, name === 'vary' ? `${before}, ${value}` : [].concat(before, value));
    }
    if (!res.hasHeader('content-length') && status !== 204 && status !== 304) {
      res.setHeader('content-length', body.length);
    }
    res.writeHead(status);
    res.end(body);
  }

  // ---- upgrades -------------------------------------------------------------------------------

  upgrade(req, socket, head) {
    const { io } = this;
    if (!this.isOurs(req)) {
      if (io.engine.opts.destroyUpgrade === false) return;
      const timer = setTimeout(() => {
        if (socket.writable && socket.bytesWritten <= 0) {
          socket.on('error', () => {});
          socket.end();
        }
      }, io.engine.opts.destroyUpgradeTimeout ?? 1000);
      timer.unref();
      return;
    }
    const wire = this.wire();
    if (wire.isClosed) return refuseUpgrade(socket, CLOSED);
    prepare(req);
    const onError = () => {};
    socket.on('error', onError);
    // a response that is never written: middleware sets its headers
    const res = new http.ServerResponse(req);
    io.engine._run(req, res, (error) => {
      if (error) return refuseUpgrade(socket, error);
      this.admit(req, true, (refusal, id) => {
        if (refusal) {
          io.engine._refused(req, refusal);
          return refuseUpgrade(socket, refusal);
        }
        this.takeOver(wire, req, socket, head, id, res);
      });
    });
  }

  takeOver(wire, req, socket, head, id, res) {
    const { io } = this;
    if (socket.destroyed) return;
    if (wire.isClosed) return refuseUpgrade(socket, CLOSED);
    const headers = { ...res.getHeaders() };
    const isHandshake = req._query.sid === undefined;
    if (isHandshake) io.engine.emit('initial_headers', headers, req);
    io.engine.emit('headers', headers, req);
    const further = [];
    for (const [name, value] of Object.entries(headers)) {
      for (const one of [].concat(value)) further.push(name, String(one));
    }
    const number = wire.expect(this);
    if (isHandshake) io._keepRequest(number, req);
    const request = this.head(req, id, further);
    const chunks = [head];
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) chunks.push(chunk);
    const prefix = Buffer.concat(chunks);
    const descriptor = socket.encrypted ? -1 : (socket._handle?.fd ?? -1);
    if (descriptor < 0) return this.bridge(wire, number, request, prefix, socket);
    if (!wire.upgrade(number, request, prefix, descriptor)) {
      wire.requests.delete(number);
      io._forgetRequest(number);
      return refuseUpgrade(socket, CLOSED);
    }
    // Node's descriptor only: the connection lives on
    socket.destroy();
  }

  /** The answer to an upgrade was written. */
  upgraded(number, status) {
    if (status !== 101) this.io._forgetRequest(number);
    // of a bridged connection more is to come
    if (!this.bridges.has(number)) this.io._wireOrNone()?.requests.delete(number);
  }

  /** Carries the bytes of a stream that has no descriptor of its own. */
  bridge(wire, number, request, prefix, socket) {
    const bridge = { socket, wire, underway: 0 };
    this.bridges.set(number, bridge);
    wire.bridge(number, request, prefix);
    socket.on('data', (chunk) => {
      bridge.underway += chunk.length;
      if (bridge.underway > MAX_BRIDGED) socket.pause();
      wire.bridged(number, chunk);
    });
    const ended = () => wire.bridged(number, null);
    socket.once('end', ended);
    socket.once('close', () => {
      this.bridges.delete(number);
      wire.requests.delete(number);
      ended();
    });
    socket.resume();
  }

  /** Bytes for a bridged stream, or its end. */
  carry(number, bytes) {
    const bridge = this.bridges.get(number);
    if (bytes === null) {
      if (bridge) bridge.socket.end(() => bridge.socket.destroySoon?.());
      return;
    }
    if (!bridge) return;
    bridge.socket.write(bytes, () => bridge.wire.command(`V${FIELD}${number}${FIELD}${bytes.length}`));
  }

  /** The core has taken bytes of a bridged stream. */
  taken(number, count) {
    const bridge = this.bridges.get(number);
    if (!bridge) return;
    bridge.underway -= count;
    if (bridge.underway <= MAX_BRIDGED / 2 && bridge.socket.isPaused()) bridge.socket.resume();
  }

  /** What the core reads of a request. */
  head(req, id, further) {
    const { remoteAddress = '', remotePort = 0, encrypted } = req.socket;
    const fields = [req.method, this.target(req), remoteAddress, remotePort, encrypted ? 1 : 0, id ?? '',
      further.length / 2, ...further, ...req.rawHeaders];
    return fields.join(FIELD);
  }
}

function prepare(req) {
  if (req._query) return;
  const at = req.url.indexOf('?');
  req._query = at < 0 ? {} : parse(req.url.slice(at + 1));
}

function parse(text) {
  const query = {};
  for (const [name, value] of new URLSearchParams(text)) {
    query[name] = name in query ? [].concat(query[name], value) : value;
  }
  return query;
}

function refuse(res, refusal) {
  if (res.headersSent) return;
  if (refusal instanceof Error) refusal = { status: 400, code: 3, message: 'Bad request' };
  const { status = 400, code = 3, message = REFUSALS[code] } = refusal;
  res.writeHead(status, { 'Content-Type': 'application/json', ...(status === 503 && { Connection: 'close' }) });
  res.end(JSON.stringify({ code, message }));
}

function refuseUpgrade(socket, refusal) {
  if (refusal instanceof Error) refusal = { status: 400, message: 'Bad request' };
  if (!socket.writable) return socket.destroy();
  const { status = 400, message } = refusal;
  const length = Buffer.byteLength(message);
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-type: text/html\r\n` +
      `Content-Length: ${length}\r\n\r\n${message}`,
    () => socket.destroy(),
  );
}

function tooLarge(req, res) {
  res.writeHead(413, { Connection: 'close' });
  res.end(() => req.destroy());
}

module.exports = { Front };
