'use strict';
// What the server keeps is in proportion to what was sent, and what ends, ends whole (groups K and G).
const MIB = 1048576;

module.exports = (test) => {
  const zeros = (n) => `[${Array.from({ length: n }, () => '0').join(',')}]`;

  /** What the server's memory rose by per byte sent, beyond what any load takes. */
  const within = (t, sent, most) => {
    const held = t.grown * MIB;
    t.check(held < 24 * MIB || held / sent <= most, `${(sent / 1e6).toFixed(1)} MB sent, ${t.grown.toFixed(0)} MiB held: ${(held / sent).toFixed(1)} times`);
  };

  // `auth` is kept as long as its socket
  const auths = {
    'K01': ['auth, a list of numbers', { profile: 'abuse' }, (i) => `40/dyn-${i},{"a":${zeros(32_700)}}`],
    'K02': ['auth, a list of empty objects', { profile: 'abuse' }, (i) => `40/dyn-${i},{"a":[${Array.from({ length: 21_800 }, () => '{}').join(',')}]}`],
    'K03': ['auth, nested', { profile: 'abuse' }, (i) => `40/dyn-${i},{"a":[${Array.from({ length: 2_000 }, () => '[[[[[[[[[[[[[[]]]]]]]]]]]]]]').join(',')}]}`],
    'K04': ['auth, names of one letter', { profile: 'abuse' }, (i) => `40/dyn-${i},{${Array.from({ length: 7_000 }, (_, k) => `"${k.toString(36)}":0`).join(',')}}`],
  };
  for (const [id, [title, opts, packet]] of Object.entries(auths)) {
    test(id, `${title}, 200 namespaces`, { ...opts, timeout: 60000, rss: 2048, lines: 400 }, async (t) => {
      const s = await t.w4();
      let sent = 0;
      for (let i = 0; i < 200; i++) {
        const text = packet(i);
        sent += text.length;
        s.ws.text(text);
        if (i % 20 === 19) await t.until(async () => (await t.stats()).sockets >= i + 1, 20000, 20);
      }
      const joined = await t.until(async () => (await t.stats()).sockets >= 200, 10000, 50);
      // a bound that refuses some of them is as good
      if (!joined) t.check((await t.stats()).sessions >= 1, 'the server is there');
      within(t, sent, 8);
    });
  }
  test('K05', 'auth in msgpack, a list of nil, 200 namespaces', { profile: 'abuse-msgpack', timeout: 60000, rss: 2048, lines: 400 }, async (t) => {
    const s = await t.m4();
    const auth = { a: Array.from({ length: 64_000 }, () => null) };
    const one = t.msgpack.encode({ type: 0, nsp: '/dyn-1', data: auth }).length;
    for (let i = 0; i < 200; i++) {
      await s.say({ type: 0, nsp: `/dyn-${i}`, data: auth });
      if (i % 20 === 19) await t.until(async () => (await t.stats()).sockets >= i + 1, 5000, 20);
    }
    within(t, 200 * one, 8);
  });
  test('K06', 'the query of a connection of protocol 3, 200 namespaces', { timeout: 60000, rss: 2048, lines: 400 }, async (t) => {
    const s = await t.w3();
    const query = Array.from({ length: 15_000 }, (_, i) => (i % 10) + '=').join('&');
    let sent = 0;
    for (let i = 0; i < 200; i++) {
      const text = `40/dyn-${i}?${query}`;
      sent += text.length;
      s.ws.text(text);
      if (i % 20 === 19) await t.until(async () => (await t.stats()).sockets >= i + 1, 5000, 20);
    }
    within(t, sent, 8);
  });

  // what handlers that wait keep: bounded for a connection (16 MiB by default), and for all
  const message = (n, ms) => `42["keep",${ms},${zeros(n)}]`;
  test('K10', 'arguments of handlers that wait', { profile: 'abuse-app', timeout: 60000, rss: 2048, settle: 15000, late: 2000, p99: 500 }, async (t) => {
    const s = await t.w4();
    s.ws.keep = false;
    const text = message(494_000, 5000);
    for (let i = 0; i < 16; i++) s.ws.text(text);
    await t.sleep(3000);
    t.check(t.grown <= 160, `${(16 * text.length / 1e6).toFixed(0)} MB sent, ${t.grown.toFixed(0)} MiB held`);
    s.over = true;
  });
  test('K11', 'arguments of handlers whose clients have left', { profile: 'abuse-app', timeout: 90000, rss: 2048, settle: 15000, late: 2000, p99: 500 }, async (t) => {
    const text = message(100_000, 6000);
    let sent = 0;
    for (let i = 0; i < 12; i++) {
      const s = await t.w4();
      for (let k = 0; k < 10; k++) { s.ws.text(text); sent += text.length; }
      await t.sleep(100);
      s.ws.conn.destroy();
      s.over = true;
    }
    await t.sleep(1000);
    t.check(t.grown <= 160, `${(sent / 1e6).toFixed(0)} MB sent by clients that left, ${t.grown.toFixed(0)} MiB held`);
  });
  test('K12', 'arguments that came compressed, of handlers whose clients have left', { profile: 'abuse-deflate', timeout: 90000, rss: 2048, settle: 15000, late: 2000, p99: 500 }, async (t) => {
    // no handler waits here; what an event keeps that nobody hears is nothing
    for (let i = 0; i < 12; i++) {
      const s = await t.w4d();
      for (let k = 0; k < 10; k++) s.ws.packed(message(400_000, 6000));
      await t.sleep(50);
      s.ws.conn.destroy();
      s.over = true;
    }
    await t.sleep(1000);
    t.check(t.grown <= 160, `${t.grown.toFixed(0)} MiB held`);
  });

  // whatever panics while a connection ends, its sockets are told of it and leave (U4 and U5 look)
  for (const [id, event] of [['G01', 'bomb-disconnect'], ['G02', 'bomb-callback']]) {
    for (const [row, end] of [['a', 'by the client'], ['b', 'by the server'], ['c', 'by the peer\'s death']]) {
      test(id + row, `${event} in two namespaces of three, ended ${end}`, { profile: 'abuse-app', panics: true, timeout: 30000 }, async (t) => {
        const s = await t.w4();
        for (const nsp of ['/chat', '/dyn-1']) await s.join(nsp);
        for (const nsp of ['/chat', '/dyn-1']) await s.say(`42${nsp},["join","room-${nsp.slice(1)}"]`);
        await s.say(`42["${event}"]`, `42/chat,["${event}"]`);
        t.check(await s.echo(), 'an echo comes back');
        if (end === 'by the client') await s.say('1');
        else if (end === 'by the server') await t.do({ op: 'disconnect', id: s.ids['/'], close: true });
        else s.ws.conn.destroy();
        await t.se(s, t.ANY, { joined: 3 });
      });
    }
  }

  // a logger that writes to the standard error stream, whose reader is gone: the next thing to say panics
  for (const [id, level] of [['G10', 'error'], ['G11', 'debug']]) {
    test(id, `nobody reads the log of level ${level}`, { profile: 'abuse-app', timeout: 60000 }, async (t) => {
      const server = await t.startServer({ profile: 'abuse-app', limits: `RUST_LOG=${level}; export RUST_LOG` });
      const before = await server.stats();
      server.child.stderr.destroy();
      for (let i = 0; i < 3; i++) {
        const ws = await t.ws({ server });
        const say = async (text, answer) => { ws.text(text); if (answer) t.check(await ws.next((m) => m.startsWith(answer), 3000), `no ${answer}`); };
        await say('40', '40{');
        await say('40/chat,', '40/chat,');
        await say('42/chat,["join","a"]');
        await say('42["panic"]');
        await t.until(() => ws.ended, 2000);
        ws.conn.destroy();
      }
      let after;
      await t.until(async () => (after = await server.stats()) && after.sessions <= before.sessions, 5000, 50);
      t.check(after, 'the server does not answer any more');
      for (const what of ['sessions', 'sockets', 'namespaces', 'rooms']) t.eq(after[what], before[what], what);
    });
  }

  // a process that stood still judges its clients by what lies in the buffers
  const stalled = (id, title, run) => test(id, `${title}, a server that stood still`, { profile: 'abuse-fast', timeout: 60000 }, async (t) => {
    const server = await t.startServer({ profile: 'abuse-fast' });
    const stop = async (answer) => {
      process.kill(server.pid, 'SIGSTOP');
      try { await answer(); await t.sleep(1000); } finally { process.kill(server.pid, 'SIGCONT'); }
      await t.sleep(150);
    };
    await run(t, server, stop);
    const over = (await server.events()).filter((e) => e.reason === 'ping timeout').length;
    t.eq(over, 0, 'clients ended with `ping timeout` that had answered');
  });
  stalled('G20', '60 clients by WebSocket', async (t, server, stop) => {
    const sockets = await Promise.all(Array.from({ length: 60 }, async () => {
      const ws = await t.ws({ server });
      ws.text('40');
      return ws;
    }));
    for (const ws of sockets) t.check(await ws.next((m) => m === '2', 3000), 'the first ping');
    await stop(async () => { for (const ws of sockets) ws.text('3'); });
    t.eq(sockets.filter((ws) => ws.ended).length, 0, 'closed connections');
  });
  stalled('G21', '60 clients by polling', async (t, server, stop) => {
    // together: the first one would be overdue before the last one is there
    const polls = await Promise.all(Array.from({ length: 60 }, async () => {
      const opened = await t.request({ path: '/socket.io/?EIO=4&transport=polling' }, server);
      const path = `/socket.io/?EIO=4&transport=polling&sid=${JSON.parse(opened.text.slice(1)).sid}`;
      const [writer, reader] = [await t.tcp(server), await t.tcp(server)];
      const post = (body) => writer.write(t.requestBytes({ method: 'POST', path, body, close: false }));
      post('40');
      await writer.response();
      const get = () => reader.write(t.requestBytes({ path, close: false }));
      get();
      await reader.response();
      get();
      return { post, reader, writer };
    }));
    for (const { reader } of polls) t.eq((await reader.response()).text, '2', 'the first ping');
    await stop(async () => { for (const { post } of polls) post('3'); });
    for (const { writer } of polls) t.eq((await writer.response()).status, 200, 'answer to a pong');
  });
};
