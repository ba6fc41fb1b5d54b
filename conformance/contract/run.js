#!/usr/bin/env node
'use strict';
// node run.js --server PROGRAM --types PROGRAM --out FOLDER [--whiteboard PROGRAM] [--only TEXT] [--verbose]
// Contracts seen from outside: README.md.
const path = require('path');
const { execFileSync } = require('child_process');
const { Servers } = require('../lib/servers');
const { check, options, total } = require('./lib/report');

const args = {};
for (let words = process.argv.slice(2); words.length;) {
  const name = words.shift().replace(/^--/, '');
  if (name === 'verbose') options.verbose = true;
  else if (name === 'only' && words.length) options.only = words.shift();
  else if (['server', 'types', 'out', 'whiteboard'].includes(name) && words.length) args[name] = path.resolve(words.shift());
  else { console.error('unknown option ' + name); process.exit(2); }
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const says = (program, words) => execFileSync(program, ['contract', ...words], { encoding: 'utf8', maxBuffer: 1 << 26 });

async function main() {
  const servers = new Servers(`'${args.server}'`);
  const [json, msgpack] = [await servers.start('json'), await servers.start('msgpack')];
  const contract = (...words) => says(args.server, words);
  const documents = {
    fixture: () => contract('asyncapi'),
    // the same, as anybody gets it
    served: async () => {
      const text = await (await fetch(`http://127.0.0.1:${json.port}/asyncapi.json`)).text();
      if (text !== contract('asyncapi')) throw new Error('the document that is served is another');
      return text;
    },
    whiteboard: () => says(args.whiteboard, ['asyncapi']),
  };
  if (!args.whiteboard) delete documents.whiteboard;
  const parts = {
    programs: () => require('./programs')({ contract, out: args.out }),
    events: () => require('./events')({ json, msgpack }),
    types: () => require('./generated')({ types: args.types, out: args.out }),
    asyncapi: () => require('./asyncapi')({ documents }),
  };
  for (const [name, run] of Object.entries(parts)) {
    const [start, before] = [Date.now(), { ...total }];
    try {
      await run();
    } catch (error) {
      await check(`${name}/as a whole`, () => { throw error; });
    }
    console.log(`${name}: ${total.passed - before.passed} ok, ${total.failed - before.failed} failed, ${((Date.now() - start) / 1000).toFixed(1)} s`);
  }
  for (const server of [json, msgpack]) {
    await check(`server ${server.profile}/says nothing and ends`, async () => {
      const wrong = (await servers.stop(server)) || server.err;
      if (wrong) throw new Error(wrong);
    });
  }
  console.log(`${total.passed} passed, ${total.failed} failed`);
  process.exit(total.failed ? 1 : 0);
}

main().catch((error) => { console.log(`contract: fail (${error.message})`); process.exit(1); });
