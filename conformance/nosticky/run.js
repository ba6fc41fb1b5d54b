#!/usr/bin/env node
'use strict';
const fs = require('fs');
const path = require('path');
const { spawn } = require('child_process');
const { Redis, sleep } = require('./lib/redis');
const { TOPOLOGIES, Cluster } = require('./lib/cluster');
const { Context } = require('./lib/context');
const { Skip } = require('./lib/case');

const usage = `node run.js --server 'CMD' | --as reference  [--cases DIR] [--only TEXT] [--not TEXT] [--list] [--json FILE] [--verbose]
  [--full] [--slack X] [--conformance DIR] [--s1-only TEXT] [--s1-mode request|connection] [--no-known]
  CMD: the fixture server, words separated by blanks (README.md). --as reference: the stand-in on Node takes its place.`;
const args = {};
for (let i = 2; i < process.argv.length; i++) {
  const a = process.argv[i].replace(/^--/, '');
  if (!process.argv[i].startsWith('--')) { console.error(usage); process.exit(2); }
  args[a] = ['list', 'verbose', 'full', 'no-known'].includes(a) ? true : process.argv[++i];
}
if (args.as && args.as !== 'reference' || (!args.as && !args.server && !args.list)) { console.error(usage); process.exit(2); }
const as = args.as || 'subject';
const casesDir = path.resolve(args.cases || path.join(__dirname, 'cases'));
const conformance = path.resolve(args.conformance || process.env.SIO_CONFORMANCE || path.join(__dirname, '..'));
if (as === 'reference') process.env.SIO_FIXTURE = process.env.SIO_FIXTURE || path.join(conformance, 'reference', 'server.js');
const server = as === 'reference' ? process.execPath + ' --no-deprecation ' + path.join(__dirname, 'reference', 'server.js') : args.server || '';
const command = server.split(' ').filter(Boolean);
const slack = Number(args.slack || process.env.SLACK || 1);

function load() {
  const out = [];
  const all = require('./lib/all');
  for (const f of fs.readdirSync(casesDir).sort()) if (f.endsWith('.js')) for (const c of require(path.join(casesDir, f))(all)) for (const topology of c.on) out.push({ c, topology, id: `${f.slice(0, -3)}/${c.name} [${topology}]` });
  const order = Object.keys(TOPOLOGIES);
  for (const x of out) if (!order.includes(x.topology)) throw new Error(`${x.id}: unknown topology`);
  return out.sort((a, b) => a.c.fresh - b.c.fresh || order.indexOf(a.topology) - order.indexOf(b.topology));
}
const wanted = (id) => (!args.only || id.includes(args.only)) && (!args.not || !id.includes(args.not));

