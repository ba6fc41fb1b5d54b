#!/usr/bin/env node
'use strict';
// Can the cases fail? Runs the stand-in with one rule broken each, and tells which cases notice.
//   node mutants.js [--only NAME] [--conformance DIR]      exit status 1 if one is not noticed
const path = require('path');
const { spawnSync } = require('child_process');
const arg = (name) => { const i = process.argv.indexOf('--' + name); return i < 0 ? undefined : process.argv[i + 1]; };
// name -> what it breaks, cases that should notice (text of ids).
const MUTANTS = {
  'no-relay': ['nothing is relayed', ['ids/a request']],
  'reorder': ['POSTs are answered before the owner has them, and passed on late', ['s02-clients/events', 's02-clients/a POST']],
  'broadcast': ['an unknown tag is asked of others', ['s04-unknown/one tag', 's04-unknown/random']],
  'buffer': ['the relay collects the body of a POST', ['s11-bodies/a slow body']],
  'keep-internal': ['internal headers of clients are passed on', ['s09-internal-headers/a relayed']],
  'trust-internal': ['internal headers are believed on the public port', ['s09-internal-headers/a handshake', 's09-internal-headers/a relayed']],
  'lose-headers': ['Accept-Encoding, Origin and Cookie get lost', ['s03-forms/a query', 's11-bodies/compressed']],
  'rewrite-query': ['the query is decoded and encoded again', ['s09-internal-headers/hop']],
  'pass-403': ['the owner\'s refusal of a wrong secret goes to the client', ['s10-nodes-listener/a wrong']],
  'own-timeout': ['the relay ends what takes 1.5 s', ['s07-owner-stopped/sessions']],
  'open-listener': ['the nodes\' listener asks no secret', ['s10-nodes-listener/without the secret', 's10-nodes-listener/upgrades', 's10-nodes-listener/with the right']],
  'two-hops': ['the nodes\' listener relays', ['s10-nodes-listener/with the right']],
  'leak': ['the client\'s end does not end the relayed request', ['s11-bodies/a client that breaks', 's07-owner-stopped/clients that']],
  'unbounded': ['no bound of relayed connections', ['s07-owner-stopped/the bound']],
  'hang': ['a dead owner is never answered', ['s05-owner-gone/parked', 's08-network/cut']],
  'drain-stops-relay': ['a draining node relays nothing', ['s14-drain/a draining']],
  'corrupt': ['a byte gets lost in a relayed WebSocket', ['s12-upgrade/without hold']],
};
let missed = 0;
for (const [name, [what, texts]] of Object.entries(MUTANTS)) {
  if (arg('only') && arg('only') !== name) continue;
  const caught = [], not = [];
  for (const text of texts) {
    const words = [path.join(__dirname, 'run.js'), '--as', 'reference', '--no-known', '--only', text];
    if (arg('conformance')) words.push('--conformance', arg('conformance'));
    const r = spawnSync(process.execPath, words, { env: Object.assign({}, process.env, { MUTANT: name }), encoding: 'utf8' });
    for (const l of r.stdout.split('\n')) if (/: fail \(/.test(l)) caught.push(l.slice(0, 170));
    if (!/: fail \(/.test(r.stdout)) not.push(text);
  }
  if (!caught.length) missed++;
  console.log(`${name} (${what}): ${caught.length ? 'caught by ' + caught.length : 'NOT CAUGHT'}${not.length ? ', not by ' + not.join(', ') : ''}`);
  for (const c of caught) console.log('    ' + c);
}
process.exit(missed ? 1 : 0);
