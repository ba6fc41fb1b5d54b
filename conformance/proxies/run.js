#!/usr/bin/env node
'use strict';
// node run.js --server PROGRAM --nginx PROGRAM [--only TEXT] [--verbose]
// The fixture server behind nginx: one server, and a group of two whose clients are told apart by the header x-client.
const assert = require('assert');
const { Servers } = require('../lib/servers');
const { eio4, request, sleep } = require('../lib/raw');
const { Nginx } = require('./nginx');

const args = {};
for (let words = process.argv.slice(2); words.length;) {
  const name = words.shift().replace(/^--/, '');
  if (name === 'verbose') args[name] = true;
  else if (['server', 'nginx', 'only'].includes(name) && words.length) args[name] = words.shift();
  else { console.error('unknown option ' + name); process.exit(2); }
}

const CLIENTS = ['sioc-1.7.4', 'sioc-2.0.4', 'sioc-2.5.0', 'sioc-3.1.3', 'sioc-4.8.4'];
const WAYS = { polling: ['polling'], websocket: ['websocket'], upgrade: ['polling', 'websocket'] };
const PATIENCE = 20000;
const total = { passed: 0, failed: 0 };
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
process.on('unhandledRejection', () => {});

main().catch((error) => { console.log(`proxies: fail (${error.message})`); process.exit(1); });

async function main() {
  const servers = new Servers(`'${args.server}'`);
  const [alone, ...nodes] = [await servers.start('default'), await servers.start('default'), await servers.start('default')];
  assert(alone.up && nodes.every((node) => node.up), 'a server did not start: ' + alone.err);
  const nginx = await Nginx.start(args.nginx, alone.port, nodes.map((node) => node.port));
  for (const [where, port] of [['single', nginx.single], ['group', nginx.group]]) {
    for (const client of CLIENTS) {
      for (const [way, transports] of Object.entries(WAYS)) {
        await check(`${where}/conversation [${client} ${way}]`, () => conversation(client, port, transports));
      }
    }
    for (const size of [60_000, 900_000]) {
      for (const [why, refused] of Object.entries(REFUSED)) {
        await check(`${where}/refused POST, ${why}, ${size} bytes`, () => refusals(port, size, refused));
      }
    }
    await check(`${where}/clients after refusals`, () => served(port));
  }
  await check('a log without failures of a server', () => quiet(nginx.log));
  await check('group/the clients of a node that ends come back', () => moved(nginx.group, nodes[1], servers));
  await nginx.stop();
  for (const server of [alone, nodes[0]]) await check('a server ends', async () => assert.strictEqual(await servers.stop(server), null));
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exit(total.failed ? 1 : 0);
}

async function check(name, run) {
  if (args.only && !name.includes(args.only)) return;
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('timed out')), PATIENCE); });
  try {
    await Promise.race([run(), late]);
    total.passed++;
    if (args.verbose) console.log(`${name}: pass`);
  } catch (error) {
    total.failed++;
    console.log(`${name}: fail (${error.message.replace(/\s+/g, ' ').slice(0, 400)})`);
  } finally { clearTimeout(timer); }
}

// ---------------------------------------------------------------- clients
let clients = 0;

function open(client, port, transports, opts) {
  const headers = { 'x-client': String(clients++) };
  return require(client)(`http://127.0.0.1:${port}`, {
    forceNew: true, reconnection: false, transports, extraHeaders: headers, query: { label: 'x' },
    // 3.x and 2.x take the headers of WebSockets per transport
    transportOptions: { polling: { extraHeaders: headers }, websocket: { extraHeaders: headers } }, ...opts,
  });
}

const heard = (socket, event) => new Promise((resolve, reject) => {
  socket.once(event, (...values) => resolve(values));
  if (event === 'connect') socket.once('connect_error', (error) => reject(new Error('connect_error: ' + (error.message || error))));
});
const asked = (socket, ...values) => new Promise((resolve) => socket.emit(...values, (...answer) => resolve(answer)));

