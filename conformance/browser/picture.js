// The pictures of the README: the chat's page, light and dark.
//
//   node picture.js http://127.0.0.1:3000 FOLDER
//
// Writes FOLDER/chat-light.png and FOLDER/chat-dark.png. CHROMIUM: the browser, otherwise /usr/bin/chromium.
//
// Three people talk, as in `chat.js`; the first one's page is shown. What a browser writes is a PNG of full colour, so it is
// written again with a palette: a page of text has few colours, and is less than half as large then.

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');
const { chromium } = require('playwright-core');

const [BASE, FOLDER] = process.argv.slice(2);
const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
const VIEW = { width: 960, height: 626 };
// Sharp on screens of today; shown at half of its size.
const SCALE = 2;
const MAX_BYTES = 80_000;

if (!FOLDER) {
  console.error('usage: node picture.js <base URL> <folder>');
  process.exit(2);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

async function main() {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
  try {
    const ada = await open(browser, 'ada', '');
    const grace = await open(browser, 'grace', '');
    const linus = await open(browser, 'linus', '?transports=polling');
    for (const [who, text] of [
      [ada, 'Morning! Is the new server up?'],
      [grace, 'Since an hour ago, and it has not blinked once.'],
      [linus, 'I am on plain long polling here, and would not know from looking at it.'],
      [ada, 'Shall we try a restart?'],
      [grace, 'Go for it!'],
    ]) {
      await says(who, text, [ada, grace, linus]);
    }
    for (const colorScheme of ['light', 'dark']) {
      await ada.emulateMedia({ colorScheme });
      await linus.locator('#text').pressSequentially('One moment');
      await ada.locator('#typing-dots').waitFor({ state: 'visible' });
      const picture = withPalette(await ada.screenshot({ animations: 'disabled' }));
      const file = path.join(FOLDER, `chat-${colorScheme}.png`);
      fs.writeFileSync(file, picture);
      console.log(`${path.basename(file)}: ${picture.length} bytes`);
      if (picture.length > MAX_BYTES) throw new Error(`${file} has more than ${MAX_BYTES} bytes`);
    }
  } finally {
    await browser.close();
  }
}

async function open(browser, name, query) {
  const context = await browser.newContext({ viewport: VIEW, deviceScaleFactor: SCALE, locale: 'en-GB' });
  const page = await context.newPage();
  await page.goto(new URL(`/${query}`, BASE).href);
  await page.fill('#nickname', name);
  await page.fill('#room', 'lobby');
  await page.click('#join');
  await page.locator('#room-name', { hasText: /^lobby$/ }).waitFor();
  return page;
}

async function says(page, text, everybody) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
  for (const other of everybody) {
    await other.locator('[data-testid="message"][data-status="sent"] .text', { hasText: text }).waitFor();
  }
}

/** The same picture with a palette of 256 colours. */
function withPalette(png) {
  const { width, height, pixels } = read(png);
  // By how often it is there, and so that the rest finds a near one: most of a page is a few colours, the rest edges of letters.
  const counts = new Map();
  for (let at = 0; at < pixels.length; at += 3) {
    const colour = (pixels[at] << 16) | (pixels[at + 1] << 8) | pixels[at + 2];
    counts.set(colour, (counts.get(colour) || 0) + 1);
  }
  const palette = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 256).map(([colour]) => colour);
  const nearest = new Map();
  for (const colour of counts.keys()) nearest.set(colour, closest(palette, colour));
  const rows = Buffer.alloc((width + 1) * height); // each begins with its filter: none
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      const colour = (pixels[at] << 16) | (pixels[at + 1] << 8) | pixels[at + 2];
      rows[y * (width + 1) + 1 + x] = nearest.get(colour);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8); // eight bits, a palette
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', colours),
    chunk('IDAT', zlib.deflateSync(rows, { level: 9, memLevel: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function closest(palette, colour) {
  let best = 0;
  let least = Infinity;
  palette.forEach((other, index) => {
    const [red, green, blue] = [16, 8, 0].map((shift) => ((colour >> shift) & 255) - ((other >> shift) & 255));
    const distance = red * red + green * green + blue * blue;
    if (distance < least) [best, least] = [index, distance];
  });
  return best;
}

const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind, 'latin1'), data]);
  const frame = Buffer.alloc(body.length + 8);
  frame.writeUInt32BE(data.length, 0);
  body.copy(frame, 4);
  frame.writeUInt32BE(crc(body), body.length + 4);
  return frame;
}

// PNG 1.2, appendix: CRC
function crc(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** The colours of a PNG as browsers write it: eight bits, RGB or RGBA, not interlaced. */
function read(png) {
  const width = png.readUInt32BE(16);
  const height = png.readUInt32BE(20);
  const bytes = { 2: 3, 6: 4 }[png[25]];
  if (!bytes || png[24] !== 8) throw new Error('not a PNG of full colour');
  const parts = [];
  for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const data = zlib.inflateSync(Buffer.concat(parts));
  const stride = width * bytes;
  let above = Buffer.alloc(stride);
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    const filter = data[y * (stride + 1)];
    const row = Buffer.from(data.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1)));
    for (let x = 0; x < stride; x++) {
      const [left, up, corner] = [x < bytes ? 0 : row[x - bytes], above[x], x < bytes ? 0 : above[x - bytes]];
      row[x] += [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
    }
    for (let x = 0; x < width; x++) row.copy(pixels, (y * width + x) * 3, x * bytes, x * bytes + 3);
    above = row;
  }
  return { width, height, pixels };
}

// PNG 1.2 6.6
function paeth(left, up, corner) {
  const [a, b, c] = [left, up, corner].map((value) => Math.abs(left + up - corner - value));
  return a <= b && a <= c ? left : b <= c ? up : corner;
}
