'use strict';
// One line for each failure, `NAME: fail (WHY)`, and at the end of all `N passed, N failed`.
const total = { passed: 0, failed: 0 };
const options = { only: '', verbose: false };

async function check(name, run) {
  if (!name.includes(options.only)) return;
  try {
    await run();
    total.passed++;
    if (options.verbose) console.log(`${name}: pass`);
  } catch (error) {
    total.failed++;
    console.log(`${name}: fail (${String((error && error.message) || error).split('\n').slice(0, 6).join(' | ')})`);
    if (options.verbose && error && error.stack) console.log(error.stack);
  }
}

module.exports = { check, options, total };
