#!/usr/bin/env node
'use strict';
// What passing on costs: CPU of both nodes per acknowledged event over a WebSocket, direct and passed on; latency of a poll; memory of the
// relay per idle WebSocket. No test: the numbers are those of the machine, the ratios say something on a busy one, too.
//   node cost.js --server 'CMD' [--sessions N] [--events N] [--idle N]
const fs = require('fs');
const { Redis } = require('./lib/redis');
const { Cluster } = require('./lib/cluster');
const { Context } = require('./lib/context');

const arg = (name, or) => { const i = process.argv.indexOf('--' + name); return i < 0 ? or : process.argv[i + 1]; };
const sessions = Number(arg('sessions', 4)), events = Number(arg('events', 5000)), idle = Number(arg('idle', 1000));
// user and system time of a process, in ms
const cpu = (node) => { const f = fs.readFileSync(`/proc/${node.pid}/stat`, 'utf8').split(') ')[1].split(' '); return (Number(f[11]) + Number(f[12])) * 10; };
const median = (list, p = 0.5) => list.sort((a, b) => a - b)[Math.floor(list.length * p)];

(async () => {
  const redis = await new Redis().start();
  const cluster = await new Cluster({ name: '2', redis, command: arg('server', '').split(' ').filter(Boolean) }).start();
  // straight to the other node's listener, without the wires of the cases
  await cluster.stop();
  for (const n of cluster.nodes) n.args[3] = 'fixed:' + cluster.nodes.map((x) => `${x.name}=127.0.0.1:${x.inner}`).join(',');
  await Promise.all(cluster.nodes.map((n) => n.start()));
  const t = new Context({ cluster, redis, full: false, slack: 10 });
  const [a, b] = cluster.nodes;
  const talk = async (w, n) => { for (let i = 0; i < n; i++) { w.send('421["echo-ack",' + i + ']'); await w.msg(10000); } };
  const echo = async (via) => {
    const list = [];
    for (let i = 0; i < sessions; i++) list.push(await t.upgrade(await t.session(a), via));
    await Promise.all(list.map((w) => talk(w, 500)));
    const before = cpu(a) + cpu(b);
    await Promise.all(list.map((w) => talk(w, events)));
    const used = cpu(a) + cpu(b) - before;
    for (const w of list) w.terminate();
    return used * 1000 / (sessions * events);
  };
  const rounds = { direct: [], relayed: [] };
  for (let i = 0; i < 5; i++) { rounds.direct.push(await echo(a)); rounds.relayed.push(await echo(b)); }
  const direct = median(rounds.direct), relayed = median(rounds.relayed);
  console.log(`an acknowledged event: ${direct.toFixed(1)} us of CPU direct, ${relayed.toFixed(1)} us of both nodes passed on: ${(relayed / direct).toFixed(2)} times`);

  const poll = async (via) => {
    const p = await t.session(a), times = [];
    p.at(via);
    for (let i = 0; i < 1000; i++) {
      await p.at(a).post('420["echo-ack",1]');
      p.at(via);
      const t0 = performance.now();
      await p.msg();
      times.push(performance.now() - t0);
    }
    return times;
  };
  for (const p of [0.5, 0.99]) {
    const d = [], r = [];
    for (let i = 0; i < 3; i++) { d.push(median(await poll(a), p)); r.push(median(await poll(b), p)); }
    console.log(`a poll that finds something, p${p * 100}: ${median(d).toFixed(2)} ms direct, ${median(r).toFixed(2)} ms passed on: ${(median(r) - median(d)).toFixed(2)} ms more`);
  }

  const few = [];
  for (let i = 0; i < 200; i++) few.push(await t.upgrade(await t.session(a), b));
  await t.sleep(2000);
  const [before, owner] = [b.rss(), a.rss()];
  for (let i = 0; i < idle; i++) few.push(await t.upgrade(await t.session(a), b));
  await t.sleep(3000);
  console.log(`an idle WebSocket that is passed on: ${((b.rss() - before) * 1024 / idle).toFixed(0)} bytes at the relay, ${((a.rss() - owner) * 1024 / idle).toFixed(0)} at its node`);
  for (const w of few) w.terminate();
  await cluster.stop();
  await redis.end();
  process.exit(0);
})();
