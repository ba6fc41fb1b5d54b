// The chat's page in headless Chromium, against a running chat server.
//
//   node chat.js http://127.0.0.1:3000
//
// ARTIFACTS: folder for the screenshots (made if missing). CHROMIUM: the browser, otherwise
// /usr/bin/chromium. CLIENT_2X: a 2.x `socket.io.js`, otherwise that of the pinned 2.0.4.
//
// One line for each check, `name: pass` or `name: fail (why)`, then `N passed, N failed`. The
// checks are steps of one conversation, in this order; one that fails does not stop the next.
// Nothing sleeps: every wait is for something on a page.

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { chromium } = require('playwright-core');

const BASE = process.argv[2];
const ARTIFACTS = process.env.ARTIFACTS;
const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
const CLIENT_2X =
  process.env.CLIENT_2X ||
  path.join(path.dirname(require.resolve('sioc-2.0.4/package.json')), 'dist', 'socket.io.js');
// They end what hangs, and measure nothing: a busy machine takes seconds for what is done at once. A
// step may wait for the end of typing, which the page assumes after 5 s.
const OVERALL_LIMIT = 180_000;
const STEP_LIMIT = 20_000;
// Without these the browser asks for its maker's hosts, which a closed network refuses.
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const DESKTOP = { viewport: { width: 1280, height: 800 } };
const PHONE = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};
// A room of this run, so that a server that has been in use has no history to confuse us with.
const ROOM = `test-${Date.now().toString(36)}`;

if (!BASE) {
  console.error('usage: node chat.js <base URL>');
  process.exit(2);
}

let passed = 0;
let failed = 0;
let current = 'start';
let browser;
/** What went wrong in the pages without anybody having wanted it: `name: what`. */
const troubles = { console: [], request: [] };

setTimeout(() => {
  report(current, `the whole test took longer than ${OVERALL_LIMIT / 1000} s`);
  finish();
}, OVERALL_LIMIT);
run().then(finish, (error) => {
  report(current, error);
  finish();
});