// Everything that takes another way through a proxy: small, large, binary, both directions, both ends.
async function conversation(client, port, transports) {
  const socket = open(client, port, transports);
  try {
    await heard(socket, 'connect');
    if (transports.length === 2) await upgraded(socket);
    assert.deepStrictEqual(await asked(socket, 'echo-ack', 'a', 1), ['a', 1]);
    const large = 'é'.repeat(100_000);
    const echo = heard(socket, 'echo');
    socket.emit('echo', large, Buffer.from([1, 2]));
    const [text, bytes] = await echo;
    assert.strictEqual(text, large);
    assert.strictEqual(Buffer.from(bytes).toString('hex'), '0102');
    const numbers = [];
    const all = new Promise((resolve) => socket.on('seq', (i) => { if (numbers.push(i) === 50) resolve(); }));
    socket.emit('emit-many', 50);
    await all;
    assert.deepStrictEqual(numbers, Array.from({ length: 50 }, (_, i) => i));
    const end = heard(socket, 'disconnect');
    const bye = heard(socket, 'bye');
    socket.emit('kick-after-emit', true);
    assert.deepStrictEqual(await bye, [1]);
    assert.strictEqual((await end)[0], 'io server disconnect');
  } finally { socket.disconnect(); }
}

async function upgraded(socket) {
  const { engine } = socket.io;
  if (engine.transport.name !== 'websocket') await new Promise((resolve) => engine.once('upgrade', resolve));
}

// ---------------------------------------------------------------- refusals
const BASE = '/socket.io/?EIO=4&transport=polling';
const REFUSED = {
  'unknown session': async () => ({ path: BASE + '&sid=AAAAAAAAAAAAAAAAAAAA', type: 'text/plain' }),
  'no session': async () => ({ path: BASE, type: 'text/plain' }),
  'wrong content type': async (port, headers) => {
    const answer = await request(port, { path: BASE, headers });
    assert.strictEqual(answer.status, 200);
    const { sid } = JSON.parse(eio4.decode(answer.text)[0].slice(1));
    return { path: `${BASE}&sid=${sid}`, type: 'application/octet-stream' };
  },
};

// Twenty at once: with the faults of one, nginx holds a whole group for failed.
async function refusals(port, size, refused) {
  const body = 'x'.repeat(size);
  const answers = await Promise.all(Array.from({ length: 20 }, async () => {
    const headers = { 'x-client': String(clients++) };
    const { path, type } = await refused(port, headers);
    const answer = await request(port, { method: 'POST', path, body, headers: { ...headers, 'content-type': type } });
    return answer.status || answer.error;
  }));
  const other = answers.filter((status) => !(status >= 400 && status < 500));
  assert.ok(!other.length, `of 20: ${JSON.stringify(count(answers))}`);
}

async function served(port) {
  const answers = await Promise.all(Array.from({ length: 20 }, async () => {
    const answer = await request(port, { path: BASE, headers: { 'x-client': String(clients++) } });
    return answer.status || answer.error;
  }));
  assert.deepStrictEqual(count(answers), { 200: 20 });
}

function count(list) {
  const counts = {};
  for (const item of list) counts[item] = (counts[item] || 0) + 1;
  return counts;
}

// ---------------------------------------------------------------- a node that ends
async function moved(port, node, servers) {
  const opts = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200, randomizationFactor: 0 };
  const sockets = Array.from({ length: 8 }, (_, i) => open('sioc-4.8.4', port, i % 2 ? ['websocket'] : ['polling'], opts));
  try {
    await Promise.all(sockets.map((socket) => heard(socket, 'connect')));
    assert.strictEqual(await servers.stop(node), null);
    // let them see it
    await sleep(200);
    await Promise.all(sockets.map(async (socket) => {
      if (!socket.connected) await heard(socket, 'connect');
      assert.deepStrictEqual(await asked(socket, 'echo-ack', 'there'), ['there']);
    }));
  } finally { for (const socket of sockets) socket.disconnect(); }
}

async function quiet(log) {
  const lines = log.split('\n').filter((line) => /upstream|reset by peer|no live/.test(line));
  assert.ok(!lines.length, `${lines.length} lines, the first: ${lines[0]}`);
}
