#!/usr/bin/env node
'use strict';
// node run.js --server PROGRAM [--minutes 15] [--lanes 24] [--seed N]
// Clients that come, speak and go, as fast as they can: the official ones of five versions and raw ones, of which many do not behave. In rounds;
// after each the server must have nothing left of anybody, and in the end it must not be larger than it was after the first ones.
const fs = require('fs');
const { Servers } = require('../lib/servers');
const { request, sleep } = require('../lib/raw');
const { official } = require('./official');
const { RAW } = require('./raw');

const args = { minutes: '15', lanes: '24', seed: String(Date.now() % 100000) };
for (let words = process.argv.slice(2); words.length;) {
  const name = words.shift().replace(/^--/, '');
  if (['server', 'minutes', 'lanes', 'seed'].includes(name) && words.length) args[name] = words.shift();
  else { console.error('unknown option ' + name); process.exit(2); }
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
// What a client library throws outside of our calls is told with the failures.
const strays = [];
process.on('uncaughtException', (error) => strays.push(error));
process.on('unhandledRejection', () => {});

const MIB = 1048576;
// A round a minute; short runs have rounds enough to compare.
const ROUNDS = Math.max(9, Math.round(Number(args.minutes)));
const ROUND = (Number(args.minutes) * 60_000) / ROUNDS;
// What ends without a word is found out by the ping timeout of the profile, 5 s.
const DRAIN = 30_000;
// How much larger the process may be in the last third than in the second: what allocators leave lying about.
const SLACK = 16 * MIB;

const random = generator(Number(args.seed));
const pick = (list) => list[Math.floor(random() * list.length)];

main().catch((error) => { console.log(`soak: fail (${error.stack})`); process.exit(1); });

async function main() {
  console.log(`seed ${args.seed}; ${ROUNDS} rounds of ${(ROUND / 1000).toFixed(0)} s, ${args.lanes} lanes`);
  const servers = new Servers(`env MALLOC_TRIM_THRESHOLD_=131072 '${args.server}'`);
  const server = await servers.start('soak');
  if (!server.up) throw new Error('the server did not start: ' + server.err);
  const total = { official: 0, raw: 0, failures: [] };
  const rows = [];
  const first = await look(server.port);
  console.log(['round', 'official', 'raw', 'failed', 'RSS MiB', 'descriptors', 'sessions', 'sockets', 'namespaces', 'rooms', 'acks'].map(cell).join(''));
  show(0, total, first);
  const start = Date.now();
  for (let round = 1; round <= ROUNDS; round++) {
    // the rest of a round is for those that end without a word
    const end = Math.max(start + round * ROUND - 6000, Date.now() + 1000);
    await Promise.all(Array.from({ length: Number(args.lanes) }, () => lane(server.port, end, total)));
    const left = await drained(server.port, first);
    rows.push(left);
    show(round, total, left);
    if (server.exit) throw new Error(`the server ended: ${JSON.stringify(server.exit)} ${server.err}`);
  }
  judge(first, rows, total, await servers.stop(server));
}

function show(round, total, { rss, descriptors, sessions, sockets, namespaces, rooms, pendingAcks }) {
  const clients = [total.official, total.raw, total.failures.length];
  console.log([round, ...clients, (rss / MIB).toFixed(1), descriptors, sessions, sockets, namespaces, rooms, pendingAcks].map(cell).join(''));
}
const cell = (value) => String(value).padStart(12);

// One client after the other.
async function lane(port, end, total) {
  while (Date.now() < end) {
    const isOfficial = random() < 0.6;
    const kind = isOfficial ? 'official' : pick(Object.keys(RAW));
    try {
      await (isOfficial ? official(port, random, pick) : RAW[kind](port, random, pick));
      total[isOfficial ? 'official' : 'raw']++;
    } catch (error) { total.failures.push(`${kind}: ${error.message}`); }
  }
}

// ---------------------------------------------------------------- what is left
async function look(port) {
  const answer = await request(port, { path: '/stats' });
  const stats = JSON.parse(answer.text);
  const rss = Number(fs.readFileSync(`/proc/${stats.pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  return { ...stats, rss, descriptors: fs.readdirSync(`/proc/${stats.pid}/fd`).length };
}

const COUNTS = ['sessions', 'sockets', 'namespaces', 'rooms', 'pendingAcks', 'descriptors'];

async function drained(port, first) {
  const end = Date.now() + DRAIN;
  for (;;) {
    const left = await look(port);
    if (Date.now() > end || COUNTS.every((what) => left[what] <= first[what])) return left;
    await sleep(200);
  }
}

// ---------------------------------------------------------------- the judgement
function judge(first, rows, total, end) {
  let [passed, failed] = [0, 0];
  const check = (name, why) => {
    if (why) { failed++; console.log(`soak/${name}: fail (${why})`); } else passed++;
  };
  for (const what of COUNTS) {
    const at = rows.findIndex((row) => row[what] > first[what]);
    check(`${what} go back`, at >= 0 && `${rows[at][what]} after round ${at + 1}, ${first[what]} at first`);
  }
  // The first third is for what is made once and kept.
  const third = Math.floor(rows.length / 3);
  const most = (part) => Math.max(...part.map((row) => row.rss));
  const [before, after] = [most(rows.slice(third, -third)), most(rows.slice(-third))];
  check('memory is flat', after > before + SLACK && `${(before / MIB).toFixed(1)} MiB in the second third, ${(after / MIB).toFixed(1)} in the last`);
  const wrong = [...total.failures, ...strays.map((error) => error.message)];
  check('each client got what it asked for', wrong.length && `${wrong.length}, the first: ${wrong[0]}`);
  check('the server ends', end);
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}

function generator(seed) {
  let s = seed >>> 0;
  return () => { s = (s + 0x6d2b79f5) >>> 0; let x = Math.imul(s ^ (s >>> 15), 1 | s); x ^= x + Math.imul(x ^ (x >>> 7), 61 | x); return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32; };
}