async function run() {
  // Playwright gives every launch a new, empty profile folder of its own.
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });

  const ada = new Person('ada', DESKTOP);
  const grace = new Person('grace', PHONE);
  const linus = new Person('linus', DESKTOP);
  const margaret = new Person('margaret', DESKTOP);
  const everybody = [ada, grace, linus, margaret];

  await check('sign in', async () => {
    await ada.open();
    await ada.join(ROOM);
    await ada.seesMembers(['ada'], ['grace']);
    await ada.page.locator('#connection-transport', { hasText: 'websocket' }).waitFor();
  });

  await check('presence', async () => {
    await grace.open();
    await grace.join(ROOM);
    await ada.seesLine('grace joined');
    await ada.seesMembers(['ada', 'grace']);
    // On a phone the members are in a drawer.
    await grace.page.click('#open-members');
    await grace.seesMembers(['ada', 'grace']);
    await grace.page.keyboard.press('Escape');
    await grace.page.locator('#members').waitFor({ state: 'hidden' });
    equal(await grace.sideways(), 0, 'pixels that the page is scrolled or too wide');
    await ada.seesCount(ROOM, 2);
  });

  await check('messages both ways', async () => {
    await ada.says('hello phone');
    await grace.sees('ada', 'hello phone');
    await grace.says('hello desktop');
    await ada.sees('grace', 'hello desktop');
    await ada.says('two\nlines');
    await grace.sees('ada', 'two\nlines');
  });

  await check('markup stays text', async () => {
    const text = '<img src="/none" onerror="window.broken=1"> & <b>bold</b>';
    await ada.says(text);
    await grace.sees('ada', text);
    equal(await grace.page.evaluate(() => window.broken), undefined, 'the script of a message');
    equal(await grace.page.locator('#log img, #log b').count(), 0, 'elements made by a message');
  });

  await check('typing', async () => {
    await grace.types('let me see', [ada]);
    await grace.page.fill('#text', '');
    await ada.page.locator('#typing-dots').waitFor({ state: 'hidden' });
    equal(await ada.page.textContent('#typing-text'), '', 'the typing line');
    // A message ends it too.
    await grace.types('I see', [ada]);
    await grace.page.press('#text', 'Enter');
    await ada.sees('grace', 'I see');
    await ada.page.locator('#typing-dots').waitFor({ state: 'hidden' });
  });

  await check('unread in the title', async () => {
    await ada.hide(true);
    await grace.says('are you there?');
    await ada.titleIs(`(1) #${ROOM} · Chat`);
    await ada.hide(false);
    await ada.titleIs(`#${ROOM} · Chat`);
  });

  await check('nickname taken', async () => {
    await linus.open('?transports=polling');
    await linus.page.fill('#nickname', 'ada');
    await linus.page.fill('#room', ROOM);
    await linus.page.click('#join');
    await linus.page.locator('#sign-in-error:not(:empty)').waitFor();
    equal(await linus.page.isVisible('#chat'), false, 'the chat shown after a refusal');
  });

  await check('polling only', async () => {
    await linus.join(ROOM);
    await linus.sees('ada', 'hello phone'); // the history
    await linus.says('hello from polling');
    await ada.sees('linus', 'hello from polling');
    await ada.says('hello polling');
    await linus.sees('ada', 'hello polling');
    equal(await linus.page.textContent('#connection-transport'), 'polling', 'the transport');
  });

  await check('client 2.x', async () => {
    const body = fs.readFileSync(CLIENT_2X);
    await margaret.open('?client=/client-2x.js', (page) =>
      page.route(
        (url) => url.pathname === '/client-2x.js',
        (route) => route.fulfill({ contentType: 'text/javascript', body }),
      ),
    );
    equal(await margaret.page.evaluate(() => window.io.protocol), 4, 'the protocol of client 2.x');
    await margaret.join(ROOM);
    await ada.seesLine('margaret joined');
    await margaret.says('hello from 2.x');
    await ada.sees('margaret', 'hello from 2.x');
    await ada.says('hello 2.x');
    await margaret.sees('ada', 'hello 2.x');
    await margaret.page.locator('#connection-transport', { hasText: 'websocket' }).waitFor();
  });

  await check('client 2.x reconnects', () => dropAndReturn(margaret, ada));

  await check('switch rooms', async () => {
    await grace.goes('rust');
    await ada.seesLine('grace left');
    await ada.seesMembers(['ada'], ['grace']);
    await ada.says('behind her back');
    await ada.page.fill('#new-room', '  Our  Own Room ');
    await ada.page.press('#new-room', 'Enter');
    await ada.isIn('our-own-room');
    await linus.seesLine('ada left');
    await grace.seesCount('our-own-room', 1);
    await grace.goes('our-own-room');
    await ada.seesLine('grace joined');
    await grace.says('a room of our own');
    await ada.sees('grace', 'a room of our own');
    equal(await linus.count('a room of our own'), 0, 'a message in another room');
    await grace.goes(ROOM);
    await ada.goes(ROOM);
    await grace.sees('ada', 'behind her back');
  });

  await check('reconnect', async () => {
    await grace.deliberately(async () => {
      await grace.context.route('**/socket.io/**', (route) => route.abort());
      await grace.page.evaluate(() => window.chat.socket.io.engine.close());
      await grace.connectionIs('reconnecting');
      await grace.page.locator('#banner').waitFor();
      await ada.seesLine('grace left');
      await ada.says('grace is away');
      // Nothing that is written meanwhile is lost.
      await grace.page.fill('#text', 'written while away');
      await grace.page.press('#text', 'Enter');
      equal(await grace.page.inputValue('#text'), 'written while away', 'the input while away');
      await grace.context.unroute('**/socket.io/**');
      await grace.connectionIs('connected');
    });
    await grace.page.locator('#banner').waitFor({ state: 'hidden' });
    await grace.sees('ada', 'grace is away');
    equal(await grace.count('grace is away'), 1, 'copies of a message of the history');
    await grace.recovered(1);
    equal(await grace.page.inputValue('#text'), 'written while away', 'the input afterwards');
    await grace.page.press('#text', 'Enter');
    await ada.sees('grace', 'written while away');
    equal(await ada.count('written while away'), 1, 'copies of what was written while away');
    await ada.seesMembers(['ada', 'grace']);
  });

  // Its session goes on, also where the server has not learned that it was gone.
  await check('offline and back', async () => {
    await grace.deliberately(async () => {
      await grace.context.setOffline(true);
      await grace.connectionIs('offline');
      await grace.page.locator('#banner').waitFor();
      await ada.says('said in the tunnel');
      equal(await grace.count('said in the tunnel'), 0, 'messages that came through the tunnel');
      await grace.context.setOffline(false);
      await grace.connectionIs('connected');
    });
    await grace.sees('ada', 'said in the tunnel');
    await grace.recovered(2);
    equal(await grace.count('said in the tunnel'), 1, 'copies of what was said in the tunnel');
    if (ARTIFACTS) {
      fs.mkdirSync(ARTIFACTS, { recursive: true });
      await grace.picture('phone-recovered', 'light');
    }
    await grace.says('back on the line');
    await ada.sees('grace', 'back on the line');
  });

  await check('reload keeps the place', async () => {
    await ada.page.reload();
    await ada.isIn(ROOM);
    await ada.seesMembers(['ada', 'grace']);
    await grace.says('welcome back');
    await ada.sees('grace', 'welcome back');
  });

  await check('screenshots', async () => {
    for (const person of everybody) await person.goes('lobby');
    equal(await grace.sideways(), 0, 'pixels that the page is scrolled or too wide');
    await converse(ada, grace, linus, margaret);
    await margaret.goes('rust');
    await ada.seesCount('rust', 1);
    if (!ARTIFACTS) return;
    fs.mkdirSync(ARTIFACTS, { recursive: true });
    for (const [person, name] of [
      [ada, 'desktop'],
      [grace, 'phone'],
    ]) {
      await person.picture(name, 'light');
      await person.picture(`${name}-dark`, 'dark');
    }
  });

  await check('leaving', async () => {
    await linus.close();
    await ada.seesLine('linus left');
    await grace.seesLine('linus left');
    await ada.seesMembers(['ada', 'grace'], ['linus']);
    await grace.page.click('#open-rooms');
    await grace.page.click('#leave');
    await grace.page.locator('#sign-in').waitFor();
    await ada.seesLine('grace left');
    await ada.seesMembers(['ada'], ['grace', 'linus']);
  });

  for (const person of everybody) await person.close();
  await check('no errors in the consoles', () =>
    equal(troubles.console.join('; '), '', 'the consoles'),
  );
  await check('no failed requests', () => equal(troubles.request.join('; '), '', 'the requests'));
}

