'use strict';
// Text and bytes are told apart by handlers with types, in JSON and in msgpack; and a namespace that a rule allows is the rule's.
const notepack = require('notepack.io');
const { raw } = require('../../lib/case');
const OURS = { refs: [], gens: [4] };

// What an answer says: a handler that does not take an argument tells which one.
const read = (answer) => (answer && answer.error ? `${answer.error.code} at ${answer.error.at}` : answer);

// The answer to one event with one argument; null if there was none.
async function json(w, event, value) {
  const id = (w.asked = (w.asked || 0) + 1);
  if (Buffer.isBuffer(value)) {
    w.send(`451-${id}["${event}",{"_placeholder":true,"num":0}]`);
    w.send(value);
  } else w.send(`42${id}["${event}",${JSON.stringify(value)}]`);
  const f = await w.msg(400);
  return f === null ? null : read(JSON.parse(f.slice(f.indexOf('[')))[0]);
}

async function packed(w, event, value) {
  const id = (w.asked = (w.asked || 0) + 1);
  w.send(notepack.encode({ type: 2, nsp: '/', id, data: [event, value] }));
  const f = await w.msg(400);
  return f === null ? null : read(notepack.decode(f).data[0]);
}

// event, its answers to: a text, bytes, bytes that are UTF-8, bytes of nothing, a text of nothing, null, a number
const VALUES = ['hello', Buffer.from([255, 1]), Buffer.from('hello'), Buffer.alloc(0), '', null, 7];
const WRONG = 'invalid at /0';
const ANSWERS = {
  text: ['delivered', WRONG, WRONG, WRONG, 'delivered', WRONG, WRONG],
  binary: [WRONG, 'delivered', 'delivered', 'delivered', WRONG, WRONG, WRONG],
  'binary-first': ['text:5', 'binary:2', 'binary:5', 'binary:0', 'text:0', WRONG, WRONG],
};

const told = (ask) => async (t, w) => {
  for (const [event, answers] of Object.entries(ANSWERS)) {
    const got = await Promise.all(VALUES.map(() => null));
    for (let i = 0; i < VALUES.length; i++) got[i] = await ask(w, event, VALUES[i]);
    t.eq(got, answers, event);
  }
};

async function join(t, namespace, query = '') {
  const w = t.newWs({ query });
  await w.opened;
  await w.next();
  w.send(`40${namespace},`);
  return w.msg();
}

module.exports = [
  raw('text and bytes', { ...OURS, profile: 'api' }, async (t) => told(json)(t, await t.ws())),
  raw('text and bytes in msgpack', { ...OURS, profile: 'api-msgpack' }, async (t) => {
    const w = t.newWs();
    await w.opened;
    await w.next();
    w.send(notepack.encode({ type: 0, nsp: '/' }));
    t.eq(notepack.decode(await w.msg()).type, 0);
    await told(packed)(t, w);
  }),
  raw('what a rule allows is the rule\'s, also if the server named it first', { ...OURS, profile: 'api' }, async (t) => {
    const root = await t.ws();
    for (const when of ['before a client', 'after a client']) {
      const game = `/game-${when.length}`;
      if (when === 'after a client') t.isRefused(await join(t, game), game, 'no password');
      root.send(`421["tell","${game}"]`);
      t.eq(await root.msg(), '431[true]');
      t.isRefused(await join(t, game), game, 'no password');
      t.isConnected(await join(t, game, '&password=secret'), game);
    }
  }),
];
