'use strict';
// The AsyncAPI documents before the official parser.
const assert = require('assert');
const { Parser } = require('@asyncapi/parser');
const { check } = require('./lib/report');

module.exports = async function asyncapi({ documents }) {
  const parser = new Parser();
  for (const [name, read] of Object.entries(documents)) {
    await check(`asyncapi/${name}`, async () => {
      const text = await read();
      const { document, diagnostics } = await parser.parse(text);
      const errors = diagnostics.filter((one) => one.severity === 0).map((one) => `${one.path.join('/')}: ${one.message}`);
      assert.deepStrictEqual(errors, []);
      const plain = JSON.parse(text);
      assert.strictEqual(document.version(), '3.0.0');
      assert.strictEqual(document.operations().all().length, Object.keys(plain.operations).length);
      assert.strictEqual(document.channels().all().length, 1);
      // what the server receives is what clients send
      const received = document.operations().filterByReceive().map((one) => one.id()).sort();
      assert.deepStrictEqual(received, Object.keys(plain.operations).filter((id) => id.startsWith('receive.')).sort());
    });
  }
  await check('asyncapi/a wrong document is refused', async () => {
    const { document, diagnostics } = await parser.parse(JSON.stringify({ asyncapi: '3.0.0', info: { title: 'x' } }));
    assert(!document && diagnostics.some((one) => one.severity === 0));
  });
};
