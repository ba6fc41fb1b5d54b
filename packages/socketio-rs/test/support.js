// What all tests use: servers and official clients that end with their test.

'use strict';

const path = require('node:path');
const { once } = require('node:events');

/** An official client, of the conformance suite. */
function client(version) {
  return require(path.join(__dirname, '../../../conformance/node_modules', `sioc-${version}`));
}

const ioc = client('4.8.4').io;
const ioc2 = client('2.0.4');

const { Server } = require('..');
const Seed = require('../lib/v2');

/** A server of 4.x that ends with the test, on a free port. */
function serve(t, options = {}, target = 0) {
  const io = new Server(target, options);
  t.after(() => io.close());
  return io;
}

/** One of 2.x. */
function serveSeed(t, options = {}, target = 0) {
  const io = Seed(target, options);
  t.after(() => io.close());
  return io;
}

function portOf(io) {
  return io.address().port;
}

/** A client that ends with the test. */
function connect(t, io, nsp = '/', options = {}) {
  const socket = ioc(`http://localhost:${portOf(io)}${nsp}`, { forceNew: true, ...options });
  t.after(() => socket.disconnect());
  return socket;
}

function connectSeed(t, io, nsp = '/', options = {}) {
  const socket = ioc2(`http://localhost:${portOf(io)}${nsp}`, { forceNew: true, ...options });
  t.after(() => socket.disconnect());
  return socket;
}

/** The arguments of the next event. */
function next(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

/** Asks until it is so. */
async function until(what, condition) {
  for (let i = 0; i < 1500; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within 30 s: ${what}`);
}

/** Waits a little for something that must not come. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 150));

module.exports = { Server, Seed, serve, serveSeed, portOf, connect, connectSeed, next, until, aWhile, once, ioc };
