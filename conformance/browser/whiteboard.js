// The whiteboard's page in headless Chromium, two windows, against a running server.
//
//   node whiteboard.js http://127.0.0.1:3000
//
// ARTIFACTS: folder for the screenshots (made if missing). CHROMIUM: the browser, otherwise
// /usr/bin/chromium. One line for each check, `name: pass` or `name: fail (why)`, then `N passed, N
// failed`. Nothing sleeps: every wait is for something on a page.

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { chromium } = require('playwright-core');

const BASE = process.argv[2];
const ARTIFACTS = process.env.ARTIFACTS;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

if (!BASE) {
  console.error('usage: node whiteboard.js <base URL>');
  process.exit(2);
}

let passed = 0;
let failed = 0;
const troubles = [];

async function check(name, action) {
  try {
    await action();
    console.log(`${name}: pass`);
    passed += 1;
  } catch (error) {
    console.log(`${name}: fail (${String(error.message || error).split('\n')[0]})`);
    failed += 1;
  }
}

async function open(browser, name) {
  const page = await browser.newPage({ viewport: { width: 1000, height: 640 } });
  page.setDefaultTimeout(20_000);
  page.on('pageerror', (error) => troubles.push(`${name}: ${error}`));
  page.on('console', (message) => {
    if (message.type() === 'error') troubles.push(`${name}: ${message.text()}`);
  });
  await page.goto(BASE);
  await join(page, name);
  return page;
}

async function join(page, name) {
  await page.fill('#name', name);
  await page.click('dialog button');
}

const sees = (page, name) => page.locator('#people li', { hasText: name }).waitFor();

/** Draws a line through places from 0 to 1. */
async function draw(page, color, places) {
  await page.check(`#colors input[value="${color}"]`);
  const box = await page.locator('#board').boundingBox();
  const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(places[0]));
  await page.mouse.down();
  for (const place of places.slice(1)) await page.mouse.move(...at(place), { steps: 4 });
  await page.mouse.up();
}

/** Waits until the pixel at a place is of a colour, or of none. */
const shows = (page, [x, y], color) =>
  page.waitForFunction(
    ([x, y, color]) => {
      const board = document.getElementById('board');
      const [r, g, b, a] = board.getContext('2d').getImageData(x * board.width, y * board.height, 1, 1).data;
      return color === null ? a === 0 : a > 0 && `${r},${g},${b}` === color;
    },
    [x, y, color],
  );

const RED = '209,57,43';
const BLUE = '36,103,201';

async function run() {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: FLAGS });
  try {
    let ann;
    let bob;
    await check('whiteboard: two windows', async () => {
      ann = await open(browser, 'Ann');
      await sees(ann, 'Ann (you)');
      bob = await open(browser, 'ann');
      await bob.locator('#refused', { hasText: 'Ann is here already.' }).waitFor();
      await join(bob, 'Bob');
      await sees(bob, 'Bob (you)');
      await sees(ann, 'Bob');
      await sees(bob, 'Ann');
    });
    await check('whiteboard: each sees what the other draws', async () => {
      await draw(ann, 'red', [[0.1, 0.2], [0.5, 0.2], [0.9, 0.2]]);
      await shows(ann, [0.5, 0.2], RED);
      await shows(bob, [0.5, 0.2], RED);
      await bob.fill('#width', '12');
      await draw(bob, 'blue', [[0.2, 0.8], [0.35, 0.5], [0.5, 0.8], [0.65, 0.5], [0.8, 0.8]]);
      await shows(ann, [0.35, 0.5], BLUE);
    });
    await check('whiteboard: where the other points', async () => {
      await ann.locator('#pointers span', { hasText: 'Bob' }).waitFor();
    });
    if (ARTIFACTS) {
      fs.mkdirSync(ARTIFACTS, { recursive: true });
      await ann.screenshot({ path: path.join(ARTIFACTS, 'whiteboard-ann.png') });
      await bob.screenshot({ path: path.join(ARTIFACTS, 'whiteboard-bob.png') });
    }
    await check('whiteboard: a reload shows what was drawn', async () => {
      await ann.reload();
      await sees(ann, 'Ann (you)');
      await shows(ann, [0.35, 0.5], BLUE);
    });
    await check('whiteboard: cleared for all', async () => {
      await bob.click('#clear');
      await shows(bob, [0.5, 0.2], null);
      await shows(ann, [0.5, 0.2], null);
      await ann.locator('#state', { hasText: 'Bob cleared the board' }).waitFor();
    });
    await check('whiteboard: who goes is gone', async () => {
      await bob.close();
      await ann.locator('#people li', { hasText: 'Bob' }).waitFor({ state: 'detached' });
    });
    await check('whiteboard: no errors in the consoles', () => {
      if (troubles.length) throw new Error(troubles.join('; '));
    });
  } finally {
    await browser.close();
  }
}

run()
  .catch((error) => check('whiteboard', () => { throw error; }))
  .finally(() => {
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed ? 1 : 0);
  });
