// Runs all tests of the package by Node's runner, and sums up.

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { run } = require('node:test');

const names = process.argv.slice(2);
const files = fs
  .readdirSync(__dirname)
  .filter((name) => name.endsWith('.test.js') && (names.length === 0 || names.some((part) => name.includes(part))))
  .map((name) => path.join(__dirname, name));
const total = { passed: 0, failed: 0 };

run({ files, concurrency: 1, timeout: 60000 })
  .on('test:pass', ({ name, details, file }) => {
    if (details.type === 'suite' || name === file) return;
    total.passed++;
  })
  .on('test:fail', ({ name, details, file }) => {
    if (details.type === 'suite') return;
    total.failed++;
    console.log(details.error?.cause?.stack ?? details.error);
    console.log(`${path.basename(file ?? name)}/${name}: fail`);
  })
  .on('end', () => {
    console.log(`${total.passed} passed, ${total.failed} failed`);
    process.exitCode = total.failed > 0 ? 1 : 0;
  })
  .resume();
