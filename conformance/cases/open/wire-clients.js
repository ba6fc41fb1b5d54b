'use strict';
// What clients send that are not the official ones, by their bytes: elephant.io (PHP), SocketIOClient (.NET), Swift's, those of small devices.
const http = require('http');
const net = require('net');
const { client, raw } = require('../../lib/case');

const BOTH = ['2.0.4', '4.8.4'];

// Writes all of a body before it reads, as a proxy or an event loop does, piece by piece; gives the status.
function post(port, path, headers, size) {
  return new Promise((resolve) => {
    const head = Object.entries({ Host: `127.0.0.1:${port}`, 'Content-Length': size, ...headers });
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.write(`POST ${path} HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
      const piece = Buffer.alloc(16384, 'x');
      for (let left = size; left > 0; left -= piece.length) socket.write(piece.subarray(0, Math.min(left, piece.length)));
    });
    let text = '';
    const status = () => (/^HTTP\/1\.1 (\d{3})/.exec(text) ? Number(/ (\d{3})/.exec(text)[1]) : null);
    const finish = (why) => { socket.destroy(); resolve(status() || why); };
    socket.setEncoding('latin1');
    socket.on('data', (data) => { text += data; if (text.includes('\r\n\r\n') && socket.bytesWritten > size && !socket.writableLength) finish(); });
    socket.on('error', (error) => finish(error.code));
    socket.on('close', () => finish('closed'));
    socket.setTimeout(10000, () => finish('silence'));
  });
}

// The answer to a WebSocket handshake as it came, field by field.
function handshake(port, headers = {}, query = 'EIO=4&transport=websocket') {
  return new Promise((resolve, reject) => {
    const req = http.get({ host: '127.0.0.1', port, path: '/socket.io/?' + query, agent: false, headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers } });
    req.on('upgrade', (res, socket) => { socket.destroy(); resolve({ status: res.statusCode, names: res.rawHeaders.filter((_, i) => i % 2 === 0), headers: res.headers }); });
    req.on('response', (res) => { res.resume(); resolve({ status: res.statusCode }); });
    req.on('error', reject);
  });
}

// A session over polling that is ready to upgrade, as elephant.io makes it: join by POST, read the answer by one poll.
async function phpSession(t, query) {
  const p = t.newPoll({ query });
  await p.open();
  if (t.gen === 4) { await p.post('40'); await p.poll(); }
  return p;
}

module.exports = [
  // elephant.io of all versions; .NET's client with `AutoUpgrade`, its default
  raw('an upgrade without a probe', { refs: BOTH }, async (t) => {
    const p = await phpSession(t);
    const w = t.newWs({ sid: p.sid });
    await w.opened;
    w.send('5');
    w.send('42["echo","hello"]');
    t.eq(await until(w, '42["echo","hello"]'), '42["echo","hello"]');
  }),
  raw('an upgrade without a probe takes along what waits', { refs: BOTH }, async (t) => {
    const p = await phpSession(t);
    if (t.gen === 3) await p.msg();
    await p.post('42["echo","waits"]');
    const w = t.newWs({ sid: p.sid });
    await w.opened;
    w.send('5');
    t.eq(await until(w, '42["echo","waits"]'), '42["echo","waits"]');
    const r = await p.poll();
    t.eq(r.status, 400, 'polling is over');
  }),
  raw('the first packet of elephant.io, in its own frames', { refs: BOTH }, async (t) => {
    const p = await phpSession(t);
    const w = t.newWs({ sid: p.sid, headers: { Origin: '*' } });
    await w.opened;
    w.send('5');
    // it asks for an acknowledgement at once, and sends binary as it is
    w.send('421["echo-ack",1]');
    t.eq(await until(w, '431[1]'), '431[1]');
    w.send('451-["echo",{"_placeholder":true,"num":0}]');
    w.send(t.bin([1, 2]));
    t.eq([await w.msg(), await w.msg()], ['451-["echo",{"_placeholder":true,"num":0}]', t.bin([1, 2])]);
  }),
  // Clients stop polling once their probe was answered: what the server says then goes over the WebSocket.
  raw('an end by the server during an upgrade', { refs: BOTH }, async (t) => {
    const p = await phpSession(t);
    const w = t.newWs({ sid: p.sid });
    await w.opened;
    w.send('2probe');
    t.eq(await w.next(), '3probe');
    await p.post('42["kick-after-emit",true]');
    w.send('5');
    t.eq(await until(w, '42["bye",1]'), '42["bye",1]');
    t.eq(await w.msg(), '41', 'its reason');
    t.ok(await w.waitClose(), 'closed');
  }),
  raw('a namespace ended by the server during an upgrade', { refs: BOTH }, async (t) => {
    const p = await phpSession(t);
    const w = t.newWs({ sid: p.sid });
    await w.opened;
    w.send('2probe');
    t.eq(await w.next(), '3probe');
    await p.post('42["kick-after-emit",false]');
    w.send('5');
    t.eq(await until(w, '42["bye",1]'), '42["bye",1]');
    t.eq(await w.msg(), '41', 'its reason');
  }),
  // ESP-IDF and others compare names of fields as RFC 6455 prints them.
  raw('the fields of the 101 answer are spelled as in RFC 6455', { refs: BOTH }, async (t) => {
    const { names } = await handshake(t.port, {}, `EIO=${t.gen}&transport=websocket`);
    for (const name of ['Upgrade', 'Connection', 'Sec-WebSocket-Accept']) t.ok(names.includes(name), `${name} in ${names}`);
  }),
  raw('the fields of a 101 answer with compression are spelled as in RFC 6455', { refs: BOTH, profile: 'deflate' }, async (t) => {
    const { names } = await handshake(t.port, { 'Sec-WebSocket-Extensions': 'permessage-deflate' }, `EIO=${t.gen}&transport=websocket`);
    t.ok(names.includes('Sec-WebSocket-Extensions'), `Sec-WebSocket-Extensions in ${names}`);
  }),
  raw('the first subprotocol that is offered is selected', { refs: BOTH }, async (t) => {
    const query = `EIO=${t.gen}&transport=websocket`;
    t.eq((await handshake(t.port, { 'Sec-WebSocket-Protocol': 'first, second' }, query)).headers['sec-websocket-protocol'], 'first');
    t.eq((await handshake(t.port, {}, query)).headers['sec-websocket-protocol'], undefined, 'none is offered');
    const p = await phpSession(t);
    const upgrade = await handshake(t.port, { 'Sec-WebSocket-Protocol': 'v1.app' }, `${query}&sid=${p.sid}`);
    t.eq(upgrade.headers['sec-websocket-protocol'], 'v1.app', 'for an upgrade');
  }),
  // An ES module that a page of another origin imports.
  raw('the client\'s files have the headers of CORS', { refs: ['4.8.4'] }, async (t) => {
    const files = ['socket.io.js', 'socket.io.js.map', ...(t.gen === 4 ? ['socket.io.esm.min.js'] : [])];
    for (const file of files) {
      const headers = { origin: 'http://elsewhere.test' };
      const r = await t.request({ path: '/socket.io/' + file, headers });
      t.eq([r.status, r.headers['access-control-allow-origin']], [200, 'http://elsewhere.test'], file);
      const again = await t.request({ path: '/socket.io/' + file, headers: { ...headers, 'if-none-match': r.headers.etag } });
      t.eq([again.status, again.headers['access-control-allow-origin']], [304, 'http://elsewhere.test'], file + ', again');
    }
  }),
  // Swift's and old Node clients say it in polling; their WebSockets take binary frames.
  raw('b64=1 of the polling requests is not the WebSocket\'s', { refs: BOTH, gens: [3] }, async (t) => {
    const p = await phpSession(t, '&b64=1');
    const w = t.newWs({ sid: p.sid });
    await upgrade(t, w);
    w.send('451-["echo",{"_placeholder":true,"num":0}]');
    w.send(t.bin([1, 2]));
    t.eq([await until(w, '451-["echo",{"_placeholder":true,"num":0}]'), await w.msg()], ['451-["echo",{"_placeholder":true,"num":0}]', t.bin([1, 2])]);
  }),
  raw('b64=1 of the WebSocket alone is heard', { refs: BOTH, gens: [3] }, async (t) => {
    const p = await phpSession(t);
    const w = t.newWs({ sid: p.sid, query: '&b64=1' });
    await upgrade(t, w);
    w.send('451-["echo",{"_placeholder":true,"num":0}]');
    w.send(t.b64([1, 2]));
    t.eq([await until(w, '451-["echo",{"_placeholder":true,"num":0}]'), await w.msg()], ['451-["echo",{"_placeholder":true,"num":0}]', t.b64([1, 2])]);
  }),
  raw('the name of an event is a number', { refs: BOTH }, async (t) => {
    const w = await t.ws();
    w.send('42[7,"x"]');
    t.eq(await w.msg(), '42["seven","x"]');
    w.send('42["7",1]');
    t.eq(await w.msg(), '42["seven",1]');
    w.send('42[7.5,1]');
    w.send('42["echo","still"]');
    t.eq(await w.msg(), '42["echo","still"]', 'nobody hears 7.5, and the connection goes on');
  }),
  raw('a poll that crosses the POST that closes the session', { refs: [] }, async (t) => {
    const p = await t.poll();
    if (t.gen === 3) p.queue = [];
    t.eq((await p.post('1')).status, 200);
    const late = await p.poll();
    t.eq([late.status, late.packets], [200, ['6']], 'a noop');
    const next = await p.poll();
    t.eq([next.status, JSON.parse(next.text).code], [400, 1], 'the next one');
  }),
  ...[['unknown session', 60_000], ['unknown session', 900_000], ['no session', 900_000], ['wrong content type', 900_000], ['no transport', 900_000]].map(([why, size]) => (
    raw(`a refused POST of ${size} bytes gets its answer: ${why}`, { refs: ['4.8.4'], gens: why === 'wrong content type' ? [4] : [3, 4] }, async (t) => {
      const base = `/socket.io/?EIO=${t.gen}&transport=polling`;
      const answers = await Promise.all(Array.from({ length: 20 }, async () => {
        if (why === 'no transport') return post(t.port, `/socket.io/?EIO=${t.gen}`, { 'Content-Type': 'text/plain' }, size);
        if (why === 'no session') return post(t.port, base, { 'Content-Type': 'text/plain' }, size);
        if (why === 'unknown session') return post(t.port, base + '&sid=AAAAAAAAAAAAAAAAAAAA', { 'Content-Type': 'text/plain' }, size);
        const p = t.newPoll();
        await p.open();
        return post(t.port, p.url(), { 'Content-Type': 'application/octet-stream' }, size);
      }));
      const other = answers.filter((status) => !(status >= 400 && status < 500));
      t.eq(other, [], 'answers that are no refusal');
    })
  )),
  client('a burst that is longer than an answer to a poll', { refs: [], profile: 'short-polls' }, async (t) => {
    const s = await t.connect('/');
    const seen = t.collect(s, 'seq');
    s.emit('emit-many', 50);
    await t.until(() => seen.length >= 50, '50 events');
    t.eq(seen, Array.from({ length: 50 }, (_, i) => [i]));
  }),
  raw('at most 16 packets in the answer to a poll, attachments included', { refs: [], profile: 'short-polls' }, async (t) => {
    const p = await t.poll();
    await p.post('42["emit-many",20]');
    t.eq((await p.poll()).packets.length, 16);
    t.eq((await p.poll()).packets.length, 4);
    const binary = '451-["echo",{"_placeholder":true,"num":0}]';
    await p.post(Array.from({ length: 9 }, () => [binary, t.b64([1])]).flat());
    t.eq((await p.poll()).packets.length, 16);
    t.eq((await p.poll()).packets.length, 2);
  }),
  // The moment in which a server ends it is anywhere in an upgrade: nothing is lost, and the reason arrives.
  ...[0, 1, 2, 3, 4, 6].map((ms) => client(`ended by the server ${ms} ms after connecting`, { refs: BOTH, transports: ['upgrade'], clients: (v) => !v.startsWith('1.') }, async (t) => {
    const ends = await Promise.all(Array.from({ length: 10 }, async () => {
      const s = t.socket('/');
      const bye = t.event(s, 'bye').then((args) => args[0], (e) => e.message);
      const end = t.event(s, 'disconnect').then((args) => args[0], (e) => e.message);
      await t.connected(s);
      s.emit('kick-later', ms);
      return JSON.stringify([await bye, await end]);
    }));
    t.eq(ends.filter((end) => end !== '[1,"io server disconnect"]'), [], 'other ends');
  })),
];

async function upgrade(t, w) {
  await w.opened;
  w.send('2probe');
  t.eq(await w.next(), '3probe');
  w.send('5');
}

// Frames up to this one; the frame, or what came last instead.
async function until(w, frame) {
  for (;;) {
    const f = await w.msg();
    if (f === frame || typeof f !== 'string') return f;
  }
}
