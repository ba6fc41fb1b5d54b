#!/usr/bin/env node
'use strict';
// node run.js --server CMD [--as subject|reference] [--only REGEX] [--profile NAME] [--group raw|client|browser] [--json FILE] [--list] [--verbose]; see README.md
const fs = require('fs');
const os = require('os');
const net = require('net');
const path = require('path');
const { spawn } = require('child_process');
const { Quic } = require('./lib/quic');
const { certificate } = require('./lib/cert');
const { Context } = require('./lib/context');

const args = { as: 'subject' };
for (let i = 2; i < process.argv.length; i++) {
  const name = process.argv[i].replace(/^--/, '');
  if (['list', 'verbose'].includes(name)) args[name] = true;
  else if (['server', 'as', 'only', 'profile', 'group', 'json', 'slack'].includes(name)) args[name] = process.argv[++i];
  else { console.error(`unknown option ${process.argv[i]}`); process.exit(2); }
}
if (!args.server && !args.list) { console.error('usage: node run.js --server CMD [--as subject|reference] [--only REGEX] [--profile NAME] [--group raw|client|browser] [--json FILE] [--list] [--verbose]'); process.exit(2); }

const cases = [];
for (const file of fs.readdirSync(path.join(__dirname, 'cases')).sort()) {
  if (!file.endsWith('.js')) continue;
  const group = file.replace('.js', '');
  require(path.join(__dirname, 'cases', file))((name, options, run) => cases.push({ profile: 'wt-engine', timeout: 15000, ref: true, ...options, name, group, run, id: `${group}/${name}` }));
}
const only = args.only && new RegExp(args.only);
const plan = cases.filter((c) => (!only || only.test(c.id)) && (!args.profile || c.profile === args.profile) && (!args.group || c.group.split('-')[0] === args.group)).sort((a, b) => (a.profile < b.profile ? -1 : a.profile > b.profile ? 1 : 0));
if (args.list) { for (const c of plan) console.log(`${c.id} [${c.profile}]${c.ref === true ? '' : ' rule: ' + c.ref}`); console.log(plan.length + ' cases'); process.exit(0); }

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'wt-cert-'));
const cert = certificate(dir);
/** A port that is free for TCP and for UDP. */
const freePort = () => new Promise((r) => {
  const s = net.createServer().listen(0, '127.0.0.1', () => {
    const p = s.address().port;
    const u = require('dgram').createSocket('udp4');
    u.on('error', () => s.close(() => r(freePort())));
    u.bind(p, '127.0.0.1', () => u.close(() => s.close(() => r(p))));
  });
});
const servers = new Map();
async function start(profile, samePort) {
  const port = samePort || await freePort();
  const child = spawn('sh', ['-c', `exec ${args.server} --port ${port} --profile ${profile} --cert ${cert.cert} --key ${cert.key}`], { stdio: ['ignore', 'pipe', 'pipe'] });
  const srv = { port, child, profile, out: '', err: '', exit: null };
  child.stderr.on('data', (d) => { srv.err += d; if (args.verbose) process.stderr.write(d); });
  child.on('exit', (code, signal) => { srv.exit = { code, signal }; });
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, 15000);
    child.stdout.on('data', (d) => { srv.out += d; if (srv.out.includes('listening ' + port)) { clearTimeout(timer); srv.up = true; resolve(); } });
    child.on('exit', () => { clearTimeout(timer); resolve(); });
  });
  return srv;
}
function stop(srv) {
  return new Promise((resolve) => {
    if (srv.exit) return resolve(srv.exit);
    const timer = setTimeout(() => srv.child.kill('SIGKILL'), 5000);
    srv.child.on('exit', (code, signal) => { clearTimeout(timer); resolve({ code, signal }); });
    srv.child.kill('SIGTERM');
  });
}

process.on('unhandledRejection', (e) => { if (args.verbose) console.error('stray', e); });
(async () => {
  const shared = { quic: new Quic(), cert, slack: Number(args.slack || 1), browser: null, closers: [], start, stop };
  let passed = 0; let failed = 0; let skipped = 0;
  const results = {};
  const say = (id, result, why) => { results[id] = { result, why }; console.log(`${id}: ${result}${why ? ` (${String(why).split('\n')[0].slice(0, 300)})` : ''}`); };
  for (const c of plan) {
    if (args.as === 'reference' && c.ref !== true) { skipped++; say(c.id, 'skip', 'the reference does not: ' + c.ref); continue; }
    let srv = servers.get(c.profile);
    if (!srv || srv.exit || c.fresh) { if (srv && !srv.exit) await stop(srv); srv = await start(c.profile); servers.set(c.profile, srv); }
    if (!srv.up) {
      if (srv.exit && srv.exit.code === 3) { skipped++; say(c.id, 'skip', 'profile not available'); } else { failed++; say(c.id, 'fail', 'server did not start: ' + srv.err.slice(0, 200)); }
      continue;
    }
    const t = new Context(srv, shared);
    let timer; let error = null;
    try {
      await t.begin();
      await Promise.race([c.run(t), new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('case timed out')), c.timeout * shared.slack); })]);
    } catch (e) { error = e; }
    clearTimeout(timer);
    await t.done();
    if (srv.exit && !c.ends) error = new Error(`the server process ended (${JSON.stringify(srv.exit)}) ${srv.err.slice(-300)}`);
    if (error && error.skip) { skipped++; say(c.id, 'skip', error.skip); } else if (error) { failed++; say(c.id, 'fail', error.message); if (args.verbose) console.log(error.stack); } else { passed++; say(c.id, 'pass'); }
  }
  for (const [profile, srv] of servers) {
    if (!srv.up || srv.exit) continue;
    const e = await stop(srv);
    if (e.code === 0) passed++; else { failed++; say(`exit status 0 on SIGTERM (${profile})`, 'fail', JSON.stringify(e)); }
  }
  for (const close of shared.closers) await close();
  shared.quic.end();
  fs.rmSync(dir, { recursive: true });
  if (args.json) fs.writeFileSync(args.json, JSON.stringify(results, null, 1));
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exit(failed ? 1 : 0);
})();
