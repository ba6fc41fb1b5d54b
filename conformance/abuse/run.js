#!/usr/bin/env node
'use strict';
// node run.js --server CMD [--cases DIR] [--only REGEX] ...; see README.md
const fs = require('fs');
const path = require('path');
const { runAll } = require('./lib/runner');

const args = { cases: path.join(__dirname, 'cases'), jobs: '1', seed: String(Date.now() % 100000), slack: '1', relax: '' };
for (let i = 2; i < process.argv.length; i++) {
  const name = process.argv[i].replace(/^--/, '');
  if (['slow', 'list', 'help', 'verbose'].includes(name)) args[name] = true;
  else if (['server', 'cases', 'only', 'profile', 'jobs', 'seed', 'slack', 'relax', 'known', 'json'].includes(name)) args[name] = process.argv[++i];
  else { console.error(`unknown option ${process.argv[i]}`); process.exit(2); }
}
if (args.help || (!args.server && !args.list)) { console.error("usage: node run.js --server CMD [--cases DIR] [--only REGEX] [--profile NAME] [--jobs N] [--seed N] [--slow]\n       [--slack X] [--relax U3,U7] [--known FILE] [--json FILE] [--verbose] | --list"); process.exit(2); }

const tests = [];
let dir = path.resolve(args.cases);
if (fs.existsSync(path.join(dir, 'cases'))) dir = path.join(dir, 'cases');
for (const file of fs.readdirSync(dir).filter((f) => f.endsWith('.js')).sort()) {
  const add = (id, title, opts, fn) => {
    if (typeof opts === 'function') { fn = opts; opts = {}; }
    if (tests.some((x) => x.id === id)) throw new Error(`case ${id} twice`);
    tests.push({ id, title, file, profile: 'abuse', ...opts, fn });
  };
  /** A row that this suite does not run, with the reason. */
  add.skip = (id, title, why) => add(id, title, { skip: 'not automated: ' + why }, null);
  require(path.join(dir, file))(add);
}
const only = args.only && new RegExp(args.only);
const chosen = tests.filter((x) => (!only || only.test(x.id) || only.test(x.file)) && (!args.profile || x.profile === args.profile));
if (args.list) {
  for (const x of chosen) console.log(`${x.id}: ${x.title} [${x.profile}${x.slow ? ', slow' : ''}${x.skip ? ', ' + x.skip : ''}]`);
  process.exit(0);
}

const known = args.known ? JSON.parse(fs.readFileSync(args.known, 'utf8')) : {};
const results = {};
const count = { pass: 0, fail: 0, skip: 0, known: 0 };
const surprising = [];
const witness = { max: 0, count: 0 };
const exits = [];
const from = Date.now();
console.log(`seed ${args.seed}`);
runAll(chosen, {
  cmd: args.server,
  jobs: Number(args.jobs),
  seed: Number(args.seed),
  slack: Number(args.slack),
  relax: args.relax.split(',').filter(Boolean),
  slow: args.slow,
  verbose: args.verbose,
  onRelaxed: (id, check, why) => { if (args.verbose) console.log(`${id}: note (${check}: ${why})`); },
  onWitness: (w) => { witness.max = Math.max(witness.max, w.max); witness.count += w.count; },
  onExit: (profile, code) => exits.push(`exit status ${code} on SIGTERM (profile ${profile})`),
}, (test, r) => {
  let line;
  const base = known[test.id];
  if (r.fail && base) { count.known++; count.skip++; line = `skip (known difference: ${base})`; if (args.verbose) line += ` [${r.fail}]`; } else if (r.fail) { count.fail++; line = `fail (${r.fail.replace(/\s+/g, ' ').slice(0, 400)})`; } else if (r.skip) { count.skip++; line = `skip (${r.skip})`; } else { count.pass++; line = 'pass'; if (base) surprising.push(test.id); for (const n of r.notes || []) line += ` [${n}]`; }
  results[test.id] = { title: test.title, profile: test.profile, ...r };
  console.log(`${test.id}: ${line}`);
}).then(() => {
  for (const e of exits) { console.log(`EXIT: fail (${e})`); count.fail++; }
  if (surprising.length) console.log(`known differences that passed: ${surprising.join(' ')}`);
  console.log(`witness: ${witness.count} echoes, slowest ${witness.max.toFixed(0)} ms; ${((Date.now() - from) / 1000).toFixed(0)} s`);
  if (args.json) fs.writeFileSync(args.json, JSON.stringify(results, null, 1));
  console.log(`${count.pass} passed, ${count.fail} failed, ${count.skip} skipped`);
  process.exit(count.fail ? 1 : 0);
}).catch((e) => { console.error(e); process.exit(2); });
