#!/usr/bin/env node
'use strict';
const fs = require('fs');
const { Context } = require('./lib/context');
const { plan } = require('./lib/plan');
const { Servers } = require('./lib/servers');
const { Skips } = require('./lib/skips');

const usage = `node run.js --server 'CMD' [--skips FILE] [--as subject|2.0.4|4.8.4] [--set FOLDER-OF-cases|all]
  [--client all|raw|sioc-X] [--transport all|polling|websocket|upgrade] [--only TEXT]
  [--json FILE] [--against FILE] [--list] [--verbose]`;
const FLAGS = ['list', 'verbose'];
const VALUES = ['server', 'skips', 'as', 'set', 'client', 'transport', 'only', 'json', 'against'];

function parse(words) {
  const args = {};
  while (words.length) {
    const name = words.shift().replace(/^--/, '');
    if (FLAGS.includes(name)) args[name] = true;
    else if (VALUES.includes(name) && words.length) args[name] = words.shift();
    else { console.error(usage); process.exit(2); }
  }
  return args;
}
const args = parse(process.argv.slice(2));

// An error that a client library throws outside of our calls belongs to the case that runs.
let stray = null;
process.on('uncaughtException', (e) => { stray = e; });
process.on('unhandledRejection', () => {});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const servers = new Servers(args.server);
const skips = new Skips(args.skips ? readJson(args.skips) : {});
const recorded = args.against ? readJson(args.against) : null;
const results = {};
const total = { passed: 0, failed: 0, skipped: 0 };

main();

async function main() {
  const planned = plan(args);
  if (args.list) {
    for (const { id } of planned) console.log(id);
    console.log(planned.length + ' case instances');
    return;
  }
  if (!args.server) { console.error(usage); process.exit(2); }
  for (const group of groups(planned)) await runGroup(group);
  await endServers();
  closeSkips();
  if (args.json) fs.writeFileSync(args.json, JSON.stringify(results, null, 1));
  console.log(total.skipped + ' skipped');
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exit(total.failed ? 1 : 0);
}

// ---------------------------------------------------------------- cases
function groups(planned) {
  const out = new Map();
  for (const p of planned) {
    const name = p.c.set + '/' + p.c.group;
    if (!out.has(name)) out.set(name, { name, planned: [] });
    out.get(name).planned.push(p);
  }
  return out.values();
}

async function runGroup({ name, planned }) {
  const before = { ...total };
  const start = Date.now();
  for (const p of planned) {
    const { error, trace } = await runCase(p);
    results[p.id] = { result: count(p, error), error: error ? String(error.message) : undefined, trace };
  }
  const [passed, failed, skipped] = ['passed', 'failed', 'skipped'].map((k) => String(total[k] - before[k]).padStart(4));
  console.log(`${name.padEnd(18)} ${passed} ok ${failed} failed ${skipped} skipped ${((Date.now() - start) / 1000).toFixed(1).padStart(6)} s`);
}

async function runCase({ c, way, id }) {
  const server = await servers.for(c.profile, c.fresh);
  if (server.offered === false) return { error: new Error(`the server does not offer the profile ${c.profile}`) };
  if (!server.up) return { error: new Error('the server did not start: ' + server.err.slice(-200)) };
  const t = new Context({ port: server.port, profile: c.profile, server, ...way, id });
  if (way.client) t.lib = require(way.client);
  t.startServer = async (profile) => {
    const next = await servers.start(profile);
    t.open.push({ close: () => servers.stop(next) });
    return next;
  };
  stray = null;
  let error = await within(c.timeout, c.run(t));
  await Promise.race([t.done(), t.sleep(1000)]);
  error = error || stray;
  if (c.fresh) error = error || wrong(await servers.stop(server));
  else if (server.exit) error = new Error(`the server process ended (${JSON.stringify(server.exit)}) ${server.err.slice(-300)}`);
  error = error || wrong(difference(id, t.trace));
  await t.sleep(5);
  return { error, trace: t.trace };
}

// Resolves with the error of a promise, or null.
function within(ms, promise) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(new Error('case timed out')), ms);
    promise.then(() => resolve(null), resolve).finally(() => clearTimeout(timer));
  });
}

function difference(id, trace) {
  if (!recorded || !recorded[id] || JSON.stringify(recorded[id].trace) === JSON.stringify(trace)) return null;
  return `trace differs from the recorded one: ${JSON.stringify(trace)} instead of ${JSON.stringify(recorded[id].trace)}`;
}

function wrong(message) { return message ? new Error(message) : null; }

// ---------------------------------------------------------------- results
function count({ c, id }, error) {
  const excuses = skips.covering(id, c.profile);
  if (!error) {
    total.passed++;
    if (args.verbose) console.log(`${id}: pass`);
    return 'pass';
  }
  if (excuses.length) {
    total.skipped++;
    for (const excuse of excuses) excuse.used++;
    if (args.verbose) console.log(`${id}: skip (${oneLine(error)})`);
    return 'skip';
  }
  total.failed++;
  console.log(`${id}: fail (${oneLine(error)})`);
  if (args.verbose && error.stack) console.log(error.stack);
  return 'fail';
}

function oneLine(error) { return String(error.message).split('\n')[0].replace(/[\x00-\x1f]/g, '?').slice(0, 400); }

async function endServers() {
  for (const [profile, server] of servers.shared) {
    if (!server.up) continue;
    const problem = await servers.stop(server);
    if (problem) { total.failed++; console.log(`profile ${profile}: fail (${problem})`); } else total.passed++;
  }
}

function closeSkips() {
  const whole = !['as', 'set', 'client', 'transport', 'only'].some((name) => args[name] && args[name] !== 'all' && args[name] !== 'subject');
  for (const e of skips.used()) console.log(`skipped ${e.used} by "${e.key}": ${e.reason}`);
  for (const e of skips.stale(whole)) {
    total.failed++;
    console.log(`"${e.key}" in ${args.skips}: fail (stale: nothing was skipped by it)`);
  }
}

function readJson(file) { return JSON.parse(fs.readFileSync(file, 'utf8')); }
