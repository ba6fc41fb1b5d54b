'use strict';
// Events of official clients of all generations, right ones and wrong ones.
const assert = require('assert');
const { check, options: chosen } = require('./lib/report');
const { KINDS, RIGHT, SECRET, NUMBER, note } = require('./kinds');

const CLIENTS = {
  json: { 'sioc-1.7.4': null, 'sioc-2.0.4': null, 'sioc-2.5.0': null, 'sioc-3.1.3': null, 'sioc-4.8.4': null },
  msgpack: { 'sioc-2.5.0': 'msgpack-parser-2', 'sioc-4.8.4': 'msgpack-parser-3' },
};
const PATIENCE = 10000;

module.exports = async function events(servers) {
  const sent = { invalid: {}, unknown: 0 };
  for (const [profile, clients] of Object.entries(CLIENTS)) {
    for (const [client, parser] of Object.entries(clients)) {
      for (const transport of ['websocket', 'polling']) {
        const where = `[${client}${parser ? ' ' + parser : ''} ${transport}]`;
        const options = { client, parser, transport, port: servers[profile].port };
        await default_(options, where, profile === 'json' ? sent : { invalid: {} });
        await rules(options, where);
      }
    }
  }
  // it counts what all of the above sent
  if (!chosen.only) await check('events/metrics count what was invalid, by declared names', () => metrics(servers.json, sent));
};

/** The default rules, all on one connection. */
async function default_(options, where, sent) {
  const page = await Page.open(options, '/');
  for (const [kind, event, args, at, message] of KINDS) {
    sent.invalid[event] = (sent.invalid[event] || 0) + 1;
    await check(`events/${kind} ${where}`, async () => {
      page.emit(event, args);
      await page.told({ event, at, message });
      await page.goesOn();
    });
  }
  const wanted = { code: 'invalid', at: '/0/lineCount', message: 'expected u16, got a string' };
  const wrong = [note({ lineCount: SECRET })];
  const count = (event) => { sent.invalid[event] = (sent.invalid[event] || 0) + 1; };
  count('save');
  await check(`events/an acknowledgement that can say it, of an async method ${where}`, async () => {
    assert.deepStrictEqual(page.quiet(await page.ask('save', wrong)), [{ ok: false, error: wanted }]);
    await page.goesOn();
  });
  count('rename');
  await check(`events/an acknowledgement that can say it, of a sync method ${where}`, async () => {
    const error = { code: 'invalid', at: '/1', message: 'expected one of `red`, `dark_blue`' };
    assert.deepStrictEqual(page.quiet(await page.ask('rename', ['ann', SECRET])), [{ ok: false, error }]);
    await page.goesOn();
  });
  count('save');
  await check(`events/an acknowledgement that was not asked for ${where}`, async () => {
    page.emit('save', wrong);
    await page.told({ event: 'save', at: wanted.at, message: wanted.message });
    await page.goesOn();
  });
  for (const [event, argument] of [['length', NUMBER], ['done', SECRET]]) {
    count(event);
    await check(`events/an acknowledgement that cannot say it: ${event} ${where}`, async () => {
      const answer = page.ask(event, [argument]);
      const message = event === 'length' ? 'expected a string, got an integer' : 'expected u32, got a string';
      await page.told({ event, at: '/0', message });
      await page.goesOn();
      assert.strictEqual(await Promise.race([answer, 'nothing']), 'nothing');
    });
  }
  for (const [event, args, acknowledgement] of RIGHT) {
    // 1.x encodes such text twice when it polls, and 2.0 servers do not undo that either
    if (args[0] === '€' && options.client === 'sioc-1.7.4' && options.transport === 'polling') continue;
    await check(`events/right: ${event} ${JSON.stringify(args).slice(0, 60)} ${where}`, async () => {
      if (acknowledgement) assert.deepStrictEqual(await page.ask(event, args), acknowledgement);
      else page.emit(event, args);
      await page.goesOn();
    });
  }
  await check(`events/right: what the server sends ${where}`, async () => {
    page.emit('note', [{ title: 'hello', lineCount: 7 }]);
    const [from, heard] = await page.hears('new note');
    assert.strictEqual(from, page.id);
    assert.deepStrictEqual(heard, { title: 'hello', lineCount: 7, points: [], parent: null });
    assert.deepStrictEqual(await page.ask('save', [{ title: 'x', lineCount: 9 }]), [{ ok: true, value: { id: 9, by: page.id } }]);
  });
  await check(`events/acknowledgements of the client ${where}`, async () => {
    for (const [mood, answer] of [['fine', { ok: true, value: 'fine' }], [NUMBER, { ok: false, error: 'no mood' }], [null, { ok: false, error: 'no mood' }]]) {
      const asked = page.ask('ask', []);
      const [hour, ack] = await page.hears('how are you?');
      assert.strictEqual(hour, 12);
      ack(mood);
      assert.deepStrictEqual(await asked, [answer]);
    }
    await page.goesOn();
  });
  await check(`events/an unknown event is ignored ${where}`, async () => {
    page.emit(SECRET, [NUMBER]);
    await page.goesOn();
  });
  await page.close();
}

