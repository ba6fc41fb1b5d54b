// The two streams between JavaScript and the core: records in, commands out, each in batches.

'use strict';

const native = require('./native');

/** Ends a field, and a line: neither can be in JSON. */
const FIELD = '\u0001';
const LINE = '\n';

/** Characters of commands after which they go at once. */
const MAX_WAITING = 64 * 1024;

/** The modifiers of commands. */
const VOLATILE = 1;
const UNCOMPRESSED = 2;
const LOCAL = 4;
const ANSWER = 8;

/** Those whose last commands are still to leave when the process exits. */
const open = new Set();
process.on('exit', () => open.forEach((wire) => wire.sync()));

class Wire {
  /**
   * @param {object} options what the core takes
   * @param {(wire: Wire, records: unknown[], at: number, buffers: Buffer[]) => number} dispatch handles the
   *   record at an index, and gives that of the next
   */
  constructor(options, dispatch) {
    this.dispatch = dispatch;
    /** Sockets by the core's numbers. */
    this.sockets = [];
    /** Who waits for what becomes of a request, by its number. */
    this.requests = new Map();
    this.lastRequest = 0;
    this.out = '';
    this.buffers = [];
    /** Counts batches of commands: what was sent in the same one leaves together. */
    this.batch = 0;
    this.isScheduled = false;
    this.isDispatching = false;
    this.isClosed = false;
    this.buffersAt = 0;
    this.flushLater = () => this.flush();
    this.core = native.create(JSON.stringify(options), () => this.drain());
    open.add(this);
  }

  /** Appends a command; it goes at the end of this batch of records, or of this tick. */
  command(line, buffers) {
    if (this.isClosed) return;
    this.out += line + LINE;
    if (buffers !== undefined && buffers.length > 0) this.buffers.push(...buffers);
    if (this.out.length > MAX_WAITING) {
      this.flush();
    } else if (!this.isScheduled && !this.isDispatching) {
      this.isScheduled = true;
      process.nextTick(this.flushLater);
    }
  }

  /** Hands the commands over. */
  flush() {
    this.isScheduled = false;
    this.batch++;
    if (this.out === '') return;
    const { out, buffers } = this;
    this.out = '';
    if (buffers.length > 0) this.buffers = [];
    native.run(this.core, out, buffers.length > 0 ? buffers : null);
  }

  /** Asks the core, which carries out what was commanded before. */
  ask(...fields) {
    this.flush();
    return JSON.parse(native.ask(this.core, fields.join(FIELD)));
  }

  /** Has all commands carried out before this returns. */
  sync() {
    if (this.isClosed) return;
    this.ask('sync');
  }

  /** Reads the next batch of records. */
  drain() {
    const attachments = [];
    let text = native.take(this.core, attachments);
    if (text === undefined) return;
    const hasMore = text.charCodeAt(text.length - 1) === 44;
    if (hasMore) text = text.slice(0, -1);
    const records = JSON.parse(`[${text}]`);
    this.isDispatching = true;
    this.buffersAt = 0;
    for (let at = 0; at < records.length; ) {
      try {
        at = this.dispatch(this, records, at, attachments);
      } catch (error) {
        // a listener's: the rest of the batch is dispatched first, as others must not miss it
        at = this.next;
        process.nextTick(raise, error);
      }
    }
    this.isDispatching = false;
    this.flush();
    if (hasMore) setImmediate(() => this.drain());
  }

  /** The attachments of a record. */
  takeBuffers(attachments, count) {
    const from = this.buffersAt;
    this.buffersAt += count;
    return attachments.slice(from, this.buffersAt);
  }

  request(number, head, body) {
    native.request(this.core, number, head, body);
  }

  upgrade(number, head, prefix, descriptor) {
    return native.upgrade(this.core, number, head, prefix, descriptor);
  }

  bridge(number, head, prefix) {
    native.bridge(this.core, number, head, prefix);
  }

  bridged(number, bytes) {
    native.bridged(this.core, number, bytes);
  }

  /** The number of a request, whose answer is for `front`. */
  expect(front) {
    do {
      this.lastRequest = this.lastRequest >= 0x3fffffff ? 1 : this.lastRequest + 1;
    } while (this.requests.has(this.lastRequest));
    this.requests.set(this.lastRequest, front);
    return this.lastRequest;
  }

  /** The core has ended. */
  end() {
    this.isClosed = true;
    open.delete(this);
  }
}

function raise(error) {
  throw error;
}

module.exports = { Wire, FIELD, VOLATILE, UNCOMPRESSED, LOCAL, ANSWER };
