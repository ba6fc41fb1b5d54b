'use strict';
// Raw clients: most of them begin something and do not end it.
const net = require('net');
const assert = require('assert');
const { Poll, Ws, request, sleep } = require('../lib/raw');

const generation = (pick) => pick([3, 4]);

async function session(port, eio) {
  const p = new Poll(port, { eio });
  const res = await p.open();
  assert.strictEqual(res.status, 200, 'handshake: ' + (res.status || res.error));
  return p;
}

function connection(port, bytes, ms) {
  return new Promise((resolve) => {
    const s = net.connect(port, '127.0.0.1', () => s.write(bytes));
    s.on('error', () => {});
    s.on('close', resolve);
    s.resume();
    setTimeout(() => s.destroy(), ms);
  });
}

const RAW = {
  // a session that nobody polls: the ping timeout ends it
  'abandoned session': async (port, random, pick) => { await session(port, generation(pick)); },
  'abandoned poll': async (port, random, pick) => {
    const p = await session(port, generation(pick));
    await connection(port, `GET ${p.url()} HTTP/1.1\r\nHost: x\r\n\r\n`, 20);
  },
  'abandoned probe': async (port, random, pick) => {
    const eio = generation(pick);
    const p = await session(port, eio);
    const w = new Ws(port, { eio, sid: p.sid });
    await w.opened;
    w.send('2probe');
    await w.next();
    w.terminate();
  },
  'closed session': async (port, random, pick) => {
    const p = await session(port, generation(pick));
    if (p.eio === 4) assert.strictEqual((await p.post('40')).status, 200);
    assert.strictEqual((await p.post('1')).status, 200);
  },
  'half a request': (port) => connection(port, 'POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Le', 50),
  'half a body': async (port, random, pick) => {
    const p = await session(port, generation(pick));
    await connection(port, `POST ${p.url()} HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n${'x'.repeat(20_000)}`, 50);
  },
  'half a message': async (port, random, pick) => {
    const w = new Ws(port, { eio: generation(pick) });
    await w.opened;
    w.ws.send('42["e","' + 'x'.repeat(50_000), { fin: false });
    await sleep(20);
    w.terminate();
  },
  'refused POST': async (port) => {
    const res = await request(port, { method: 'POST', path: '/socket.io/?EIO=4&transport=polling&sid=none', body: 'x'.repeat(60_000) });
    assert.strictEqual(res.status, 400, `refusal: ${res.status || res.error}`);
  },
  'bytes that are nothing': async (port, random) => {
    await connection(port, Buffer.from(Array.from({ length: 200 }, () => Math.floor(random() * 256))), 30);
  },
  'a packet that is nothing': async (port, random, pick) => {
    const w = new Ws(port, { eio: generation(pick) });
    await w.opened;
    w.send(pick(['9', '4x', '42[', '451-["e"]', '42["e",' + '['.repeat(50), '40/nope,']));
    await sleep(20);
    w.terminate();
  },
  'one that reads nothing': async (port, random, pick) => {
    const w = new Ws(port, { eio: generation(pick) });
    await w.opened;
    w.send('40');
    w.ws._socket.pause();
    for (let i = 0; i < 20; i++) w.send(`42["e","${'x'.repeat(20_000)}"]`);
    await sleep(100);
    w.terminate();
  },
};

module.exports = { RAW };
