'use strict';
// Programs of pages against the declarations: the good one compiles, each wrong one is refused at the line that ends in
// `// wrong: CODE`, and nowhere else.
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { check } = require('./lib/report');
const { compile } = require('./lib/compiler');

const FOLDER = path.join(__dirname, 'programs');

module.exports = async function programs({ contract, out }) {
  const declarations = path.join(out, 'fixture.ts');
  contract('typescript', declarations);
  await check('programs/the declarations are always the same bytes', () => {
    assert.strictEqual(contract('typescript'), fs.readFileSync(declarations, 'utf8'));
    contract('typescript', '--check', declarations);
  });
  const wrong = fs.readdirSync(path.join(FOLDER, 'wrong')).map((name) => path.join(FOLDER, 'wrong', name));
  const good = path.join(FOLDER, 'good.ts');
  const said = compile([declarations, good, ...wrong], declarations);
  const of = (file) => said.filter((one) => one.file === file).map((one) => `${one.line} ${one.code}`);
  await check('programs/good', () => {
    const others = said.filter((one) => !wrong.includes(one.file)).map((one) => `${one.file}:${one.line} ${one.text}`);
    assert.deepStrictEqual(others, []);
  });
  for (const file of wrong) {
    await check(`programs/${path.basename(file, '.ts')}`, () => {
      const lines = fs.readFileSync(file, 'utf8').split('\n');
      const marked = lines.flatMap((line, i) => { const found = / \/\/ wrong: (TS\d+)$/.exec(line); return found ? [`${i + 1} ${found[1]}`] : []; });
      assert.strictEqual(marked.length, 1, 'one line is marked');
      assert.deepStrictEqual(of(file), marked, `got ${of(file)}, expected ${marked}`);
    });
  }
};
