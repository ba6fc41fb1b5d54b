'use strict';
// The generated types: what serde reads and writes is what the declarations and the schemas say, and nothing else is.
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { execFileSync } = require('child_process');
const Ajv = require('ajv');
const { check } = require('./lib/report');
const { compile } = require('./lib/compiler');

const MOST = 1 << 26; // bytes that a program may print
const json = (value) => JSON.stringify(value);

module.exports = async function generated({ types, out }) {
  const cases = JSON.parse(fs.readFileSync(path.join(out, 'cases.json'), 'utf8'));
  const declarations = path.join(out, 'types.ts');
  execFileSync(types, ['contract', 'typescript', declarations]);
  const document = JSON.parse(execFileSync(types, ['contract', 'asyncapi'], { encoding: 'utf8', maxBuffer: MOST }));
  const byType = [];
  cases.forEach((one) => (byType[one.type] ||= []).push(one));

  // serde
  const values = cases.map((one) => `${one.type} ${json('wrong' in one ? one.wrong : one.read)}\n`).join('');
  const lines = execFileSync(types, { input: values, encoding: 'utf8', maxBuffer: MOST }).split('\n');
  cases.forEach((one, i) => { one.serde = lines[i]; });

  // TypeScript: a line for each value, so that what the compiler says is told apart
  const text = ['import type { ClientToServerEvents as In, ServerToClientEvents as Out } from "contract";'];
  const add = (one, way, value) => {
    text.push(`export const v${text.length}: Parameters<${way}["${one.type}"]>[0] = ${json(value)};`);
    return text.length;
  };
  for (const one of cases) {
    if ('wrong' in one) one.wrongLine = add(one, 'In', one.wrong);
    else { one.readLine = add(one, 'In', one.read); one.writtenLine = add(one, 'Out', one.written); }
  }
  const file = path.join(out, 'values.ts');
  fs.writeFileSync(file, text.join('\n') + '\n');
  const said = compile([declarations, file], declarations);
  const atLine = new Map(said.filter((one) => one.file === file).map((one) => [one.line, one.text]));
  await check('types/the declarations compile', () => {
    assert.deepStrictEqual(said.filter((one) => one.file !== file).map((one) => `${one.file}:${one.line} ${one.text}`), []);
  });

  // JSON Schema
  const ajv = new Ajv({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'document', ...document });
  const schema = (one, direction) => ajv.compile({ $ref: `document#/components/messages/${direction}.${one.type}/payload` });

  for (const all of byType) {
    const [first] = all;
    await check(`types/T${first.type}`, () => {
      const [reads, writes] = [schema(first, 'receive'), schema(first, 'send')];
      for (const one of all) {
        if ('wrong' in one) {
          const told = `${json(one.wrong)} is not one`;
          assert(one.serde.startsWith('!'), `serde: ${told}, it wrote ${one.serde}`);
          assert(!reads([one.wrong]), `JSON Schema: ${told}`);
          assert(atLine.has(one.wrongLine), `TypeScript: ${told}`);
          continue;
        }
        const told = json(one.read);
        assert(!one.serde.startsWith('!'), `serde does not read ${told}: ${one.serde}`);
        const written = JSON.parse(one.serde);
        assert.deepStrictEqual(written, one.written, `serde makes of ${told} ${one.serde}, not ${json(one.written)}`);
        assert(reads([one.read]), `JSON Schema refuses to read ${told}: ${ajv.errorsText(reads.errors)}`);
        assert(writes([written]), `JSON Schema refuses what is written, ${one.serde}: ${ajv.errorsText(writes.errors)}`);
        for (const line of [one.readLine, one.writtenLine]) assert(!atLine.has(line), `TypeScript, values.ts:${line}: ${atLine.get(line)}`);
      }
    });
  }
};