/** Ends the engine's connection of `person`, as a network would, and waits for the way back. */
async function dropAndReturn(person, other) {
  await person.deliberately(async () => {
    const states = await person.page.evaluateHandle(() => {
      const seen = [];
      const watch = new MutationObserver(() => seen.push(document.body.dataset.connection));
      watch.observe(document.body, { attributes: true, attributeFilter: ['data-connection'] });
      window.chat.socket.io.engine.close();
      return seen;
    });
    await person.page.waitForFunction(
      (seen) => seen.includes('reconnecting') && seen.at(-1) === 'connected',
      states,
    );
  });
  await person.says('here again');
  await other.sees(person.name, 'here again');
  await other.says('so you are');
  await person.sees(other.name, 'so you are');
}

/** The conversation on the pictures. */
async function converse(ada, grace, linus, margaret) {
  await ada.says('Morning! Is the new server up?');
  await grace.says('Since an hour ago, and it has not blinked once 🎉');
  await grace.says('Rooms, typing, history, all of it');
  await linus.says('I am on plain long polling here, and would not know from looking at it.');
  await margaret.says('And mine is a client from 2017.');
  await ada.says(
    'Lovely. The protocol is all in https://socket.io/docs/v4/socket-io-protocol/ if you wonder.',
  );
  await grace.says('👏👏');
  await linus.says('Shall we try the reconnection next?');
  await grace.says('I will walk into the lift with my phone and come back.');
  await ada.says('Go for it!');
  for (const person of [ada, grace])
    await person.sees('linus', 'Shall we try the reconnection next?');
  await grace.sees('ada', 'Go for it!');
  await linus.types('One moment', [ada, grace]);
}

