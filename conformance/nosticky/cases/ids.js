'use strict';
// Session ids: 4 characters that are the node's, 16 of random.
module.exports = ({ test, Poll, Ws }) => [
  test('20 characters, the first four are the node\'s', { on: ['3'] }, async (t) => {
    const tags = new Set();
    for (const node of t.nodes) {
      const ids = [];
      for (const eio of [3, 4]) for (let i = 0; i < 3; i++) {
        const p = new Poll(node.port, { eio });
        await p.open();
        ids.push(p.sid);
        const w = await t.ws(node, { eio });
        ids.push(w.sid);
      }
      for (const id of ids) t.ok(/^[A-Za-z0-9_-]{20}$/.test(id), `a session id of ${node.name} is ${id}`);
      t.eq([...new Set(ids.map((x) => x.slice(0, 4)))].length, 1, `tags of ${node.name}`);
      t.eq(new Set(ids.map((x) => x.slice(4))).size, ids.length, 'random parts that differ');
      tags.add(ids[0].slice(0, 4));
    }
    t.eq(tags.size, 3, 'different tags');
  }),
  test('a request of a session is answered by its node, whoever gets it', { on: ['2', '2 over redis'] }, async (t) => {
    for (const eio of [3, 4]) for (const [home, other] of [[t.a, t.b], [t.b, t.a]]) {
      const p = await t.session(home, { eio });
      p.at(other);
      t.eq((await p.post('420["node"]')).status, 200, 'POST at the other node');
      const answer = JSON.parse(String(await p.msg()).replace(/^430/, ''));
      t.eq([answer[0], p.sid.slice(0, 4)], [answer[0], home.tag], 'tag');
      t.ok(answer[0] === home.tag || answer[0] === home.name, `answered by ${answer[0]}, not by ${home.name}`);
    }
  }),
  test('own sessions are not relayed', {}, async (t) => {
    const before = t.cluster.wires.map((w) => w.mark());
    const p = await t.session(t.a);
    for (let i = 0; i < 5; i++) { await p.post('420["echo-ack",1]'); await p.msg(); }
    t.eq(t.cluster.wires.map((w, i) => w.since(before[i]).sent), [0, 0], 'bytes between the nodes');
  }),
];
