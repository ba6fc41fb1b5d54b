#!/usr/bin/env node
'use strict';
// What a broadcast across two nodes costs: CPU of both per delivery, and the delay to a client of the other.
//   node cost.js --server 'CMD' | --as node4  [--clients 50] [--messages 4000] [--bytes 100] [--topology S+S]
// Two nodes of a kind, so many clients on each, all in this process: compare kinds on a quiet machine, not machines.
const fs = require('fs');
const path = require('path');
const { performance } = require('perf_hooks');
const { Redis, sleep } = require('./lib/redis');
const { Cluster } = require('./lib/topology');

const args = { clients: 50, messages: 4000, bytes: 100, topology: 'S+S' };
for (let i = 2; i < process.argv.length; i += 2) args[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];
const as = args.as || 'subject';
const command = args.server ? args.server.split(' ').filter(Boolean) : [process.execPath, path.join(__dirname, 'nodes', as + '.js')];

// CPU of a process, in microseconds (ticks of 10 ms)
const cpu = (pid) => { const f = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' '); return (Number(f[11]) + Number(f[12])) * 10000; };
const percentile = (list, p) => list[Math.min(list.length - 1, Math.floor(list.length * p))];

(async () => {
  const redis = await new Redis().start();
  const cluster = await new Cluster({ name: args.topology, redis, command, as }).start();
  const { io } = require('sioc-4.8.4');
  const clients = await Promise.all(cluster.nodes.flatMap((node) => Array.from({ length: Number(args.clients) }, () => new Promise((resolve, reject) => {
    const c = io(`http://127.0.0.1:${node.port}`, { forceNew: true, reconnection: false, transports: ['websocket'] });
    Object.assign(c, { node, got: 0, last: -1, wrong: 0 });
    c.on('m', (tag, i) => { c.got++; if (i !== c.last + 1) c.wrong++; c.last = i; });
    c.on('connect', () => resolve(c));
    c.on('connect_error', reject);
  }))));
  const [from] = clients;
  const call = (event, o) => new Promise((resolve) => from.emit(event, o, resolve));
  const until = async (fits) => { while (!fits()) await sleep(5); };
  const run = async (n, tag) => {
    for (const c of clients) Object.assign(c, { got: 0, last: -1, wrong: 0 });
    await call('emit-many', { n, event: 'm', tag });
    await until(() => clients.every((c) => c.got >= n));
  };
  const tag = 'x'.repeat(Number(args.bytes));
  await run(500, tag);
  const before = cluster.nodes.map((n) => cpu(n.proc.pid));
  const n = Number(args.messages);
  await run(n, tag);
  const used = cluster.nodes.map((node, i) => cpu(node.proc.pid) - before[i]);
  const each = n * Number(args.clients);
  const wrong = clients.reduce((sum, c) => sum + c.wrong, 0);
  const us = (x) => (x / each).toFixed(2);
  console.log(`${as}: ${n} messages of ${args.bytes} bytes to ${clients.length} clients on two nodes, ${wrong} out of order`);
  console.log(`CPU per delivery: node that emits ${us(used[0])} us, other node ${us(used[1])} us`);
  // one at a time: the delay from the request to a client of the other node
  const away = clients.find((c) => c.node !== from.node);
  const delays = [];
  for (let i = 0; i < 500; i++) {
    const start = performance.now();
    const arrived = new Promise((resolve) => away.once('d', resolve));
    from.emit('emit-many', { n: 1, event: 'd', tag }, () => {});
    await arrived;
    delays.push(performance.now() - start);
  }
  delays.sort((a, b) => a - b);
  console.log(`delay to the other node: median ${percentile(delays, 0.5).toFixed(2)} ms, p99 ${percentile(delays, 0.99).toFixed(2)} ms`);
  for (const c of clients) c.disconnect();
  await cluster.stop();
  await redis.end();
  process.exit(0);
})().catch((e) => { console.error(e); process.exit(1); });