/** Rules of namespaces. */
async function rules(options, where) {
  const inside = async (namespace, name, run) => {
    await check(`rules/${name} ${where}`, async () => {
      const page = await Page.open(options, namespace);
      try { await run(page); } finally { await page.close(); }
    });
  };
  await inside('/strict', 'strict: too many arguments', async (page) => {
    page.emit('text', ['hello', SECRET, NUMBER]);
    await page.told({ event: 'text', at: '/1', message: 'expected 1 argument, got 3' });
    const error = { code: 'invalid', at: '/2', message: 'expected 2 arguments, got 3' };
    assert.deepStrictEqual(page.quiet(await page.ask('rename', ['ann', 'red', SECRET])), [{ ok: false, error }]);
    await page.goesOn();
  });
  await inside('/strict', 'unknown events are told', async (page) => {
    page.emit('unheard of', [SECRET]);
    await page.told({ event: 'unheard of', at: '', message: 'unknown event' });
    await page.goesOn();
  });
  await inside('/silent', 'ignored', async (page) => {
    page.emit('text', [NUMBER]);
    const answer = page.ask('save', [SECRET]);
    await page.goesOn();
    assert.strictEqual(await Promise.race([answer, 'nothing']), 'nothing');
  });
  await inside('/three', 'disconnected with the third', async (page) => {
    for (let i = 0; i < 3; i++) {
      page.emit('text', [NUMBER]);
      await page.told({ event: 'text', at: '/0', message: 'expected a string, got an integer' });
      if (i < 2) await page.goesOn();
    }
    assert.strictEqual(await page.gone(), 'io server disconnect');
  });
  await inside('/known', 'disconnected for an unknown event', async (page) => {
    await page.goesOn();
    page.emit('unheard of', [SECRET]);
    await page.told({ event: 'unheard of', at: '', message: 'unknown event' });
    assert.strictEqual(await page.gone(), 'io server disconnect');
  });
}

async function metrics(server, sent) {
  const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  assert(!text.includes(SECRET) && !text.includes('unheard'), 'a name of the client is a label');
  const counts = {};
  for (const [, namespace, event, count] of text.matchAll(/^socketio_invalid_events_total\{namespace="([^"]*)",event="([^"]*)"\} (\d+)$/gm)) {
    if (namespace === '/' && count !== '0') counts[event] = Number(count);
  }
  assert.deepStrictEqual(counts, sent.invalid);
  const rest = (namespace, name) => Number(new RegExp(`^${name}\\{namespace="${namespace}"[^}]*\\} (\\d+)$`, 'm').exec(text)[1]);
  // five clients, two transports
  assert.strictEqual(rest('/strict', 'socketio_unknown_events_total'), 10);
  assert.strictEqual(rest('/known', 'socketio_unknown_events_total'), 10);
  assert.strictEqual(rest('/', 'socketio_unknown_events_total'), 0, 'what is ignored is not counted');
}

/** A page: one client in one namespace, over one connection. */
class Page {
  static async open({ client, parser, transport, port }, namespace) {
    const page = new Page();
    const options = { forceNew: true, reconnection: false, transports: [transport] };
    if (parser) options.parser = require(parser);
    page.socket = require(client)(`http://127.0.0.1:${port}${namespace}`, options);
    page.heard = {};
    page.waiting = {};
    page.ends = [];
    page.socket.on('disconnect', (reason) => { page.ends.push(reason); page.note('disconnect', [reason]); });
    for (const event of ['contract:error', 'new note', 'how are you?']) page.socket.on(event, (...args) => page.note(event, args));
    await within('connect', new Promise((resolve, reject) => {
      page.socket.on('connect', resolve);
      page.socket.on('connect_error', reject);
    }));
    page.id = page.socket.id;
    return page;
  }
  emit(event, args) { this.socket.emit(event, ...args); }
  ask(event, args) { return within(`the acknowledgement of ${event}`, new Promise((resolve) => this.socket.emit(event, ...args, (...answer) => resolve(answer)))).catch((error) => error); }
  note(event, args) {
    const waiting = this.waiting[event];
    delete this.waiting[event];
    if (waiting) waiting(args);
    else (this.heard[event] ||= []).push(args);
  }
  hears(event) {
    const first = (this.heard[event] || []).shift();
    return first ? Promise.resolve(first) : within(`the event ${event}`, new Promise((resolve) => { this.waiting[event] = resolve; }));
  }
  /** The next `contract:error` says this and no more. */
  async told(wanted) {
    assert.deepStrictEqual(this.quiet(await this.hears('contract:error')), [wanted]);
  }
  /** What says nothing of a value. */
  quiet(answer) {
    const text = JSON.stringify(answer) || '';
    assert(!text.includes(SECRET) && !text.includes(String(NUMBER)), `a value is told: ${text}`);
    return answer;
  }
  /** The same connection answers, and nothing else was told. */
  async goesOn() {
    assert.deepStrictEqual(await this.ask('length', ['hello']), [5]);
    assert.deepStrictEqual(this.heard['contract:error'] || [], [], 'nothing else is told');
    assert.deepStrictEqual(this.ends, [], 'the connection has ended');
    assert.strictEqual(this.socket.id, this.id, 'it is another connection');
  }
  async gone() { return (await this.hears('disconnect'))[0]; }
  async close() { this.socket.removeAllListeners && this.socket.removeAllListeners(); this.socket.disconnect(); }
}

/** What comes in time. A timer alone keeps nobody alive. */
function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what} did not come`)), PATIENCE); timer.unref(); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