class Person {
  constructor(name, options) {
    this.name = name;
    this.options = options;
    this.expectsTrouble = false;
  }

  async open(query = '', prepare = () => {}) {
    this.context = await browser.newContext({
      ...this.options,
      colorScheme: 'light',
      locale: 'en-GB',
    });
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(STEP_LIMIT);
    this.watch();
    await prepare(this.page);
    await this.page.goto(new URL(`/${query}`, BASE).href);
    await this.connectionIs('connected');
  }

  watch() {
    const note = (list, what) => {
      if (!this.expectsTrouble) list.push(`${this.name}: ${what}`);
    };
    this.page.on('console', (message) => {
      if (message.type() === 'error') note(troubles.console, message.text());
    });
    this.page.on('pageerror', (error) => note(troubles.console, String(error)));
    this.page.on('requestfailed', (request) => {
      note(
        troubles.request,
        `${request.method()} ${request.url()} ${request.failure()?.errorText}`,
      );
    });
    this.page.on('response', (response) => {
      if (response.status() >= 400)
        note(troubles.request, `${response.status()} ${response.url()}`);
    });
  }

  /** Errors and failed requests are what one expects while `action` runs. */
  async deliberately(action) {
    this.expectsTrouble = true;
    try {
      await action();
    } finally {
      // When it failed half way, the next check has a network again.
      await this.context.unrouteAll();
      await this.context.setOffline(false);
      this.expectsTrouble = false;
    }
  }

  /** The page says so for the so manieth time: its session went on, with all that was said. */
  async recovered(times) {
    const lines = this.page.locator('#log .line', { hasText: 'Recovered, nothing missed' });
    await lines.nth(times - 1).waitFor();
    equal(await lines.count(), times, 'recoveries that the page tells of');
    equal(await this.page.evaluate(() => window.chat.socket.recovered), true, 'socket.recovered');
  }

  async join(room) {
    await this.page.fill('#nickname', this.name);
    await this.page.fill('#room', room);
    await this.page.click('#join');
    await this.isIn(room);
  }

  async goes(room) {
    if (await this.page.isVisible('#open-rooms')) await this.page.click('#open-rooms');
    await this.page.click(`#room-list button[data-room="${room}"]`);
    await this.isIn(room);
  }

  async isIn(room) {
    await this.page.locator('#room-name', { hasText: new RegExp(`^${room}$`) }).waitFor();
  }

  /**
   * Types until the others see it. A page tells it by a volatile packet, which may be lost, and again
   * two seconds later if keys are pressed.
   */
  async types(text, others) {
    await this.page.locator('#text').pressSequentially(text);
    const seen = (other) =>
      other.page.waitForFunction(
        (line) =>
          document.querySelector('#typing-text').textContent === line &&
          !document.querySelector('#typing-dots').hidden,
        `${this.name} is typing`,
        { timeout: 2_500 },
      );
    for (let more = 4; ; more--) {
      try {
        await Promise.all(others.map(seen));
        return;
      } catch (error) {
        if (more === 0) throw error;
        await this.page.locator('#text').press('Space');
        await this.page.locator('#text').press('Backspace');
      }
    }
  }

