'use strict';
// S14: one node is drained while both relay.
module.exports = ({ test, request, Poll }) => [
  test('a draining node goes on relaying and being relayed to', { fresh: true, timeout: 25000 }, async (t) => {
    const mine = [], theirs = [];
    for (let i = 0; i < 6; i++) { mine.push(await t.session(t.a)); theirs.push(await t.session(t.b)); }
    const label = t.label();
    const m = await t.monitor(t.b, undefined);
    const drained = await request(t.a.port, { path: '/nosticky/drain?over=2500' });
    t.eq(drained.status, 200, 'drain');
    const r = await new Poll(t.a.port, { eio: 4 }).open();
    t.eq(r.status, 503, 'a new session at the draining node');
    const end = Date.now() + 2000;
    let served = 0;
    for (let k = 0; Date.now() < end; k++) {
      for (const p of theirs) {
        p.at(t.a);
        t.eq((await p.post(`420["echo-ack",${k}]`)).status, 200, 'POST through the draining node');
        t.eq(await p.msg(), `430[${k}]`, 'answer through the draining node');
      }
      for (const p of mine) {
        if (p.gone) continue;
        p.at(t.b);
        const posted = await p.post(`420["echo-ack",${k}]`);
        const got = posted.status === 200 ? await p.msg() : null;
        if (got === `430[${k}]`) served++; else p.gone = posted.status === 400 || ['1', '41'].includes(got) || (got && got.http === 400) || JSON.stringify(got);
      }
    }
    for (const p of mine) t.ok(p.gone === undefined || p.gone === true, 'a session of the draining node ends with its close or 400: ' + p.gone);
    t.ok(served > 6, `sessions of the draining node are served until they are closed (${served})`);
    for (const p of theirs) t.eq((await p.at(t.b).post('420["echo-ack",1]')).status, 200, 'sessions of the other node');
  }),
  test('clients behind the proxy: those of the other node notice nothing, the rest move', { fresh: true, timeout: 40000 }, async (t) => {
    const proxy = await t.proxy('request');
    const list = [];
    for (const version of ['1.7.4', '2.5.0', '4.8.4']) for (const how of ['polling', 'upgrade']) for (let i = 0; i < 2; i++) {
      proxy.turn = list.length; // however many requests the clients before it made: both nodes get some
      const s = await t.client(version, proxy.port, how, { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 300 });
      s.home = (await t.ask(s, 'node'))[0];
      list.push(s);
    }
    const isB = (x) => x === t.b.tag || x === t.b.name;
    await request(t.a.port, { path: '/nosticky/drain?over=1500' });
    let done = false;
    const stay = list.filter((s) => isB(s.home));
    t.ok(stay.length > 0 && stay.length < list.length, 'both nodes have clients');
    const talk = Promise.all(stay.map(async (s, i) => { for (let k = 0; !done; k++) t.eq(await t.ask(s, 'echo-ack', i, k), [i, k], 'echo during the drain'); }));
    for (const s of list) if (!isB(s.home)) await t.until(async () => s.gone.length > 0 && s.connected && isB((await t.quick(s, 'node').catch(() => []))[0]), 'moved to the other node', 10000);
    done = true;
    await talk;
    for (const s of stay) t.eq(s.gone, [], 'disconnects at the other node');
    const end = await t.a.stop();
    t.a.condemned = true;
    t.eq(end.code, 0, 'exit status of the drained node');
    // what it relayed when it ended was cut: those clients come back
    for (const s of list) await t.until(async () => { try { return (await t.quick(s, 'echo-ack', 'end'))[0] === 'end'; } catch (e) { return false; } }, () => `client ${s.version} ${s.how} works after the node is gone (${s.connected}, ${s.lastError})`, 8000);
  }),
];
