'use strict';
// What clients send again is handled once: the option `retries` of clients 4.6 and later, and the same by hand. No official server does it.
const { client, raw } = require('../../lib/case');
const { uid } = require('../../lib/recovery');
const O = { refs: [], gens: [4], clients: (version) => version === '4.8.4' };
const R = { refs: [], gens: [3, 4] };

// A socket that sends again what is not acknowledged in time.
const retrying = (t, auth, opts) => t.connect('/dedupe', { query: { label: t.label }, creds: auth, opts: Object.assign({ retries: 5, ackTimeout: 300 }, opts) });
// Resolves with the answer, or fails with the client's error.
const pay = (s, what, key) => new Promise((resolve, reject) => {
  s.emit('pay', what, key, (error, ...answer) => (error ? reject(error) : resolve(answer)));
});
const calls = async (t, m, key, expected) => {
  await t.sleep(400);
  const got = m.seen.filter((r) => r.ev === 'paid' && r.key === key).length;
  t.eq(got, expected, 'calls for ' + key);
};
// The monitor keeps reading: what it saw is in `seen`.
const watch = async (t) => {
  t.label = 'dd' + uid();
  const m = await t.monitor(t.label);
  (async () => { while (await m.next(60000)); })().catch(() => {});
  return m;
};

module.exports = [
  client('retries while the handler runs', O, async (t) => {
    const m = await watch(t);
    const s = await retrying(t);
    t.eq(await pay(s, { ms: 1000 }, 'a'), [1, ''], 'three tries, one call, one answer');
    t.eq(await pay(s, { ms: 0 }, 'b'), [1, ''], 'another key');
    await calls(t, m, 'a', 1);
    await calls(t, m, 'b', 1);
  }),
  client('the handler fails, then it does not', O, async (t) => {
    const m = await watch(t);
    const s = await retrying(t);
    const [told] = await pay(s, { fail: 1 }, 'a');
    t.eq(told.error.code, 'failed', 'the client is told of the failure');
    t.eq(await pay(s, { fail: 1 }, 'a'), [2, ''], 'again: it is called again');
    t.eq(await pay(s, { fail: 1 }, 'a'), [2, ''], 'and again: the same answer');
    await calls(t, m, 'a', 2);
  }),
  client('the connection ends before the answer', O, async (t) => {
    const m = await watch(t);
    const s = await retrying(t, { user: 'u' + uid() }, { reconnection: true, reconnectionDelay: 50 });
    let ends = 0;
    s.on('disconnect', () => { ends++; });
    t.eq(await pay(s, { close: 1 }, 'a'), [1, ''], 'the answer of the first call, over the second connection');
    t.eq(ends, 1, 'there were two');
    await calls(t, m, 'a', 1);
  }),
  client('the connection ends while the handler runs', O, async (t) => {
    const m = await watch(t);
    const s = await retrying(t, { user: 'u' + uid() }, { reconnection: true, reconnectionDelay: 50, ackTimeout: 5000 });
    setTimeout(() => s.io.engine.close(), 200);
    t.eq(await pay(s, { ms: 800 }, 'a'), [1, ''], 'who comes back waits for it');
    await calls(t, m, 'a', 1);
  }),
  client('a session that is recovered is a scope', Object.assign({}, O, { profile: 'recovery' }), async (t) => {
    const m = await watch(t);
    const s = await retrying(t, undefined, { reconnection: true, reconnectionDelay: 50, ackTimeout: 5000 });
    setTimeout(() => s.io.engine.close(), 150);
    t.eq(await pay(s, { ms: 600 }, 'a'), [1, ''], 'over the second connection');
    t.eq(s.recovered, true, 'its session went on');
    await calls(t, m, 'a', 1);
  }),
  client('many at once, in order', O, async (t) => {
    const m = await watch(t);
    const s = await retrying(t, undefined, { ackTimeout: 50 });
    const keys = [...Array(10).keys()].map((n) => 'k' + n);
    t.eq(await Promise.all(keys.map((key) => pay(s, { ms: 70 }, key))), keys.map(() => [1, '']));
    t.eq(m.seen.map((r) => r.key), keys, 'each once, in their order');
  }),
  client('keys of others', O, async (t) => {
    const m = await watch(t);
    const [a, b] = [await retrying(t), await retrying(t)];
    const first = await pay(a, {}, 'k');
    const second = await pay(b, {}, 'k');
    t.eq([first, second], [[1, ''], [2, '']], 'another socket has no answer of mine');
    const user = 'u' + uid();
    const [c, d] = [await retrying(t, { user }), await retrying(t, { user })];
    t.eq([await pay(c, {}, 'k'), await pay(d, {}, 'k')], [[3, ''], [3, '']], 'one user, two connections');
    await calls(t, m, 'k', 3);
  }),
  raw('by hand: the same answer, or none that is kept', R, async (t) => {
    const m = await watch(t);
    const w = await t.ws({ query: '&label=' + t.label });
    w.send(t.conn('/dedupe'));
    t.isConnected(await w.msg(), '/dedupe');
    const send = async (id, what, key) => { w.send('42/dedupe,' + id + JSON.stringify(['pay', what, key])); return JSON.parse((await w.msg()).replace(/^43\/dedupe,\d+/, '')); };
    t.eq(await send(1, { size: 10 }, 'a'), [1, 'xxxxxxxxxx']);
    t.eq(await send(2, { size: 20 }, 'a'), [1, 'xxxxxxxxxx'], 'whatever else it says');
    t.eq((await send(3, { size: 20000 }, 'b'))[1].length, 20000);
    t.eq((await send(4, { size: 20000 }, 'b'))[0].error.code, 'already_done', 'too large to be kept');
    for (const key of [7, null, '', {}, ['a'], 'k'.repeat(129), undefined]) {
      t.eq((await send(5, {}, key))[0].error.code, 'invalid', 'no key: ' + JSON.stringify(key));
    }
    t.eq(await send(6, {}, 'k'.repeat(128)), [1, '']);
    t.eq(await send(7, {}, '\u{1F600}"\\'), [1, '']);
    t.eq(await send(8, {}, '\u{1F600}"\\'), [1, '']);
    await calls(t, m, 'a', 1);
    await calls(t, m, 'b', 1);
  }),
  raw('by hand: hundreds of keys, and the oldest are forgotten', R, async (t) => {
    await watch(t);
    const w = await t.ws({ query: '&label=' + t.label });
    w.send(t.conn('/dedupe'));
    t.isConnected(await w.msg(), '/dedupe');
    const send = async (id, key) => { w.send('42/dedupe,' + id + JSON.stringify(['pay', {}, key])); return JSON.parse((await w.msg()).replace(/^43\/dedupe,\d+/, ''))[0]; };
    let once = true;
    for (let n = 0; n < 300; n++) once = once && (await send(n, 'k' + n)) === 1;
    t.ok(once, 'each was new');
    t.eq([await send(1, 'k299'), await send(2, 'k44'), await send(3, 'k43')], [1, 1, 2], '256 are remembered');
  }),
];
