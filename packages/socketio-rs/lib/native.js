// The addon: beside this package if it was built here, else of the package for this platform.

'use strict';

const path = require('node:path');

/** Whether the C library is musl, which has packages of its own. */
function isMusl() {
  return process.platform === 'linux' && !process.report?.getReport().header.glibcVersionRuntime;
}

function platformPackage() {
  const libc = process.platform === 'linux' ? (isMusl() ? '-musl' : '-gnu') : '';
  return `socketio-rs-${process.platform}-${process.arch}${libc}`;
}

function load() {
  const own = path.join(__dirname, '..', 'socketio-rs.node');
  const named = process.env.SOCKETIO_RS_ADDON;
  const tries = [...(named ? [named] : []), own, platformPackage()];
  const errors = [];
  for (const name of tries) {
    try {
      return require(name);
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
      errors.push(name);
    }
  }
  throw new Error(
    `socketio-rs: no addon for ${process.platform} on ${process.arch} (looked for ${errors.join(', ')}); ` +
      'is the optional dependency of this platform installed?',
  );
}

module.exports = load();