// patterns with * -> reason; what is listed still runs, and is shown as skip if it fails
function reasons(file, part) {
  const list = [];
  for (const dir of new Set([__dirname, path.dirname(casesDir)])) {
    const f = path.join(dir, file);
    if (fs.existsSync(f) && !args['no-known']) for (const [p, reason] of Object.entries(JSON.parse(fs.readFileSync(f))[part] || {})) list.push({ re: new RegExp('^' + p.split('*').map((x) => x.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*') + '$'), reason });
  }
  return (id) => { const k = list.find((x) => x.re.test(id)); return k ? k.reason : null; };
}

const count = { pass: 0, fail: 0, skip: 0 };
const results = {};
const clean = (x) => String(x).split('\n')[0].replace(/[\x00-\x1f]/g, '?').slice(0, 400);
function say(id, result, why, ms) {
  count[result]++;
  results[id] = { result, why, ms };
  if (result !== 'pass' || args.verbose || !id.startsWith('S1/')) console.log(`${id}: ${result}` + (why ? ` (${clean(why)})` : '') + (args.verbose && ms !== undefined ? ` ${ms} ms` : ''));
}

let stray = null, running = null;
process.on('unhandledRejection', (e) => { stray = e; });
process.on('uncaughtException', (e) => { stray = e; });

// ---------------------------------------------------------------- S1: the conformance suite through the proxy
async function s1(mode, redis) {
  const why = reasons('s1-skips.json', mode), both = reasons('s1-skips.json', 'both'), ref = as === 'reference' ? reasons('s1-skips.json', 'reference') : () => null;
  if (!fs.existsSync(path.join(conformance, 'node_modules'))) return say(`S1/${mode}`, 'skip', `no node_modules in the conformance suite (npm install there, or --conformance DIR)`);
  const words = [path.join(conformance, 'run.js'), '--server', `${process.execPath} ${path.join(__dirname, 'behind.js')} --mode ${mode} --redis ${redis.url} --server '${server}'`];
  if (as === 'reference') words.push('--as', '4.8.4');
  if (args['s1-only']) words.push('--only', args['s1-only']);
  words.push('--set', 'open', '--verbose');
  const child = spawn(process.execPath, words, { cwd: conformance, stdio: ['ignore', 'pipe', 'inherit'] });
  running = child;
  let rest = '';
  const line = (l) => {
    const m = /^(.*): (pass|fail|skip)(?: \((.*)\))?$/.exec(l);
    if (!m) return;
    const id = `S1/${mode}/${m[1]}`;
    if (m[2] === 'fail') { const r = both(m[1]) || why(m[1]) || ref(m[1]); say(id, r ? 'skip' : 'fail', r ? `${r} Seen: ${m[3]}` : m[3]); } else say(id, m[2], m[3]);
  };
  child.stdout.on('data', (d) => { const lines = (rest + d).split('\n'); rest = lines.pop(); lines.forEach(line); });
  await new Promise((r) => child.on('close', r));
  running = null;
}

(async () => {
  const plan = load().filter((x) => wanted(x.id));
  const modes = ['request', 'connection'].filter((m) => wanted('S1/' + m) && (!args['s1-mode'] || args['s1-mode'] === m) && casesDir === path.join(__dirname, 'cases'));
  if (args.list) { for (const m of modes) console.log('S1/' + m); for (const x of plan) console.log(x.id); console.log(plan.length + modes.length + ' cases'); return; }
  const started = Date.now();
  const redis = await new Redis().start();
  const known = as === 'reference' ? reasons('known-differences.json', 'reference') : () => null;
  let cluster = null;
  const stop = async () => {
    if (!cluster) return;
    const c = cluster;
    cluster = null;
    const bad = await c.stop();
    for (const b of bad) say(`server/exits 0 on SIGTERM [${c.name} ${b.node.name}]`, 'fail', JSON.stringify(b.end) + ' ' + b.node.err.slice(-200));
  };
  for (const sig of ['SIGINT', 'SIGTERM']) process.on(sig, async () => { if (running) running.kill('SIGTERM'); if (cluster) await cluster.stop(); await redis.end(); process.exit(130); });
  let notOffered = null;
  for (const x of plan) {
    if (notOffered === x.topology) { say(x.id, 'skip', known(x.id) || 'not offered (exit status 3)'); continue; }
    if (cluster && (cluster.name !== x.topology || cluster.fresh || x.c.fresh || cluster.nodes.some((n) => !n.alive))) await stop();
    if (!cluster) {
      const c = new Cluster({ name: x.topology, redis, command });
      c.fresh = x.c.fresh;
      try { cluster = await c.start(); } catch (e) {
        if (e.skip) { notOffered = x.topology; const k = known(x.id); say(x.id, 'skip', k || 'not offered (exit status 3)'); } else say(x.id, 'fail', e.message);
        continue;
      }
    }
    const t = new Context({ cluster, redis, command, full: Boolean(args.full), slack });
    stray = null;
    let error = null, timer;
    const t0 = Date.now();
    const patience = x.c.timeout * slack * (args.full ? 30 : 1);
    try {
      await Promise.race([x.c.run(t), new Promise((_, no) => { timer = setTimeout(() => no(new Error('case timed out')), patience); })]);
    } catch (e) { error = e; }
    clearTimeout(timer);
    const died = cluster.nodes.filter((n) => !n.alive && !n.condemned);
    if (died.length && !(error instanceof Skip)) error = new Error(died.map((n) => `${n.name} ended: ${JSON.stringify(n.exit)} ${(n.err.match(/^\w*Error.*$/m) || [n.err.trim().split('\n').pop()])[0]}`).join('; ') + (error ? '; ' + error.message : ''));
    if (!error && stray) error = stray;
    await Promise.race([t.done(), sleep(1500)]);
    for (const n of died) n.condemned = true;
    if (error && !(error instanceof Skip)) { for (const n of cluster.nodes) n.condemned = n.condemned || !n.alive; cluster.fresh = true; }
    const ms = Date.now() - t0;
    const reason = known(x.id);
    for (const n of t.notes) console.log(`note: ${x.id}: ${n}`);
    if (error instanceof Skip) say(x.id, 'skip', error.message, ms);
    else if (error && reason) say(x.id, 'skip', `known difference: ${reason} Seen: ${clean(error.message).slice(0, 160)}`, ms);
    else if (error) { say(x.id, 'fail', error.message, ms); if (args.verbose) console.log(error.stack); } else { if (reason) console.log(`note: ${x.id}: is listed as a known difference, but passes`); say(x.id, 'pass', undefined, ms); }
  }
  await stop();
  for (const mode of modes) await s1(mode, redis);
  await redis.end();
  if (args.json) fs.writeFileSync(args.json, JSON.stringify(results, null, 1));
  if (args.verbose) console.log(`${Math.round((Date.now() - started) / 1000)} s`);
  console.log(`${count.pass} passed, ${count.fail} failed, ${count.skip} skipped`);
  process.exit(count.fail ? 1 : 0);
})();
