'use strict';
// Not rows of the table: other values beside those of its rows, by group. The rule of the row is named in the title.
const zlib = require('zlib');

module.exports = (test) => {
  const OPEN = '/socket.io/?EIO=4&transport=polling';
  const LIM = { profile: 'abuse-lim' };
  const buf = (...parts) => Buffer.concat(parts.map((p) => (Buffer.isBuffer(p) ? p : typeof p === 'string' ? Buffer.from(p) : Buffer.from(p))));
  const closeBody = (code, reason = '') => { const b = Buffer.alloc(2); b.writeUInt16BE(code); return buf(b, reason); };
  const named = async (what, fn) => { try { return await fn(); } catch (e) { e.message = `${what}: ${e.message}`; throw e; } };
  /** Every input; all that fail are told. */
  const every = async (t, inputs, fn) => {
    const wrong = [];
    for (const input of inputs) await named(t.show(Array.isArray(input) ? String(input[0]) : input, 60), () => fn(input)).catch((e) => wrong.push(e.message));
    t.check(!wrong.length, wrong.join(' | '));
  };
  const quitV3 = async (t, res) => {
    const m = /^(\d+):0(\{.*?\})/.exec(res.text);
    t.check(m, `${t.show(res.text)} is no protocol 3 open packet`);
    await t.post(`/socket.io/?EIO=3&transport=polling&sid=${JSON.parse(m[2]).sid}`, '1:1');
  };

  // ---- H ----
  test('VH1', 'handshakes: transport', (t) => every(t, ['?EIO=4&transport=', '?EIO=4&transport=polling&transport=foo', '?EIO=4&transport=Polling', '?EIO=4&transport=constructor', '?EIO=4&transport=toString', '?EIO=4&transport=polling%00', '?EIO=4&transport=%70olling2', '?EIO=4&transport=polling%20', '?EIO=4&transport=webtransport', '?EIO=3&transport=foo', '?EIO=4&transport=flashsocket', '?' + 'a=1&'.repeat(1000), '?&&&&', '?=&=', '?%', '?transport'], async (q) => t.http(await t.handshake(q), 400, 0)));
  test('VH2', 'handshakes: methods', (t) => every(t, ['PUT', 'PATCH', 'DELETE', 'POST', 'OPTIONS', 'FOO', 'get', 'PROPFIND'], async (method) => {
    for (const q of ['EIO=4&transport=polling', 'EIO=3&transport=polling', 'transport=polling']) t.http(await t.request({ method, path: `/socket.io/?${q}`, body: method === 'OPTIONS' ? undefined : '40' }), 400, 2);
  }));
  test('VH3', 'handshakes: EIO that is not exactly 4', (t) => every(t, ['04', '4.0', '+4', '%204', '', '4a', '__proto__', '4%00', '44', '-4', '99999999999999999999'], async (eio) => quitV3(t, t.http(await t.handshake(`?EIO=${eio}&transport=polling`), 200))));
  test('VH4', 'handshakes: EIO that is not exactly 4, protocol 3 refused', { profile: 'abuse-nov3' }, (t) => every(t, ['04', '4.0', '+4', '', '4a', '5', '2'], async (eio) => {
    t.http(await t.handshake(`?EIO=${eio}&transport=polling`), 400, 5);
    t.aborted((await t.tryUpgrade({ query: `EIO=${eio}&transport=websocket` })).res, 400, 5);
  }));
  test('VH5', 'sids that are not known', async (t) => {
    const s = await t.p4();
    const flip = s.sid.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'));
    await every(t, ['a'.repeat(8000), '%F0%9F%98%80', flip, s.sid + '%20', s.sid + 'A', s.sid.slice(0, -1), '..%2f..', '%0d%0aX-A:%20b', s.sid + '&sid=unknown', 'toString', '0', 'null', 'undefined', '%00' + s.sid], async (sid) => {
      t.http(await t.get(`${OPEN}&sid=${sid}`), 400, 1);
      t.http(await t.post(`${OPEN}&sid=${sid}`, '40'), 400, 1);
      t.aborted((await t.tryUpgrade({ query: `EIO=4&transport=websocket&sid=${sid}` })).res, 400, 1);
    });
    await t.ign(s);
  });
  test('VH6', 'heads that are too large, in pieces too', async (t) => {
    const heads = [
      t.requestBytes({ path: OPEN, headers: { ['x'.repeat(20000)]: '1' } }),
      t.requestBytes({ path: OPEN, headers: Array.from({ length: 40 }, (_, i) => ['X-' + i, 'a'.repeat(500)]) }),
      t.requestBytes({ path: OPEN, headers: Array.from({ length: 2100 }, () => ['a', '']) }),
      t.requestBytes({ path: OPEN, headers: { Cookie: 'a=b; '.repeat(4000) } }),
      t.requestBytes({ path: '/' + '%41'.repeat(7000) }),
      t.requestBytes({ method: 'POST', path: OPEN + '&sid=x', headers: { 'X-A': 'a'.repeat(17000) }, body: 'x'.repeat(100) }),
      Buffer.from('A'.repeat(20000)),
      Buffer.from('GET ' + 'a'.repeat(70000)),
    ];
    await every(t, heads, async (head) => {
      for (const size of [head.length, 1000, 4096]) {
        const conn = await t.tcp();
        for (let i = 0; i < head.length && !conn.ended && !conn.length; i += size) await conn.flush(head.subarray(i, i + size));
        const res = await conn.response();
        t.check(res ? [431, 400, 414].includes(res.status) : conn.ended, res ? `HTTP ${res.status}` : 'no answer');
        t.check(await conn.closed(), 'stays open');
      }
    });
  });
  test('VH7', 'heads that are no HTTP/1.1', { timeout: 60000 }, async (t) => {
    const g = `GET ${OPEN} HTTP/1.1\r\nHost: x\r\n`;
    await every(t, [`${g}A: b\r\n c\r\n\r\n`, `${g}A: b\0c\r\n\r\n`, `${g}A: b\rc\r\n\r\n`, `${g}: x\r\n\r\n`, `${g}A\r\n\r\n`, `${g}A B: c\r\n\r\n`, `${g}\xe9: c\r\n\r\n`, `GET  ${OPEN} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET ${OPEN} HTTP/2.0\r\nHost: x\r\n\r\n`, `GET ${OPEN} HTTP/1.2\r\nHost: x\r\n\r\n`, `GET ${OPEN} http/1.1\r\nHost: x\r\n\r\n`, `GET ${OPEN}\r\n\r\n`, `GET ${OPEN} HTTP/1.1 x\r\nHost: x\r\n\r\n`, `GET /a b HTTP/1.1\r\nHost: x\r\n\r\n`, `GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n`,
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', `G\0T / HTTP/1.1\r\n\r\n`, '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0', 'SSH-2.0-OpenSSH_9\r\n', '\xff\xfe\xfd'.repeat(100), `GET ${OPEN} HTTP/1.1\r\nHost: a\r\nHost: b\r\nHost : c\r\n\r\n`], async (head) => {
      const conn = await t.send(head);
      const res = await conn.response({ timeout: 3000 });
      t.check(res ? res.status >= 400 && res.status < 500 : conn.ended, res ? `HTTP ${res.status}` : 'no answer');
      t.check(await conn.closed(), 'stays open');
      t.eq(conn.length, 0, 'bytes after the answer');
    });
  });
  test('VH8', 'bodies with two meanings', async (t) => {
    const C = ['Transfer-Encoding', 'chunked'];
    const rest = '2\r\n42\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n';
    await every(t, [
      [[C, ['Content-Length', 4]], rest], [[['content-length', 0], ['TRANSFER-ENCODING', 'Chunked']], rest], [[C, ['Content-Length', 'x']], rest],
      [[['Transfer-Encoding', 'gzip'], ['Content-Length', 4]], rest], [[['Transfer-Encoding', 'chunked, identity']], rest], [[['Transfer-Encoding', 'xchunked']], rest], [[['Transfer-Encoding', 'identity']], rest], [[['Transfer-Encoding', '']], rest], [[['Transfer-Encoding', '\x0bchunked']], rest],
      [[['Transfer-Encoding ', 'chunked']], rest], [[['Content-Length', '2, 3']], '42'], [[['Content-Length', '0x2']], '42'], [[['Content-Length', '-1']], '42'], [[['Content-Length', '']], '42'], [[['Content-Length', '2 2']], '42'], [[['Content-Length', '2.0']], '42'], [[['Content-Length', '1e1']], '42'],
      [[['Content-Length', '99999999999999999999999']], '42'], [[['Content-Length', 2], ['Content-Length', 2], ['Content-Length', 4]], '42'],
      [[C], '-2\r\n42\r\n0\r\n\r\n'], [[C], '0x2\r\n42\r\n0\r\n\r\n'], [[C], '+2\r\n42\r\n0\r\n\r\n'], [[C], 'g\r\n42\r\n'], [[C], '\r\n42\r\n0\r\n\r\n'], [[C], '10000000000000000\r\n42\r\n'], [[C], '2\r\n42X\r\n0\r\n\r\n'], [[C], `2;${'a'.repeat(100000)}\r\n42\r\n0\r\n\r\n`], [[C], `2\r\n42\r\n0\r\n${'a: b\r\n'.repeat(20000)}\r\n`],
    ], async ([headers, body]) => {
      const s = await t.p4();
      const conn = await t.send(t.requestBytes({ method: 'POST', path: s.query(), headers, body, length: false, close: false }));
      const res = await conn.response();
      t.check(res ? res.status >= 400 && res.status < 500 : conn.ended, res ? `HTTP ${res.status}` : 'no answer');
      t.check(await conn.closed(), 'stays open');
      t.eq(conn.length, 0, 'bytes after the answer');
    });
  });
  test('VH9', 'WebSocket handshakes that are none', async (t) => {
    await every(t, [{ version: '8' }, { version: '0' }, { version: '13, 8' }, { version: null }, { version: '013' }, { key: '' }, { key: 'a'.repeat(24) + '==' }, { key: Buffer.alloc(15).toString('base64') }, { key: Buffer.alloc(17).toString('base64') }, { key: '!!!!!!!!!!!!!!!!!!!!!!==' }, { key: 'x'.repeat(10000) },
      { headers: { Connection: 'close' } }, { headers: { Upgrade: 'h2c' } }, { headers: { Upgrade: 'websocketx' } }, { method: 'PUT' }, { method: 'DELETE' }, { query: 'EIO=4&transport=polling' }, { query: 'EIO=4&transport=foo' }, { query: 'EIO=4' },
      { headers: [['Sec-WebSocket-Protocol', ',']] }, { headers: [['Sec-WebSocket-Protocol', 'a b']] }, { headers: [['Sec-WebSocket-Protocol', 'a, , b']] }], async (opts) => named(JSON.stringify(opts).slice(0, 70), async () => {
      const { res, conn } = await t.tryUpgrade(opts);
      t.check(res, 'no answer');
      t.check(res.status >= 400 && res.status < 500, `HTTP ${res.status} ${t.show(res.text)}`);
      if (opts.version !== undefined && opts.version !== null) t.check(res.headers['sec-websocket-version'], 'no Sec-WebSocket-Version in the answer');
      t.check(await conn.closed(), 'stays open');
    }));
  });
  test('VH10', 'offers of extensions', { profile: 'abuse-deflate' }, (t) => every(t, ['permessage-deflate; server_max_window_bits=16', 'permessage-deflate; server_max_window_bits=08', 'permessage-deflate; server_max_window_bits', 'permessage-deflate; server_max_window_bits=abc', 'permessage-deflate; client_max_window_bits=7', 'permessage-deflate; client_max_window_bits=16', 'permessage-deflate; foo', 'permessage-deflate; server_no_context_takeover=1', 'permessage-deflate; server_no_context_takeover; server_no_context_takeover', 'permessage-deflate; server_max_window_bits=10; server_max_window_bits=11',
    'x-webkit-deflate-frame', 'permessage-deflatex', ';', 'a;b=c;d="e,f"', 'permessage-deflate;', '=', '"', 'permessage-deflate; server_max_window_bits="', ','.repeat(5000), 'a;'.repeat(5000), 'permessage-deflate; a,'.repeat(500)], async (offer) => {
    const { res, conn } = await t.tryUpgrade({ headers: { 'Sec-WebSocket-Extensions': offer } });
    t.http(res, [101, 400]);
    t.check(!res.headers['sec-websocket-extensions'], `agreed: ${res.headers['sec-websocket-extensions']}`);
    conn.destroy();
  }));
  test('VH11', 'methods with a valid sid', async (t) => {
    const s = await t.p4();
    await every(t, ['PUT', 'PATCH', 'DELETE', 'TRACE', 'FOO', 'get', 'post', 'CONNECT'], async (method) => {
      const res = await t.request({ method, path: s.query(), body: ['PUT', 'FOO', 'post'].includes(method) ? '42["e",1]' : undefined });
      t.check(res && (res.status === 500 ? res.text === '' : res.status >= 400 && res.status < 500), `HTTP ${res && res.status}`);
      await t.ign(s);
    });
  });
  test('VH12', 'upgrades on foreign paths', (t) => every(t, ['/', '/socket.iox/', '/socket.i/', '/SOCKET.IO/', '/socket.io.js', '//socket.io/', '/a/socket.io/', '/%73ocket.io/', '/socket.io%2f'], async (path) => {
    const { res, conn } = await t.tryUpgrade({ path: `${path}?EIO=4&transport=websocket`, timeout: 2000 });
    t.check(!res || (res.status >= 400 && res.status < 500), `HTTP ${res && res.status}`);
    t.check(await conn.closed(2500), 'not closed within 2 s');
  }));
  test('VH13', 'pipelined requests in pieces', async (t) => {
    const s = await t.p4();
    const posts = Buffer.concat(Array.from({ length: 8 }, (_, i) => t.requestBytes({ method: 'POST', path: s.query(), headers: { 'Content-Type': 'text/plain' }, body: `42["e",${i}]`, close: false })));
    for (const size of [posts.length, 1, 7, 100]) {
      const conn = await t.tcp();
      for (let i = 0; i < posts.length; i += size) { await conn.flush(posts.subarray(i, i + size)); }
      for (let i = 0; i < 8; i++) t.http(await conn.response(), 200);
      for (let i = 0; i < 8; i++) await t.gets(s, `42["r",${i}]`);
      conn.destroy();
    }
  });
  test('VH14', 'bytes that are no request, then silence', { ...LIM, timeout: 30000 }, async (t) => {
    const all = [];
    for (const x of ['16030102000100', '160301', '00', 'ff', '80', '0d0a', '0d0a0d0a', '474554', '50524920', '0a']) all.push([x, await t.send(Buffer.from(x, 'hex'))]);
    await t.until(() => all.every(([, c]) => c.ended), 6000 * t.slack, 50);
    t.eq(all.filter(([, c]) => !c.ended).map(([x]) => x), [], 'open after the head timeout');
  });

  // ---- O ----
  const EVIL = ['http://ok.example', 'https://ok.example:444', 'https://ok.example@evil.example', 'https://evil.example#https://ok.example', 'https://xok.example', 'https://a.ok.example', 'https://ok.example.', 'https://ok.exampl', 'https://ok.example%00.evil', 'https://evil.example, https://ok.example', 'https://ok.example https://evil.example', 'file://', 'ok.example', '//ok.example', 'https://[::1', 'x'.repeat(5000), '*', 'https://', 'https://ok.example\\.evil.example', 'https://ok.example:443443', 'https://ok.example:', 'https://ok\xe9.example', ''];
  for (const [id, profile] of [['VO1', 'abuse-cors'], ['VO2', 'abuse-origins']]) {
    test(id, `foreign origins (${profile})`, { profile, timeout: 40000 }, (t) => every(t, EVIL, async (origin) => {
      if (origin === '' ) return;
      for (const method of ['GET', 'OPTIONS']) {
        const res = await t.request({ method, path: OPEN, headers: method === 'OPTIONS' ? { Origin: origin, 'Access-Control-Request-Method': 'POST' } : { Origin: origin } });
        t.check(res, 'no answer');
        t.check(res.status < 500, `HTTP ${res.status}`);
        const allow = res.headers['access-control-allow-origin'];
        t.check(allow === undefined || allow === 'https://ok.example', `Allow-Origin ${allow}`);
        if (profile === 'abuse-origins' && method === 'GET') t.http(res, 403, 4);
        if (profile === 'abuse-cors' && res.status !== 400) t.check(/\borigin\b/i.test(res.headers.vary || ''), `${method} ${res.status}: no Vary: Origin`);
        if (res.status === 200 && method === 'GET') await t.post(`${OPEN}&sid=${JSON.parse(res.text.slice(1)).sid}`, '1', { headers: { Origin: 'https://ok.example' } });
      }
      const up = (await t.tryUpgrade({ headers: { Origin: origin } })).res;
      t.http(up, 403);
    }));
    test(id + 'b', `two Origin fields (${profile})`, { profile }, (t) => every(t, [['https://ok.example', 'https://evil.example'], ['https://evil.example', 'https://ok.example']], async (two) => {
      const headers = two.map((o) => ['Origin', o]);
      const { res, conn } = await t.tryUpgrade({ headers });
      t.http(res, [400, 403]);
      conn.destroy();
    }));
  }
  test('VO3', 'odd bytes in Origin', { profile: 'abuse-cors' }, (t) => every(t, ['\x01', '\x7f', '\0', '\x1b[31m', '\n', '\r'], async (c) => {
    for (const make of [t.requestBytes, (o) => t.upgradeBytes({ ...o, path: '/socket.io/?EIO=4&transport=websocket' })]) {
      const conn = await t.send(make({ path: OPEN, headers: { Origin: `http://a${c}b` } }));
      const res = t.http(await conn.response(), [400, 403]);
      t.check(!res.list.some(([, v]) => v.includes(c) && c !== '\n' && c !== '\r'), 'the byte is in an answer header');
    }
  }));
  test('VO4', 'allowRequest refuses, other ways', { profile: 'abuse-guard' }, async (t) => {
    for (const q of ['EIO=3&transport=polling&deny', 'transport=polling&deny=', 'EIO=4&transport=polling&%64eny=x', 'EIO=4&transport=polling&j=0&deny=1']) t.http(await t.get(`/socket.io/?${q}`), 403);
    for (const q of ['EIO=3&transport=websocket&deny', 'transport=websocket&deny=']) { const { res, conn } = await t.tryUpgrade({ query: q }); t.http(res, [400, 403]); t.check(await conn.closed(), 'stays open'); }
    t.eq((await t.server.events(t.opts.baseEvent)).length, 0, 'events');
  });
  test('VO5', 'allowRequest answers when the client has gone, by reset and by half close', { profile: 'abuse-guard', settle: 5000 }, async (t) => {
    const conns = [];
    for (const q of ['EIO=4&transport=polling', 'EIO=3&transport=polling', 'EIO=4&transport=polling&j=1']) conns.push(await t.send(t.requestBytes({ path: `/socket.io/?${q}&slow=500` })));
    for (const q of ['EIO=4&transport=websocket', 'EIO=3&transport=websocket']) conns.push(await t.send(t.upgradeBytes({ path: `/socket.io/?${q}&slow=500` })));
    await t.sleep(150);
    conns.forEach((c, i) => (i % 2 ? c.reset() : c.destroy()));
    await t.sleep(800);
  });

  // ---- T ----
  test('VT1', 'file names that are none', (t) => every(t, ['/socket.io/socket.io.js/', '/socket.io//socket.io.js', '/socket.io/..;/socket.io.js', '/socket.io/..%5csocket.io.js', '/socket.io/....//socket.io.js', '/socket.io/%c0%ae%c0%ae/package.json', '/socket.io/socket.io.js%20', '/socket.io/socket.io.js.', '/socket.io/socket.io.js;a', '/socket.io/SOCKET.IO.JS', '/socket.io/socket.io.js%2e', '/socket.io/dist/socket.io.js', '/socket.io/LICENSE', '/socket.io/v4/socket.io.js', '/socket.io/VERSION', '/socket.io/~', '/socket.io/.', '/socket.io/socket.io.js%0d%0aX: y'.replace(' ', '%20')], async (path) => {
    const res = t.http(await t.get(path), [400, 404]);
    t.check(res.body.length < 1000, `${res.body.length} bytes of body`);
  }));
  test('VT2', 'If-None-Match', async (t) => {
    const { etag } = (await t.get('/socket.io/socket.io.min.js')).headers;
    await every(t, [[`"x", ${etag}`, 304], [`${etag}, "x"`, 304], ['*', 304], ['"x"', 200], ['', 200], ['W/"x"', 200], [etag.replace(/"$/, ''), 200], [',,,', 200], [`"x",W/${etag.replace(/^W\//, '')}`, 304]], async ([value, status]) => {
      const res = t.http(await t.get('/socket.io/socket.io.min.js', { headers: { 'If-None-Match': value } }), status);
      if (status === 304) t.eq(res.body.length, 0, 'body');
    });
  });
  test('VT3', 'Range', async (t) => {
    const full = t.http(await t.get('/socket.io/socket.io.js'), 200);
    await every(t, ['bytes=-0', 'bytes=999999999-', 'bytes=0-3,5-6', 'bytes=3-1', 'bytes=', 'lines=1-2', 'bytes=-5', 'bytes=0-99999999999999999999', 'bytes=' + '0-1,'.repeat(1000) + '0-1'], async (range) => {
      const res = t.http(await t.get('/socket.io/socket.io.js', { headers: { Range: range } }), [200, 206, 416]);
      if (res.status === 200) t.check(res.body.equals(full.body), 'not the full file');
    });
  });
  test('VT4', 'HEAD of every file, and with If-None-Match', (t) => every(t, ['socket.io.js', 'socket.io.min.js', 'socket.io.msgpack.min.js', 'socket.io.esm.min.js', 'socket.io.min.js.map'], async (file) => {
    const full = t.http(await t.get(`/socket.io/${file}`), 200);
    for (const [headers, status] of [[{}, 200], [{ 'If-None-Match': full.headers.etag }, 304]]) {
      const conn = await t.send(t.requestBytes({ method: 'HEAD', path: `/socket.io/${file}`, headers }));
      const res = t.http(await conn.response({ head: true }), status);
      await conn.closed(1000);
      t.eq(conn.length, 0, 'body bytes');
      if (status === 200) t.eq(Number(res.headers['content-length']), full.body.length, 'Content-Length');
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) { const res = await t.request({ method, path: `/socket.io/${file}`, body: method === 'OPTIONS' ? undefined : 'x' }); t.check(res && res.status >= 400 && res.status < 500, `${method}: ${res && res.status}`); }
  }));

  // ---- P ----
  const posts = (id, title, bodies, reasons, { open = (t) => t.p4(), headers, statuses = [200, 400], ...opts } = {}) => test(id, title, { timeout: 60000, ...opts }, (t) => every(t, bodies, async (body) => {
    const s = await open(t);
    t.http(await s.post(body, headers ? { headers } : {}), statuses);
    await t.se(s, reasons.flatMap((r) => t[r]));
  }));
  posts('VP1', 'payloads that cannot be read', ['\x1e42["e",1]', '42["e",1]\x1e\x1e42["e",2]', '8', '-1', ':', ' ', '\n', '\r\n', 'é', '😀', 'B', 'c42', '/', 'ff', '\0', '\x1e6', '6\x1e', '6\x1e\x1e6', ' 42["e",1]', '\u200b42["e",1]'], ['PARSE']);
  posts('VP2', 'pings with data', ['2probe', '2abc', '22', '2\x1e42["e",1]', '6\x1e2'], ['ERROR']);
  posts('VP3', 'close packets', ['1abc', '1\x1e1', '6\x1e1\x1e6', '3\x1e1\x1e42["e",', '1\x1exyz'], ['CLOSE']);
  posts('VP4', 'binary that is none, or not announced', ['b=', 'bA', 'bAA', 'bAQID=', 'b AQID', 'bAQ\x1e6', 'bAQ==AQ==', 'b====', 'bAQI=\n', 'bé', 'b_-8=', 'b' + 'A'.repeat(100001)], ['PARSE', 'PACKET']);
  posts('VP5', 'messages that are no packets', ['4', '4\x1e4', '47', '42["e",1', '42["e",1]]', '6\x1e42', '4{}', '4 2["e",1]', '42["e",1]\x1e48'].filter((x) => x !== '6\x1e42'), ['PACKET']);
  test('VP6', 'bytes that are not UTF-8', { timeout: 90000 }, (t) => every(t, [[0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xfe], [0xc3]], async (bad) => {
    for (const body of [buf('42["e","', bad, '"]'), buf('42["', bad, '"]'), buf(bad), buf('4', bad), buf('42["e",1]', bad), buf('42["e",1]\x1e', bad)]) {
      const s = await t.p4();
      const other = body;
      t.http(await s.post(other), [200, 400]);
      const res = await s.get('', { timeout: 700 });
      if (res && res.status === 200 && res.text.includes('"r"')) t.check(Buffer.from(res.text).equals(res.body), 'invalid UTF-8 came back');
      if (!(await s.echo(700).catch(() => false))) await t.se(s, t.ANY);
    }
  }));
  test('VP7', 'exactly maxHttpBufferSize, in chunks of several sizes', { timeout: 60000 }, async (t) => {
    const body = (n) => '42["e","' + 'a'.repeat(n - 10) + '"]';
    for (const chunk of [1000000, 65536, 997]) {
      for (const n of [1000000, 1000001, 1000500]) {
        const s = await t.p4();
        const parts = [];
        for (let i = 0, b = body(n); i < b.length; i += chunk) { const p = b.slice(i, i + chunk); parts.push(`${p.length.toString(16)}\r\n${p}\r\n`); }
        const conn = await t.send(t.requestBytes({ method: 'POST', path: s.query(), headers: { 'Transfer-Encoding': 'chunked', 'Content-Type': 'text/plain' }, body: parts.join('') + '0\r\n\r\n', length: false, close: false }));
        const res = await conn.response();
        if (n === 1000000) { t.http(res, 200); await t.gets(s, (p) => p.startsWith('42["r"')); } else { t.http(res, 413); await t.either(s, [...t.ERROR, ...t.PARSE]); }
      }
    }
  });
  test('VP8', 'lengths that are announced too large', (t) => every(t, ['1000001', '9223372036854775807', '9223372036854775808', '18446744073709551615', '18446744073709551616', '4294967297'], async (n) => {
    const s = await t.p4();
    const conn = await t.send(`POST ${s.query()} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${n}\r\n\r\n42["e",1]`);
    const res = await conn.response({ timeout: 3000 });
    t.check(res ? [413, 400, 431].includes(res.status) : conn.ended, res ? `HTTP ${res.status}` : 'no answer');
    await t.either(s, t.ANY);
  }));
  test('VP9', 'bodies that end early', { timeout: 40000 }, (t) => every(t, ['fin', 'reset', 'chunked-fin', 'chunked-reset', 'jsonp', 'v3'], async (how) => {
    const s = how === 'v3' ? await t.p3() : await t.p4();
    const chunked = how.startsWith('chunked');
    const head = t.requestBytes({ method: 'POST', path: s.query(how === 'jsonp' ? '&j=0' : ''), headers: { 'Content-Type': how === 'jsonp' ? 'application/x-www-form-urlencoded' : 'text/plain', ...(chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': 99 }) }, close: false });
    const conn = await t.send(buf(head, chunked ? '5\r\n42["e\r\n3\r\n' : how === 'jsonp' ? 'd=42' : '42["e'));
    await t.sleep(60);
    if (/reset/.test(how)) conn.reset(); else conn.fin();
    await t.se(s, t.ERROR, { ms: 1000 * t.slack });
  }));
  test('VP10', 'a waiting poll is left: by reset, by half close, protocol 3, JSONP', { timeout: 40000 }, (t) => every(t, ['reset', 'fin', 'v3', 'jsonp'], async (how) => {
    const s = how === 'v3' ? await t.p3() : await t.p4();
    if (how === 'v3') await s.next((p) => p === '40', 500);
    const conn = await t.send(t.requestBytes({ path: s.query(how === 'jsonp' ? '&j=0' : ''), close: false }));
    await t.sleep(80);
    if (how === 'fin') conn.fin(); else if (how === 'reset') conn.reset(); else conn.destroy();
    await t.se(s, t.GONE, { ms: 1500 * t.slack });
  }));
  test('VP11', '25,000 events in one POST, answers fetched afterwards', { timeout: 60000 }, async (t) => {
    const s = await t.p4();
    const n = 25000;
    const post = s.post(Array.from({ length: n }, (_, i) => `42["e",${i}]`).join('\x1e'), { timeout: 30000 });
    for (let i = 0; i < n; i++) {
      const got = await s.next((p) => p.startsWith('42'));
      if (got !== `42["r",${i}]`) t.fail(`echo ${i}: ${t.show(got)}`);
    }
    t.http(await post, 200);
    await t.ign(s);
  });
  test('VP12', 'the same, the POST is awaited first', { timeout: 60000 }, async (t) => {
    const s = await t.p4();
    const n = 12000;
    t.http(await s.post(Array.from({ length: n }, (_, i) => `42["e",${i}]`).join('\x1e'), { timeout: 20000 }), 200);
    for (let i = 0; i < n; i++) {
      const got = await s.next((p) => p.startsWith('42'));
      if (got !== `42["r",${i}]`) t.fail(`echo ${i}: ${t.show(got)}`);
    }
  });
  test('VP13', '300,000 pongs, opens and upgrades in one POST', async (t) => {
    for (const p of ['3', '5', '0', '6a']) {
      const s = await t.p4();
      const body = p + ('\x1e' + p).repeat(Math.floor(990000 / (p.length + 1)) - 1);
      const cpu = await t.cpu(async () => t.http(await s.post(body), 200), 2);
      await t.ign(s);
      t.check(cpu < 60 * t.slack, `${p}: ${cpu.toFixed(0)} ms of CPU`);
    }
  });
  test('VP14', 'JSONP with odd numbers', (t) => every(t, ['', 'abc', '1e9', '99999999999999999999', '0', '-1', '%00', '1]();alert(1)//', '%F0%9D%9F%99', '_proto_', '1'.repeat(3000)], async (j) => {
    for (const eio of [4, 3]) {
      const path = `/socket.io/?EIO=${eio}&transport=polling&j=${j}`;
      const res = await t.get(path);
      t.check(res, 'no answer');
      t.check(res.status === 200 || (res.status >= 400 && res.status < 500), `HTTP ${res.status}`);
      if (res.status !== 200) continue;
      const m = /^___eio\[(\d*)\]\((".*")\);?$/s.exec(res.text);
      const sid = m ? /"sid":"([^"]+)"/.exec(JSON.parse(m[2]))[1] : /"sid":"([^"]+)"/.exec(res.text)[1];
      if (m) t.eq(m[1], decodeURIComponent(j).replace(/[^0-9]/g, ''), 'digits');
      await t.post(`/socket.io/?EIO=${eio}&transport=polling&sid=${sid}`, eio === 4 ? '1' : '1:1');
      t.check(m, `the script is ${t.show(res.text)}`);
    }
  }));
  test('VP15', 'JSONP answers are scripts that stay strings', async (t) => {
    const s = await t.p4();
    const text = '</script><!--\u2028\u2029"\\\'';
    t.http(await s.post(`42["e",${JSON.stringify(text)}]`), 200);
    const res = t.http(await t.get(s.query('&j=7')), 200);
    const m = /^___eio\[7\]\((".*")\);?$/s.exec(res.text);
    t.check(m && !/[\u2028\u2029]/.test(res.text), t.show(res.text));
    t.eq(JSON.parse(JSON.parse(m[1]).slice(2))[1], text, 'text');
    t.eq(res.headers['x-content-type-options'], 'nosniff', 'X-Content-Type-Options');
  });
  test('VP16', 'JSONP posts that are none', (t) => every(t, ['d=', 'd=%', 'd=%zz', 'd=%ff', 'd=7', 'd=\x1e'], async (body) => {
    const s = await t.p4();
    t.http(await t.request({ method: 'POST', path: s.query('&j=0'), headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body }), [200, 400]);
    await t.se(s, [...t.PARSE, ...t.ERROR, ...t.PACKET]);
  }));
  test('VP17', 'other protocol on a session', async (t) => {
    const p4 = await t.p4();
    const p3 = await t.p3();
    for (const [s, eio] of [[p4, '3'], [p4, '5'], [p4, ''], [p3, '4']]) {
      t.http(await t.get(`/socket.io/?EIO=${eio}&transport=polling&sid=${s.sid}`), 400, 3);
      t.http(await t.post(`/socket.io/?EIO=${eio}&transport=polling&sid=${s.sid}`, '1'), 400, 3);
    }
    for (const s of [p4, p3]) { t.http(await t.get(`/socket.io/?EIO=${s.eio}&transport=websocket&sid=${s.sid}`), 400, 3); await t.ign(s); }
  });
  test('VP18', 'content types', async (t) => {
    for (const type of ['text/plain', 'application/json', 'x', '', 'text/plain; charset=utf-16', 'multipart/form-data; boundary=x']) { const s = await t.p4(); t.http(await s.post('42["e",1]', { headers: { 'Content-Type': type } }), 200); await t.gets(s, '42["r",1]'); }
    for (const type of ['application/octet-stream', 'APPLICATION/OCTET-STREAM', 'application/octet-stream; x=y']) {
      const s = await t.p4();
      const res = await s.post('42["e",1]', { headers: { 'Content-Type': type } });
      t.notes.push(`${type}: ${res.status}`);
      if (res.status === 400) await t.se(s, t.ERROR); else await t.gets(s, '42["r",1]');
    }
  });

  // ---- Q ----
  const v3 = { open: (t) => t.p3() };
  posts('VQ1', 'protocol 3: lengths', ['+9:42["e",1]', ' 9:42["e",1]', '9 :42["e",1]', '\uff19:42["e",1]', '1_0:42["e",10]', ':4', '0x9:42["e",1]', '18446744073709551625:42["e",1]', '9', '9:', '9:42["e",1', '10:42["e",1]', '1:', '9:42["e",1]x', '9:42["e",1]9', '9:42["e",1]9:', '\0:6', '1:7', '1:9', '1:b', '4:b7AQ', '\n1:6'], ['PARSE'], v3);
  posts('VQ2', 'protocol 3: messages', ['1:4', '3:42[', '5:42[1x', '6:b4AQID', '7:b4AQID=', '3:b4!'], ['PACKET', 'PARSE'], v3);
  posts('VQ3', 'protocol 3: lengths that cut characters', ['10:42["e","😀😀"]', '9:42["e","😀"]', '8:42["e","😀"]', '13:42["e","😀"]', '12:42["e","é"]', '10:42["e","é"]'], ['PARSE', 'PACKET'], v3);
  const oct = { ...v3, headers: { 'Content-Type': 'application/octet-stream' } };
  posts('VQ4', 'protocol 3: binary bodies', [[], [0], [1], [0, 255], [0, 255, 0x34], [0, 0, 255], [0, 1, 255], [0, 1, 0, 255, 0x36], [0, 10, 255, 0x36], [0, 0x31, 255, 0x36], [255, 255], [3, 1, 255, 0x36], [0, 1, 255, 0x36, 0], [0, 1, 255, 0x37], [1, 1, 255, 9], [0, 1, 8, 4, 4, 6, 7, 4, 4, 0, 7, 3, 7, 0, 9, 5, 5, 1, 6, 1, 7, 255, 0x36], [0, 1, 255, 0xff]].map((b) => Buffer.from(b)), ['PARSE'], oct);
  posts('VQ5', 'protocol 3: binary that was not announced', [[1, 1, 255, 4], [1, 3, 255, 4, 1, 2], [0, 1, 255, 0x36, 1, 2, 255, 4, 1]].map((b) => Buffer.from(b)), ['PACKET'], oct);
  test('VQ6', 'protocol 3: text and binary bodies that are fine', async (t) => {
    for (const [body, opts, want] of [['1:69:42["e",1]', {}, '42["r",1]'], ['11:42["e","é"]', {}, '42["r","é"]'.replace('é', 'é')], [buf([0, 1, 255], '6', [0, 9, 255], '42["e",1]'), oct, '42["r",1]'], [buf([0, 1, 2, 255], '42["e","é"]'), oct, '42["r","é"]']]) {
      const s = await t.p3();
      t.http(await s.post(body, opts.headers ? { headers: opts.headers } : {}), 200);
      await t.gets(s, want);
    }
  });
  test('VQ7', 'protocol 3: linear time', async (t) => {
    for (const body of ['1:6'.repeat(330000), '9'.repeat(900000), '1:3'.repeat(330000), '900000:' + '4'.repeat(900000), `99990:42["e","${'😀'.repeat(49000)}"]`]) {
      const s = await t.p3();
      const cpu = await t.cpu(async () => t.http(await s.post(body), [200, 400]));
      t.check(cpu < 100 * t.slack, `${t.show(body, 12)}: ${cpu.toFixed(0)} ms of CPU`);
      await t.either(s, t.ANY);
    }
  });

  // ---- F ----
  const closes = (id, title, inputs, codes, { open = (t) => t.w4(), ...opts } = {}) => test(id, title, { timeout: 60000, ...opts }, (t) => every(t, inputs(t), async (input) => {
    for (const size of [input.length, 1]) {
      if (size === 1 && input.length > 200) continue;
      const s = await open(t);
      if (size === 1) for (const byte of input) await s.ws.conn.flush(Buffer.from([byte]));
      else s.ws.raw(input);
      await t.wc(s, codes);
      await t.se(s, t.ANY);
    }
  }));
  const v3ws = (t) => t.w3();
  for (const [id, open, what] of [['VF1', undefined, 'protocol 4'], ['VF1b', v3ws, 'protocol 3']]) {
    closes(id, `frames against the rules (${what})`, (t) => [
      t.frame(2, 'x', { mask: false }), t.frame(8, '', { mask: false }), t.frame(9, 'x', { mask: false }), t.frame(1, 'x'.repeat(200), { mask: false }), t.frame(1, 'x'.repeat(70000), { mask: false }),
      ...[8, 9, 10, 2, 1].flatMap((op) => [1, 2, 4, 7].map((rsv) => t.frame(op, op === 8 ? '' : 'x', { rsv }))),
      ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((op) => [t.frame(op, 'x'), t.frame(op, '', { fin: false })]),
      t.frame(9, Buffer.alloc(127)), t.frame(10, Buffer.alloc(126)), t.frame(8, Buffer.alloc(126)), t.frame(9, '', { form: 16 }), t.frame(9, 'abc', { form: 64 }), t.frame(10, 'x', { fin: false }), t.frame(8, '', { fin: false }),
      t.frame(0, '', { fin: false }), t.frame(0, ''), buf(t.frame(1, '6'), t.frame(0, 'x')), buf(t.frame(2, 'a', { fin: false }), t.frame(2, 'b')), buf(t.frame(1, '4', { fin: false }), t.frame(2, 'b')), buf(t.frame(2, '4', { fin: false }), t.frame(1, 'b', { fin: false })), buf(t.frame(1, '4', { fin: false }), t.frame(9, 'x'), t.frame(1, 'b')), buf(t.frame(1, '4', { fin: false }), t.frame(0, 'b', { rsv: 4 })),
    ].filter((f) => f.length < 60000 || open === undefined), 1002, { open, timeout: 90000 });
  }
  closes('VF2', 'text that is not UTF-8', (t) => [[0x80], [0xc1, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xbf, 0xbf], [0xf0, 0x80, 0x80, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf8, 0x88, 0x80, 0x80, 0x80], [0xc3, 0x28], [0xe2, 0x28, 0xa1], [0xff]].flatMap((b) => [t.frame(1, buf('42["e","', b, '"]')), t.frame(1, buf(b)), t.frame(1, buf('42["e","' + 'a'.repeat(300), b, '"]')), buf(t.frame(1, '42["e","', { fin: false }), t.frame(0, buf(b, '"]'))), t.frame(1, buf('42["zz","', b))])
    .concat([t.frame(1, buf('4é').subarray(0, 2)), buf(t.frame(1, buf('42["e","', [0xe2, 0x82]), { fin: false }), t.frame(0, '')), buf(t.frame(1, buf([0xf0, 0x9f]), { fin: false }), t.frame(0, buf([0x98])))]), 1007, { timeout: 90000 });
  closes('VF3', 'lengths beyond the limit', (t) => [2n ** 64n - 1n, 2n ** 63n - 1n, 2n ** 32n, 2n ** 32n + 9n, 1000001n, 2n ** 62n].flatMap((size) => [t.frame(1, '', { form: 64, size }), t.frame(2, '', { form: 64, size }), buf(t.frame(1, '42["e"', { fin: false }), t.frame(0, '', { form: 64, size: size > 10n ** 6n ? size : size })), t.frame(1, '', { form: 64, size, fin: false })]), [1009, 1002]);
  closes('VF4', 'fragments beyond the limit', (t) => [buf(...Array.from({ length: 11 }, (_, i) => t.frame(i ? 0 : 1, Buffer.alloc(99999, 0x34), { fin: false }))), buf(t.frame(2, Buffer.alloc(999999), { fin: false }), t.frame(9, 'x'), t.frame(0, 'ab')), buf(t.frame(1, Buffer.alloc(1000000, 0x34), { fin: false }), t.frame(0, 'a'))], 1009);
  test('VF5', 'exactly the limit', async (t) => {
    const text = '42["e","' + 'a'.repeat(999990) + '"]';
    for (const parts of [[text], [text.slice(0, 500000), text.slice(500000)], [text.slice(0, 1), text.slice(1, 999999), text.slice(999999), '']]) {
      const s = await t.w4();
      s.ws.raw(buf(...parts.map((p, i) => t.frame(i ? 0 : 1, p, { fin: i === parts.length - 1 }))));
      t.eq((await t.gets(s, (p) => p.startsWith('42'))).length, 1000000, 'echo');
    }
  });
  closes('VF6', 'close bodies', (t) => [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535].map((c) => t.frame(8, closeBody(c, 'x'))).concat([t.frame(8, [0]), t.frame(8, closeBody(1005))].map((x) => Buffer.from(x))), 1002);
  closes('VF7', 'close reasons that are not UTF-8', (t) => [[0xc3], [0xed, 0xa0, 0x80], [0xff], [0xf0, 0x9f, 0x98]].map((r) => t.frame(8, closeBody(3333, buf('abc', r)))), 1007);
  test('VF8', 'close codes that are fine', { timeout: 40000 }, (t) => every(t, [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3001, 4000], async (code) => {
    for (const reason of ['', 'x'.repeat(123), 'é']) {
      const s = await t.w4();
      s.ws.sentClose = true;
      s.ws.frame(8, closeBody(code, reason));
      await t.wc(s, code);
      await t.se(s, t.CLOSE);
    }
  }));
  test('VF9', 'close inside a message, close twice, data behind', (t) => every(t, ['inside', 'twice', 'behind'], async (how) => {
    const s = await t.w4();
    s.ws.sentClose = true;
    if (how === 'inside') s.ws.raw(buf(t.frame(1, '42["e"', { fin: false }), t.frame(8, closeBody(1001))));
    else s.ws.raw(buf(t.frame(8, closeBody(1001)), how === 'twice' ? t.frame(8, closeBody(1002)) : buf(t.frame(1, '42["e",1]', { mask: false }), 'garbage')));
    await t.wc(s, 1001);
    t.check(!s.ws.messages.length, 'a message was delivered');
    await t.se(s, t.CLOSE);
  }));
  test('VF10', 'every length and mask, at every border', { timeout: 60000 }, async (t) => {
    const masked = (data, key, form) => { const f = t.frame(1, data, { form }); const at = f.length - data.length; key.copy(f, at - 4); for (let i = 0; i < data.length; i++) f[at + i] ^= key[i & 3]; return f; };
    const s = await t.w4();
    for (const n of [10, 11, 12, 13, 17, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 131071, 131072, 131073]) {
      const data = Buffer.from(`42["e","${'é'.repeat(Math.floor((n - 10) / 2))}${'a'.repeat((n - 10) % 2)}"]`);
      t.eq(data.length, n, 'length');
      for (const form of [undefined, 64]) {
        const f = masked(data, Buffer.from([0x12, 0xff, 0x80, n & 255]), form);
        const cuts = n < 200 ? Array.from({ length: Math.min(f.length, 24) }, (_, i) => i + 1) : [1, 2, 3, 5, 9, 13, 14, 15, 1000, f.length - 1];
        for (const cut of cuts) {
          s.ws.conn.socket.setNoDelay(true);
          await s.ws.conn.flush(f.subarray(0, cut));
          await new Promise(setImmediate);
          s.ws.raw(buf(f.subarray(cut), masked(Buffer.from('42["e",7]'), Buffer.from([1, 2, 3, 4]))));
          const got = await t.gets(s, (p) => p.startsWith('42["r","'));
          t.check(Buffer.from(got).length === n && Buffer.from(got.replace('"r"', '"e"')).equals(data), `length ${n}, cut ${cut}`);
          await t.gets(s, '42["r",7]');
        }
      }
    }
  });
  test('VF11', 'frames at the limit of frames', async (t) => {
    const s = await t.w4();
    const parts = (n, last) => buf(t.frame(1, '', { fin: false }), ...Array.from({ length: n - 2 }, () => t.frame(0, '', { fin: false })), t.frame(0, last));
    s.ws.raw(parts(16384, '42["e",1]'));
    await t.gets(s, '42["r",1]');
    s.ws.raw(parts(16385, '42["e",2]'));
    await t.wc(s, [1008, 1009]);
    t.check(!s.ws.messages.some((m) => m === '42["r",2]'), 'delivered');
  });
  closes('VF12', 'fragments without end, with pings between, binary', (t) => [buf(t.frame(1, '4', { fin: false }), ...Array.from({ length: 17000 }, (_, i) => (i % 10 ? t.frame(0, '', { fin: false }) : buf(t.frame(10, 'x'), t.frame(0, '2', { fin: false }))))), buf(t.frame(2, '4', { fin: false }), ...Array.from({ length: 17000 }, () => t.frame(0, '', { fin: false })))], [1008, 1009]);
  test('VF13', 'half a frame, then the end', (t) => every(t, [1, 2, 4, 6, 8], async (n) => {
    for (const how of ['fin', 'reset']) {
      const s = await t.w4();
      s.ws.raw(t.frame(1, '42["e",1]', { form: 16 }).subarray(0, n));
      await t.sleep(20);
      s.ws.conn[how]();
      await t.se(s, t.GONE, { ms: 1000 * t.slack });
    }
  }));
  test('VF14', 'floods: pongs of 125 bytes, empty binary continuations, pings with answers unread', { rss: 24 }, async (t) => {
    const s = await t.w4();
    for (let i = 0; i < 20; i++) await s.ws.conn.flush(buf(...Array.from({ length: 1000 }, () => t.frame(10, Buffer.alloc(125)))));
    await t.ign(s);
    const w = await t.w3();
    w.ws.conn.pause();
    const pings = buf(...Array.from({ length: 1000 }, () => t.frame(1, '2' + 'x'.repeat(100))));
    await Promise.race([(async () => { for (let i = 0; i < 200 && !w.ws.ended; i++) await w.ws.conn.flush(pings); })(), t.sleep(4000)]);
    t.check(t.grown < 24, `memory rose by ${t.grown.toFixed(0)} MiB`);
  });

  // ---- C ----
  const T = { profile: 'abuse-deflate' };
  const bomb = (n, ch = 'a') => buf('42["e","', Buffer.alloc(n - 10, ch), '"]');
  test('VC1', 'exactly the limit, one byte more, in fragments', T, async (t) => {
    for (const parts of [1, 3]) {
      for (const n of [1000000, 1000001]) {
        const s = await t.w4d();
        const data = t.deflate(bomb(n));
        const step = Math.ceil(data.length / parts);
        for (let i = 0; i < parts; i++) s.ws.frame(i ? 0 : 1, data.subarray(i * step, (i + 1) * step), { fin: i === parts - 1, rsv: i ? 0 : 4 });
        if (n === 1000000) await t.gets(s, (p) => p.startsWith('42["r"')); else { await t.wc(s, 1009); await t.se(s, t.ANY); }
      }
    }
  });
  test('VC2', 'bombs: binary, fragments, several in a row, in one of stored blocks', { ...T, timeout: 40000 }, async (t) => {
    const big = t.deflate(Buffer.alloc(2e7));
    const s1 = await t.w4d();
    s1.ws.frame(2, big, { rsv: 4 });
    await t.wc(s1, 1009);
    const s2 = await t.w4d();
    for (let i = 0; i < big.length && !s2.ws.close; i += 1000) s2.ws.frame(i ? 0 : 2, big.subarray(i, i + 1000), { rsv: i ? 0 : 4, fin: i + 1000 >= big.length });
    await t.wc(s2, 1009);
    const s3 = await t.w4d();
    const empty = Buffer.from('000000ffff', 'hex');
    const cpu = await t.cpu(async () => { s3.ws.frame(1, Buffer.alloc(950000, empty), { rsv: 4 }); await t.until(() => s3.ws.close || s3.ws.ended, 3000); });
    t.check(cpu < 100 * t.slack, `${cpu.toFixed(0)} ms of CPU for empty blocks`);
    t.check(s3.ws.close || s3.ws.ended, 'an empty message does not end it');
  });
  test('VC3', 'streams that are no deflate', T, (t) => every(t, ['07', '06', '05', '0400', '63', '010100', '0101000000', '4b', 'ff', '00ffff', '000100feff', '4b4c0200ff', 'ed', '030303', '0500c081080000000090ffaea0'], async (hex) => {
    const s = await t.w4d();
    s.ws.frame(1, Buffer.from(hex, 'hex'), { rsv: 4 });
    if (await s.echo(300).catch(() => false)) return;
    await t.wc(s, 'any');
    await t.se(s, t.ANY);
  }));
  test('VC4', 'RSV1 where it must not be', T, (t) => every(t, [t.frame(8, closeBody(1000), { rsv: 4 }), t.frame(10, 'x', { rsv: 4 }), buf(t.frame(1, t.deflate(Buffer.from('42["e",1]')), { rsv: 4, fin: false }), t.frame(0, '', { rsv: 4 })), t.frame(1, 'x', { rsv: 6 }), t.frame(1, 'x', { rsv: 5 }), t.frame(1, '6', { rsv: 2 })], async (frame) => {
    const s = await t.w4d();
    s.ws.raw(frame);
    await t.wc(s, 1002);
    await t.se(s, t.ANY);
  }));
  test('VC5', 'compressed fragments with a ping between, stored blocks, several flushes', T, async (t) => {
    const s = await t.w4d();
    const d = t.deflate(Buffer.from('42["e","é"]'));
    for (let cut = 0; cut <= d.length; cut++) {
      s.ws.frame(1, d.subarray(0, cut), { rsv: 4, fin: false }).frame(9, 'p').frame(0, d.subarray(cut));
      await t.gets(s, '42["r","é"]');
    }
    const fresh = await t.w4d({ offer: 'permessage-deflate; client_no_context_takeover' });
    const stored = zlib.deflateRawSync(Buffer.from('42["e",3]'), { level: 0, finishFlush: zlib.constants.Z_SYNC_FLUSH }).subarray(0, -4);
    fresh.ws.frame(1, stored, { rsv: 4 });
    await t.gets(fresh, '42["r",3]');
    for (const bits of [9, 12, 15]) {
      const w = await t.w4d({ offer: `permessage-deflate; server_max_window_bits=${bits}; client_max_window_bits=${bits}` });
      w.ws.packed('42["e",4]');
      await t.gets(w, '42["r",4]');
    }
  });
  test('VC6', 'compressed text that is not UTF-8', T, (t) => every(t, [[0xc3], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]], async (b) => {
    for (const data of [buf('42["e","', b, '"]'), buf('42["e",1]', b), bomb(5000).subarray(0, 3000)].map((x, i) => (i < 2 ? x : buf(x, b)))) {
      const s = await t.w4d();
      s.ws.packed(data);
      await t.wc(s, 1007);
      await t.se(s, t.ANY);
    }
  }));
  test('VC7', 'binary attachments, compressed', T, async (t) => {
    const s = await t.w4d();
    s.ws.packed('451-["e",{"_placeholder":true,"num":0}]').frame(2, t.deflate(Buffer.alloc(5000, 3)), { rsv: 4 });
    const got = await t.binary(s);
    t.check(got.equals(Buffer.alloc(5000, 3)), 'bytes');
  });

  // ---- E ----
  test('VE1', 'what is no probe', { timeout: 60000 }, (t) => every(t, ['2prob', '2probe ', '2Probe', '3probe', '1', '6', '0{}', 'xyz', '4', '2probe\x1e5', 'b', '40', Buffer.from('2probe'), Buffer.alloc(0), '', t.frame(1, '2probe', { mask: false }), t.frame(3, 'x'), t.frame(1, '', { form: 64, size: 2000000n })], async (packet) => {
    for (const eio of [4, 3]) {
      const p = eio === 4 ? await t.p4() : await t.p3();
      const ws = await p.upgrade();
      if (Buffer.isBuffer(packet) && packet.length > 6) ws.raw(packet); else ws.send(packet);
      await t.wc(ws, 'any');
      await t.ign(p, `the polling session is not alive (EIO ${eio})`);
    }
  }));
  test('VE2', 'after the probe: other packets', { timeout: 60000 }, (t) => every(t, ['42["e",1]', '2', '1', '4', 'xyz', '6', '3', Buffer.from('04', 'hex'), t.frame(1, '5', { mask: false }), t.frame(8, closeBody(1000))], async (packet) => {
    const { p, ws } = await t.u4();
    ws.text('2probe');
    await ws.next((m) => m === '3probe');
    if (Buffer.isBuffer(packet) && packet.length > 6) ws.raw(packet); else ws.send(packet);
    await t.sleep(100);
    ws.conn.destroy();
    t.check(!ws.messages.some((m) => String(m).startsWith('42')), 'data on the WebSocket');
    await t.ign(p);
  }));
  test('VE3', 'upgrade, protocol 3 and one byte at a time', async (t) => {
    for (const eio of [3, 4]) {
      const p = eio === 4 ? await t.p4() : await t.p3();
      const ws = await p.upgrade();
      for (const byte of buf(t.frame(1, '2probe'))) await ws.conn.flush(Buffer.from([byte]));
      t.check(await ws.next((m) => m === '3probe') !== undefined, 'no 3probe');
      for (const byte of buf(t.frame(1, '5'), t.frame(1, '42["e",1]'))) await ws.conn.flush(Buffer.from([byte]));
      t.check(await ws.next((m) => m === '42["r",1]'), `no echo (EIO ${eio})`);
      p.over = true;
      t.http(await t.get(p.query()), 400, 3);
    }
  });
  test('VE4', 'upgrades of sessions that are not there', (t) => every(t, ['EIO=4&transport=websocket&sid=nope', 'EIO=3&transport=websocket&sid=nope', 'transport=websocket&sid=nope', 'EIO=4&transport=polling&sid=nope'], async (query) => {
    const { res, conn } = await t.tryUpgrade({ query });
    t.check(res && res.status === 400, `HTTP ${res && res.status}`);
    t.check(await conn.closed(), 'stays open');
  }));
  test('VE5', 'pings from the client, WebSocket', (t) => t.each(['2', '2abc', '2probe', '22'], 'error'));
  test('VE6', 'unknown packets, WebSocket', (t) => t.each(['8', '9', 'a', ' ', '\0', '\x1e', 'é', 'b', '{', '-'], ['parse', 'packet'], () => t.w4()));
  test('VE7', 'unknown packets, WebSocket, protocol 3', (t) => t.each(['7', 'x', '8', '😀', '\0', ':', 'b4AQ'].slice(0, 6), 'parse', () => t.w3()));
  test('VE8', 'binary frames, protocol 3', (t) => t.each(['07', '34', 'ff', '0a01'].map((h) => Buffer.from(h, 'hex')), 'parse', () => t.w3()));
  test('VE9', 'silent transports under load of other packets', { profile: 'abuse-fast', timeout: 40000 }, (t) => every(t, ['6', '42["e",1]', '3x', 'pings'], async (packet) => {
    const from = Date.now();
    const s = await t.w4();
    s.heartbeat = false;
    const timer = setInterval(() => (packet === 'pings' ? s.ws.frame(9, 'x') : packet === '3x' ? s.ws.frame(10, 'x') : s.ws.text(packet)), 60);
    try { t.check(await s.ws.conn.closed(2500 * t.slack), 'stays open'); } finally { clearInterval(timer); }
    t.check(Date.now() - from < 900 * t.slack, `closed after ${Date.now() - from} ms`);
    await t.se(s, t.PING);
  }));

  // ---- S ----
  const S = (id, title, inputs, outcome) => {
    test(id, title, { timeout: 60000 }, (t) => every(t, inputs, (input) => t.each([input], outcome)));
    // what the reference ignores there is ignored
    test(id + 'b', title + ', protocol 3', { timeout: 60000 }, (t) => every(t, inputs, (input) => t.each([input], [].concat(outcome, 'ign'), () => t.w3())));
    test(id + 'p', title + ', polling', { timeout: 60000 }, (t) => every(t, inputs, (input) => t.each([input], outcome, () => t.p4())));
  };
  const nest = (n, open = '[', close = ']') => open.repeat(n) + close.repeat(n);
  S('VS1', 'data of the wrong shape', ['42[null,1]', '42[[]]', '42[true]', '42null', '421', '42"', '42[', '42]', '42["e"', '42["e",]', '42["e",,1]', '42["e" 1]', '42["e",{"a"}]', '42["e",{"a":}]', '42["e",{a:1}]', "42['e']", '42["e",+1]', '42["e",.5]', '42["e",1.]', '42["e",1e]', '42["e",0x1]', '42["e",-]', '42["e",tru]', '42["e",Infinity]', '42["e",undefined]', '42["e","\\x"]', '42["e","\\u12"]', '42["e",1]\0', '42["e"]["e"]', '42["e",1] 2', '42["e",//\n1]', '42["e\n"]', '42["e","\t"]', '42["e",00]', '42["e",-01]', '42["e",1}', '42{"0":"e"}', '42["e",\u00a01]', '42["e",\ufeff1]'], 'packet');
  S('VS2', 'ids', ['42-0["e",1]', '42+1["e",1]', '421e2["e",1]', '420x1["e",1]', '4218446744073709551616["e",1]', `42${'1'.repeat(5000)}["e",1]`, '421,["e",1]', '421 ["e",1]', '42١["e",1]'], ['packet', 'ok']);
  S('VS3', 'reserved names', ['42["disconnect",1]', '421["connect"]', '42["connect_error",{}]', '42["disconn\\u0065ct"]', '42["newListener","x"]'], ['packet']);
  S('VS4', 'nesting beyond the limit', [`42["zz",${nest(513)}]`, `42["e",${'{"a":'.repeat(600)}1${'}'.repeat(600)}]`, `42["e",${'['.repeat(50000)}`, `42["e",${'[{"a":'.repeat(3000)}`, `42["e",${'[1,'.repeat(2000)}`, `421["zz",${nest(2000)}]`, `431[${nest(1000)}]`], ['packet']);
  S('VS5', 'arguments beyond the limit', [`42["zz"${',0'.repeat(16500)}]`, `42["e"${',""'.repeat(100000)}]`, `42["e"${',{}'.repeat(50000)}]`, `431[0${',0'.repeat(20000)}]`], ['packet']);
  S('VS6', 'wrong acks and packets', ['43', '43[]', '43{}', '431', '431"x"', '431null', '43-1[1]', '44', '44/chat,{"message":"x"}', '44"x"', '45', '46', '41"x"', '41null'], ['packet', 'ign']);
  test('VS7', 'CONNECT with data of the wrong shape', { timeout: 30000 }, (t) => t.each(['40[]', '40"x"', '40true', '40{', '40{}x', '40{"a":}', '40/,[]', `40{"a":${nest(600)}}`], 'packet', () => t.w4({ join: null })));
  test('VS8', 'the first packet is no CONNECT', (t) => t.each(['42["e",1]', '431[1]', '42/chat,["e",1]', '4', '49'], 'packet', () => t.w4({ join: null })));
  test('VS9', 'nesting at the limit, encoded again', async (t) => {
    for (const open of [() => t.w4(), () => t.w3(), () => t.p4()]) {
      for (const json of [nest(511), '{"a":'.repeat(510) + '1' + '}'.repeat(510), '[{"a":'.repeat(250) + '"é"' + '}]'.repeat(250)]) {
        const s = await open();
        await s.say(`42["e",${json}]`);
        await t.gets(s, `42["r",${json}]`);
      }
    }
  });
  test('VS10', 'values come back as they are', async (t) => {
    const s = await t.w4();
    for (const v of ['-0', '0', '1E5', '1.0', '-1.5e-7', '"\\u0000"', '"\\ud83d\\ude00"', '"\\/"', '[]', '{}', '{"":""}', '"\u2028"', '9007199254740993', 'true', 'null', '{"_placeholder":false}', '{"_placeholder":true,"num":0}', '"' + '\\n'.repeat(1000) + '"']) {
      s.ws.text(`42["e",${v}]`);
      const got = await s.next((p) => typeof p === 'string' && p.startsWith('42["r"'), 1500);
      t.check(got, `${v}: no echo`);
      t.check(JSON.stringify(JSON.parse(got.slice(2))[1]) === JSON.stringify(JSON.parse(v)), `${v} came back as ${got}`);
    }
  });

  // ---- B ----
  const ph = (num) => `{"_placeholder":true,"num":${num}}`;
  const one = Buffer.from('01', 'hex');
  const B = (id, title, inputs, outcome) => {
    test(id, title, { timeout: 60000 }, (t) => every(t, inputs, (input) => t.each([input], outcome)));
  };
  B('VB1', 'numbers of attachments', ['45+1-["e"]', '4501a-["e"]', '451_-["e"]', '45999-["e"]', '4518446744073709551617-["e"]', `45${'9'.repeat(500)}-["e"]`, '45١-["e"]', '45-', '451-', '451-{}', '451-"e"', '451', '4511-1["e"]', '460-[1]', '4611-1[1]', '46-1[1]', '451--["e"]', '45 -["e"]', '450-1["e"]'], 'packet');
  B('VB2', 'placeholders', ['10', '1e0', '-0.5', 'null', 'true', '[]', '{}', '""', '99999999999999999999', '"0"', '1.5'].map((n) => [`451-["e",${ph(n)}]`, one]), 'packet');
  B('VB3', 'something else instead of an attachment', ['42["e",1]', '41', '40', '43[1]', '4', '451-["e",' + ph(0) + ']'].map((x) => [`451-["e",${ph(0)}]`, x]), 'packet');
  B('VB4', 'one attachment too many', [[`451-["e",${ph(0)}]`, one, one], [one], [`42["e",1]`, one], [`452-["e",${ph(0)},${ph(1)}]`, one, one, one]], 'packet');
  test('VB5', 'attachments over polling, protocol 4 and 3', { timeout: 30000 }, async (t) => {
    const s = await t.p4();
    await s.say(`452-["e",${ph(0)},${ph(1)}]\x1ebAQI=`);
    await s.say('bAw==');
    await t.gets(s, `452-["r",${ph(0)},${ph(1)}]`);
    t.eq([await s.next(), await s.next()], ['bAQI=', 'bAw=='], 'attachments');
    const bad = await t.p4();
    t.http(await bad.post(`451-["e",${ph(0)}]\x1e42["e",1]`), [200, 400]);
    await t.se(bad, t.PACKET);
    const v = await t.p3();
    const head = `451-["e",${ph(0)}]`;
    t.http(await v.post(buf([0, ...String(head.length).split('').map(Number), 255], head, [1, 3, 255, 4, 1, 2]), { headers: { 'Content-Type': 'application/octet-stream' } }), 200);
    t.http(await v.post('1:6'), 200);
  });
  test('VB6', 'attachments beyond a packet, never complete', { rss: 32, timeout: 30000 }, async (t) => {
    const all = [];
    for (let i = 0; i < 3; i++) { const s = await t.w4(); s.ws.text(`4510-["e",${Array.from({ length: 10 }, (_, k) => ph(k))}]`); for (let k = 0; k < 9; k++) s.ws.binary(Buffer.alloc(999999, k)); all.push(s); }
    await t.sleep(500);
    for (const s of all) s.ws.binary(Buffer.alloc(999999));
    await t.sleep(500);
  });

  // ---- M ----
  const { encode, Raw } = require('../lib/msgpack');
  const M = { profile: 'abuse-msgpack', timeout: 60000 };
  const hex = (s) => Buffer.from(s.replace(/ /g, ''), 'hex');
  const event = (data, more = {}) => encode({ type: 2, nsp: '/', data, ...more });
  const Ms = (id, title, inputs, outcome, opts = {}) => test(id, title, { ...M, ...opts }, (t) => every(t, inputs, (input) => t.each([input], outcome, () => t.m4())));
  Ms('VM1', 'what is no packet', ['90', '80', 'A0', '00', 'FF', 'C2', 'D4', 'D9', 'DA00', 'DC', 'DE0001', '81', '8100', '81A474797065', 'C7', 'CB00'].map(hex), 'packet');
  Ms('VM2', 'huge lengths', ['DC FFFF', 'DE FFFF', 'DD 7FFFFFFF', 'DF 00FFFFFF', 'DA FFFF 61', 'DB 7FFFFFFF', 'C4 FF', 'C5 FFFF', 'C6 FFFFFFFF', 'C8 FFFF 01', 'C9 7FFFFFFF 01'].flatMap((h) => [hex(h), event(new Raw(h.replace(/ /g, ''))), event(['e', new Raw(h.replace(/ /g, ''))])]), 'packet', { rss: 8 });
  Ms('VM3', 'nesting', [event(['e', new Raw(buf(Buffer.alloc(513, 0x91), hex('01')))]), event(['zz', new Raw(buf(...Array.from({ length: 600 }, () => hex('81A161')), hex('01')))]), event(['zz', new Raw(buf(...Array.from({ length: 5000 }, () => hex('DC0001')), hex('01')))]), event(['zz', new Raw(Buffer.alloc(500000, 0x91))]), encode({ type: 0, nsp: '/', data: { a: new Raw(buf(Buffer.alloc(600, 0x91), hex('01'))) } }), encode({ type: 2, nsp: '/', x: new Raw(buf(Buffer.alloc(600, 0x91), hex('01'))), data: ['e', 1] })], 'packet');
  test('VM4', 'nesting at the limit, encoded again', M, async (t) => {
    const s = await t.m4();
    for (const raw of [buf(Buffer.alloc(510, 0x91), hex('01')), buf(...Array.from({ length: 500 }, () => hex('81A161')), hex('01'))]) {
      s.ws.binary(event(['e', new Raw(raw)]));
      const got = await s.ws.next((m) => Buffer.isBuffer(m) && m.length > 400, 3000);
      t.check(got && got.includes(raw), 'not the same bytes');
    }
  });
  Ms('VM5', 'fields', [encode({ type: -1, nsp: '/', data: ['e', 1] }), encode({ type: 7, nsp: '/', data: ['e', 1] }), encode({ type: 2.5, nsp: '/', data: ['e', 1] }), encode({ type: 2, nsp: null, data: ['e', 1] }), encode({ type: 2, nsp: '/', data: null }), encode({ type: 2, nsp: '/', data: 'e' }), event(['e', 1], { id: -1 }), event(['e', 1], { id: 1.5 }), event([['e']]), event([null]), event([{}]), encode({ type: 4, nsp: '/', data: { message: 'x' } }), encode({ type: 0, nsp: '/', data: 'x' }), encode({ type: 5, nsp: '/', data: {} }), encode({ nsp: '/', data: ['e', 1] }), event(['connect']), event(['connect_error', 1]), event(['newListener'])], 'packet');
  Ms('VM6', 'texts instead of binary', ['42["e",1]', '4{}'], 'packet');

  // ---- N ----
  test('VN1', 'namespaces that are none', (t) => every(t, ['/dyn-', '/dyn-1a', '/dyn--1', '/Chat', '/chat/', '//chat', '/chat%20', '/\0', '/é', '/😀', '/' + 'a'.repeat(511), '/__proto__', '/constructor', '/nope?a=b'.replace('?a=b', '')], async (nsp) => {
    const s = await t.w4();
    s.ws.text(`40${nsp},`);
    await t.err(s, nsp, 'Invalid namespace');
  }));
  test('VN2', 'names that are too long', (t) => every(t, [512, 513, 600, 5000, 900000], async (n) => {
    const s = await t.w4();
    s.ws.text(`40/${'é'.repeat(Math.floor(n / 2))},`);
    const got = await s.next((p) => typeof p === 'string' && p.startsWith('44'), 1500);
    if (got === undefined) return t.se(s, t.PACKET);
    t.check(got.length <= 2048, `the answer has ${got.length} bytes`);
    await t.ign(s);
  }));
  test('VN3', 'packets for namespaces that were not joined', (t) => t.each(['42/nope,["e",1]', '41/chat,', '43/chat,1[1]', '42/dyn-1,["e",1]', '451-/chat,["e",{"_placeholder":true,"num":0}]', '42/chat', '42/chat,', '42/,["e"'], ['packet', 'ign']));
  test('VN4', 'join and leave, over polling, another namespace', { timeout: 30000 }, async (t) => {
    const s = await t.p4();
    const n = 150;
    t.http(await s.post(Array.from({ length: n }, () => ['40/dyn-7,', '41/dyn-7,']).flat().join('\x1e')), 200);
    let list = [];
    const drain = (async () => { while (list.length < 2 * n) { const r = await s.get('', { timeout: 300 }); if (!r || r.status !== 200) break; } })();
    await t.until(async () => { list = (await t.server.events(t.opts.baseEvent)).filter((e) => e.nsp === '/dyn-7'); return list.length >= 2 * n; }, 5000, 50);
    await drain;
    t.eq(list.length, 2 * n, 'events');
    t.check(list.every((e) => e.ev !== 'disconnect' || e.reason === 'client namespace disconnect'), 'wrong reason');
  });
  test('VN5', 'many namespaces over polling and over msgpack limits', { ...LIM }, async (t) => {
    const s = await t.p4();
    t.http(await s.post(Array.from({ length: 40 }, (_, i) => `40/dyn-${i + 1},`).join('\x1e')), 200);
    let joined = 1; let refused = 0;
    for (let i = 0; i < 40; i++) { const p = await s.next((m) => /^4[04]\/dyn/.test(m), 1500); if (!p) break; if (p[1] === '0') joined++; else refused++; }
    t.eq([joined, joined + refused], [10, 41], 'joined and answered');
  });

  // ---- L: the low limits at their borders ----
  test('VL1', 'lim: depth, arguments, attachments at their borders', LIM, async (t) => {
    const at = async (ok, bad) => { const s = await t.w4(); await s.say(...[].concat(ok)); t.check(await s.next((p) => typeof p === 'string' && /^4[25]/.test(p), 2000), `${t.show(ok, 30)}: no echo`); await s.say(...[].concat(bad)); await t.se(s, t.PACKET); };
    await at(`42["e",${nest(31)}]`, `42["e",${nest(32)}]`);
    await at(`42["e"${',0'.repeat(99)}]`, `42["e"${',0'.repeat(101)}]`);
    await at([`453-["e",${ph(0)},${ph(1)},${ph(2)}]`, one, one, one], `454-["e",${ph(0)},${ph(1)},${ph(2)},${ph(3)}]`);
  });
  test('VL2', 'lim: maxHttpBufferSize over protocol 3, JSONP and binary', LIM, async (t) => {
    const p = await t.p3();
    const text = (n) => { const x = `42["e","${'a'.repeat(n)}"]`; return `${x.length}:${x}`; };
    t.http(await p.post(text(9980)), 200);
    await t.gets(p, (m) => m.startsWith('42["r"'));
    t.http(await p.post(text(9990)), 413);
    const j = await t.p4();
    t.http(await t.request({ method: 'POST', path: j.query('&j=0'), headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: 'd=' + '%34'.repeat(4000) }), 413);
    const w = await t.w3();
    w.ws.binary(Buffer.alloc(10001, 4));
    await t.wc(w, 1009);
  });
  test('VL3', 'lim: slow heads and bodies on a connection that was used before', { ...LIM, timeout: 30000 }, async (t) => {
    const s = await t.p4();
    const conn = await t.send(t.requestBytes({ path: '/nope', close: false }));
    t.http(await conn.response(), 404);
    conn.write('GET / HTTP/1.1\r\nX: ');
    const b = await t.send(t.requestBytes({ method: 'POST', path: s.query(), headers: { 'Transfer-Encoding': 'chunked' }, close: false }));
    b.write('5\r\n42["e');
    const from = Date.now();
    while (Date.now() - from < 5000 * t.slack && !(conn.ended && (b.ended || b.length))) { conn.write('a'); b.write('e'); await t.sleep(100); }
    t.check(conn.ended, 'the slow head stays');
    t.check(b.ended || b.length, 'the slow body stays');
    await t.se(s, [...t.ERROR, ...t.GONE]);
  });
  test('VL4', 'lim: queues of polling, protocol 3, and volatile', { ...LIM, timeout: 30000 }, async (t) => {
    const s = await t.p3();
    const v = await t.p4();
    await t.do({ op: 'emit', to: v.ids['/'], count: 400, size: 1024, volatile: true });
    await t.ign(v);
    await t.do({ op: 'emit', to: s.ids['/'], count: 400, size: 1024 });
    await t.se(s, t.ERROR);
  });
};
