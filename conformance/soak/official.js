'use strict';
// The official clients: they connect in one of three ways, say some things, and leave in one of four.
const assert = require('assert');

const CLIENTS = ['sioc-1.7.4', 'sioc-2.0.4', 'sioc-2.5.0', 'sioc-3.1.3', 'sioc-4.8.4'];
const WAYS = [['polling'], ['websocket'], ['polling', 'websocket']];
const ENDS = ['disconnect', 'close', 'vanish', 'kicked'];
const PATIENCE = 20000;

async function official(port, random, pick) {
  const client = pick(CLIENTS);
  const transports = pick(WAYS);
  const end = pick(ENDS);
  const socket = require(client)(`http://127.0.0.1:${port}`, { forceNew: true, reconnection: false, transports, timeout: PATIENCE });
  const sockets = [socket];
  let timer;
  try {
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('it took too long')), PATIENCE); });
    await Promise.race([converse(socket, sockets, end, random), late]);
  } catch (error) {
    throw new Error(`${client} ${transports} ${end}: ${error.message}`);
  } finally {
    clearTimeout(timer);
    for (const one of sockets) one.disconnect();
    const { engine } = socket.io;
    if (engine) engine.close();
  }
}

async function converse(socket, sockets, end, random) {
  await connected(socket);
  socket.emit('join', 'room-' + Math.floor(random() * 50));
  if (random() < 0.3) {
    const other = socket.io.socket(random() < 0.5 ? '/chat' : '/dyn-' + Math.floor(random() * 100));
    sockets.push(other);
    await connected(other);
    await echo(other, 'there');
  }
  for (let i = Math.floor(random() * 4); i >= 0; i--) {
    const kind = random();
    if (kind < 0.6) await echo(socket, i);
    else if (kind < 0.8) await echo(socket, 'x'.repeat(Math.floor(random() * 20_000)));
    else await echo(socket, Buffer.alloc(1 + Math.floor(random() * 5_000), 7));
  }
  if (end === 'disconnect') socket.disconnect();
  else if (end === 'close') socket.io.engine.close();
  else if (end === 'kicked') {
    const over = new Promise((resolve) => socket.once('disconnect', resolve));
    socket.emit('end');
    await over;
  } else vanish(socket.io.engine.transport);
}

// The connection breaks: a WebSocket without a close, a poll that is given up.
function vanish(transport) {
  if (transport.ws && transport.ws.terminate) transport.ws.terminate();
  else if (transport.pollXhr && transport.pollXhr.abort) transport.pollXhr.abort();
}

function connected(socket) {
  return new Promise((resolve, reject) => {
    if (socket.connected) { resolve(); return; }
    socket.once('connect', resolve);
    for (const event of ['connect_error', 'error']) socket.once(event, (error) => reject(new Error(`${event}: ${(error && error.message) || error}`)));
  });
}

async function echo(socket, value) {
  const got = await new Promise((resolve, reject) => {
    socket.once('disconnect', (reason) => reject(new Error('disconnected: ' + reason)));
    socket.emit('e', value, resolve);
  });
  assert.deepStrictEqual(Buffer.isBuffer(value) ? Buffer.from(got) : got, value);
}

module.exports = { official };
