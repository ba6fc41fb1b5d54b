'use strict';
// Moving from Node one node at a time: a 4.x node ends, and the subject takes its place on the same port, while clients of both lines stay.
const { CLIENT } = require('../lib/kinds');

module.exports = ({ test, sleep }) => [
  test('a 4.x node is replaced under live clients', { on: ['S+2+4'], fresh: true }, async (t) => {
    const { s1, n2 } = Object.fromEntries(await Promise.all(['s1', 'n2'].map(async (name) => [name, await t.client(t.node(name))])));
    const place = t.node('n4');
    // clients as applications have them: they come back by themselves
    const live = CLIENT.subject.map((library) => {
      const c = { library, got: [], ids: [], gone: 0 };
      const { Manager } = require(library);
      const manager = new Manager(`http://127.0.0.1:${place.port}`, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, randomizationFactor: 0, transports: ['websocket'] });
      c.socket = manager.socket('/');
      c.socket.on('connect', () => c.ids.push(c.socket.id));
      c.socket.on('disconnect', () => { c.gone++; });
      c.socket.on('n', (i) => c.got.push(i));
      t.closing.push(() => { c.socket.disconnect(); manager.reconnection(false); });
      return c;
    });
    const connected = (times) => t.until(() => live.every((c) => c.ids.length === times && c.socket.connected), `connected ${times} times`);
    await connected(1);

    // broadcasts all the time
    let i = 0;
    let done = false;
    const sending = (async () => { while (!done) { await s1.emit({ event: 'n', args: [i++] }); await sleep(4); } })();
    await t.until(() => live.every((c) => c.got.length > 20), 'broadcasts before');

    place.condemned = true;
    place.signal('SIGTERM');
    await place.exited;
    const mark = i;
    await sleep(100);
    const successor = await t.cluster.add('subject', 's2', { port: place.port });
    await connected(2);
    const since = i + 2;
    await t.until(() => live.every((c) => c.got.some((n) => n > since + 20)), 'broadcasts after');
    done = true;
    await sending;
    const last = i - 1;
    await t.until(() => [...live.map((c) => c.got), s1.all.map((x) => x[1]), n2.all.map((x) => x[1])].every((got) => got.includes(last)), 'the last broadcast');

    // the others saw nothing of it
    for (const c of [s1, n2]) t.got(c, Array.from({ length: i }, (_, n) => ['n', n]));
    for (const c of live) {
      t.eq(c.gone, 1, `disconnections of ${c.library}`);
      t.eq(c.got, [...new Set(c.got)].sort((a, b) => a - b), `order and uniqueness at ${c.library}`);
      const before = c.got.filter((n) => n < mark);
      const after = c.got.filter((n) => n >= since);
      t.eq(before, Array.from({ length: before.length }, (_, n) => before[0] + n), `broadcasts before, at ${c.library}`);
      t.eq(after, Array.from({ length: i - since }, (_, n) => since + n), `broadcasts after, at ${c.library}`);
    }
    // and it is one cluster again: the 2.x node reaches them, and they are found
    await n2.emit({ event: 'n', args: [-1] });
    await t.until(() => live.every((c) => c.got.includes(-1)), 'a broadcast of the 2.x node');
    const found = await s1.ok('ids', {});
    const ids = [s1.id, n2.id, ...live.map((c) => c.ids[1])].sort();
    t.eq(found.ids, ids, 'ids');
    t.note(`the place was empty for ${since - mark} broadcasts`);
    t.ok(successor.alive, 'the subject in the place of the node ended');
  }),
];