  async says(text) {
    const before = await this.count(text, `[data-from="${this.name}"][data-status="sent"]`);
    await this.page.fill('#text', text);
    await this.page.press('#text', 'Enter');
    await this.page.waitForFunction(countMessages, {
      text,
      from: this.name,
      status: 'sent',
      atLeast: before + 1,
    });
  }

  async sees(from, text) {
    await this.page.waitForFunction(countMessages, { text, from, status: 'sent', atLeast: 1 });
  }

  async count(text, selector = '') {
    return this.page
      .locator(`[data-testid="message"]${selector} .text`)
      .evaluateAll(
        (nodes, wanted) => nodes.filter((node) => node.textContent === wanted).length,
        text,
      );
  }

  async seesLine(text) {
    await this.page.waitForFunction(
      (wanted) =>
        [...document.querySelectorAll('#log .line')].some((line) => line.textContent === wanted),
      text,
    );
  }

  async seesMembers(present, absent = []) {
    await this.page.waitForFunction(
      ([wanted, unwanted]) => {
        const names = [...document.querySelectorAll('#member-list > li')].map(
          (item) => item.dataset.nickname,
        );
        return (
          wanted.every((name) => names.includes(name)) &&
          !unwanted.some((name) => names.includes(name))
        );
      },
      [present, absent],
    );
  }

  async seesCount(room, count) {
    await this.page.waitForFunction(
      ([name, wanted]) =>
        document.querySelector(`#room-list button[data-room="${name}"] .room-count`)
          ?.textContent === wanted,
      [room, String(count)],
    );
  }

  async connectionIs(state) {
    await this.page.locator(`body[data-connection="${state}"]`).waitFor();
  }

  /** How far the page is scrolled sideways, or could be. */
  async sideways() {
    return this.page.evaluate(() => {
      const chat = document.getElementById('chat');
      return (
        chat.scrollLeft + window.scrollX + document.documentElement.scrollWidth - window.innerWidth
      );
    });
  }

  async titleIs(title) {
    await this.page.waitForFunction((wanted) => document.title === wanted, title);
  }

  /** A headless page is always in front; this says otherwise to its scripts. */
  async hide(hidden) {
    await this.page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
  }

  async picture(name, colorScheme) {
    await this.page.emulateMedia({ colorScheme });
    const file = path.join(ARTIFACTS, `${name}.png`);
    await this.page.screenshot({ path: file, animations: 'disabled' });
  }

  async close() {
    this.expectsTrouble = true; // its last poll ends with it
    await this.context?.close();
    this.context = undefined;
  }
}

/** Runs in the page. */
function countMessages({ text, from, status, atLeast }) {
  return (
    [...document.querySelectorAll('[data-testid="message"]')].filter(
      (node) =>
        node.dataset.from === from &&
        node.dataset.status === status &&
        node.querySelector('.text').textContent === text,
    ).length >= atLeast
  );
}

async function check(name, action) {
  current = name;
  try {
    await action();
    report(name);
  } catch (error) {
    report(name, error);
  }
}

function report(name, error) {
  if (error === undefined) passed += 1;
  else failed += 1;
  console.log(`${name}: ${error === undefined ? 'pass' : `fail (${shorten(error)})`}`);
}

/** Where in this file it failed, and the first line of why. */
function shorten(error) {
  if (!(error instanceof Error)) return String(error);
  const lines = (error.stack || '')
    .split('\n')
    .map((line) => line.match(/chat\.js:(\d+)/)?.[1])
    .filter(Boolean);
  const why = error.message.split('\n')[0].slice(0, 500);
  return lines.length ? `${why}, lines ${lines.join(' < ')}` : why;
}

function equal(actual, expected, what) {
  if (actual !== expected)
    throw new Error(`${what}: ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
}

async function finish() {
  // The browser goes with us when it does not end by itself.
  await Promise.race([
    browser?.close(),
    new Promise((resolve) => setTimeout(resolve, 2_000)),
  ]).catch(() => {});
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
