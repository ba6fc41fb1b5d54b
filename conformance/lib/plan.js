'use strict';
// Which cases run, and in which ways: every case times the clients and transports that fit it.
const fs = require('fs');
const path = require('path');

const CLIENTS = { 'sioc-1.7.4': 3, 'sioc-2.0.4': 3, 'sioc-2.5.0': 3, 'sioc-3.1.3': 4, 'sioc-4.8.4': 4 }; // name -> Engine.IO protocol
const TRANSPORTS = ['polling', 'websocket', 'upgrade'];

// args: as, set, client, transport, only; see the usage in run.js.
function plan(args) {
  const chosen = (name, value) => !args[name] || args[name] === 'all' || args[name] === value;
  const out = [];
  for (const c of cases(chosen)) {
    for (const way of c.kind === 'raw' ? rawWays(c, chosen) : clientWays(c, chosen)) {
      if (!generations(c, args.as || 'subject').includes(way.gen)) continue;
      const id = `${c.set}/${c.group}/${c.name} [${way.label}]`;
      if (!args.only || id.includes(args.only)) out.push({ c, way, id });
    }
  }
  return out;
}

function cases(chosen) {
  const root = path.join(__dirname, '..', 'cases');
  const out = [];
  for (const set of fs.readdirSync(root).sort()) {
    if (!chosen('set', set)) continue;
    for (const file of fs.readdirSync(path.join(root, set)).sort()) {
      if (!file.endsWith('.js')) continue;
      for (const c of require(path.join(root, set, file))) out.push(Object.assign(c, { set, group: file.replace('.js', '') }));
    }
  }
  return out;
}

// The Engine.IO protocols with which a case holds. refs: a list, or a list per protocol { 3: [...], 4: [...] }.
function generations(c, as) {
  if (as === 'subject') return c.gens;
  const holds = (gen) => (Array.isArray(c.refs) ? c.refs : c.refs[gen]).includes(as);
  return c.gens.filter((gen) => holds(gen) && (as !== '2.0.4' || gen === 3));
}

function rawWays(c, chosen) {
  return chosen('client', 'raw') ? c.gens.map((gen) => ({ gen, label: 'raw eio' + gen })) : [];
}

function clientWays(c, chosen) {
  const out = [];
  for (const [client, gen] of Object.entries(CLIENTS)) {
    const version = client.slice('sioc-'.length);
    if (!chosen('client', client) || (c.clients && !c.clients(version))) continue;
    for (const transport of c.transports || TRANSPORTS) {
      if (chosen('transport', transport)) out.push({ gen, client, version, transport, label: client + ' ' + transport });
    }
  }
  return out;
}
module.exports = { plan };
