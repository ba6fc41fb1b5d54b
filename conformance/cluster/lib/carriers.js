'use strict';
// The message model of 4.x by hand, over Redis streams and over PostgreSQL.
const Redis = require('ioredis');
const msgpack = require('@msgpack/msgpack');
const { Client } = require('pg');
const { sleep } = require('./redis');

const TYPE = { HELLO: 1, ALIVE: 2, BROADCAST: 3, JOIN: 4, LEAVE: 5, DISCONNECT: 6, FETCH: 7, FETCHED: 8, EMIT: 9, EMITTED: 10, COUNT: 11, ACK: 12, BYE: 13 };
const encode = (x) => Buffer.from(msgpack.encode(x));
const decode = (b) => { try { return msgpack.decode(b); } catch (e) { return undefined; } };
const json = (b) => { try { return JSON.parse(b.toString()); } catch (e) { return undefined; } };
const opts = (o = {}) => ({ rooms: o.rooms || [], except: o.except || [], flags: o.flags || {} });
const event = (data, o) => ({ packet: { type: 2, data }, opts: opts(o) });

// Field `data` of an entry: JSON, or base64 of msgpack.
const readData = (text) => (text === undefined ? undefined : text.startsWith('{') ? json(text) : decode(Buffer.from(text, 'base64')));
const readEntry = (f) => ({ type: Number(f.type), uid: f.uid, nsp: f.nsp, data: readData(f.data) });

class Seen {
  constructor() { this.got = []; }
  see(m) { this.got.push(m); }
  // Next message that fits, looking also at what came before.
  async next(fits, label, ms = 2500) {
    const end = Date.now() + ms;
    for (;;) {
      const i = this.got.findIndex((m) => { try { return fits(m, m.value); } catch (e) { return false; } });
      if (i >= 0) { const m = this.got[i]; this.got.splice(0, i + 1); return m; }
      if (Date.now() > end) throw new Error('not seen on the broker: ' + label + '; seen: ' + this.got.map((m) => (m.channel || m.stream) + ' ' + String(m.text || JSON.stringify(m.value)).slice(0, 90)).join(' | ').slice(0, 600));
      await sleep(4);
    }
  }
}

class StreamWire extends Seen {
  constructor(port, key) { super(); this.port = port; this.key = key; }
  async open() {
    const o = { port: this.port, host: '127.0.0.1', retryStrategy: null };
    this.pub = new Redis(o);
    this.sub = new Redis(o);
    this.reader = new Redis(o);
    for (const c of [this.pub, this.sub, this.reader]) c.on('error', () => {});
    const note = (channel, payload) => this.see({ channel: channel.toString(), payload, value: decode(payload) });
    this.sub.on('pmessageBuffer', (pattern, channel, payload) => note(channel, payload));
    this.sub.on('messageBuffer', () => {});
    await this.pub.ping();
    return this;
  }
  // Sees everything that is published and every new entry of these streams.
  async tap(...streams) {
    await this.sub.psubscribe(this.key.replace(/[\\*?[\]]/g, '\\$&') + '#*');
    const at = {};
    for (const s of streams.length ? streams : [this.key]) { const last = await this.pub.xrevrange(s, '+', '-', 'COUNT', 1); at[s] = last.length ? last[0][0] : '0-0'; }
    const loop = async () => {
      for (;;) {
        const r = await this.reader.xread('COUNT', 500, 'BLOCK', 200, 'STREAMS', ...Object.keys(at), ...Object.values(at));
        for (const [stream, entries] of r || []) for (const [id, list] of entries) { at[stream] = id; this.see(this.entry(stream, id, list)); }
      }
    };
    loop().catch(() => {});
    return this;
  }
  entry(stream, id, list) {
    const fields = {};
    for (let i = 0; i < list.length; i += 2) fields[list[i]] = list[i + 1];
    return { stream, id, fields, order: Object.keys(fields), text: fields.data, value: readEntry(fields) };
  }
  async entries(stream = this.key) { return (await this.pub.xrange(stream, '-', '+')).map(([id, list]) => this.entry(stream, id, list)); }
  // An entry as a Node server writes it; o.id, o.maxlen, o.stream as wanted. Returns its id.
  add(message, o = {}) {
    const m = Object.assign({ uid: 'aaaaaaaaaaaaaaaa', nsp: '/' }, message);
    const fields = ['uid', m.uid, 'nsp', m.nsp, 'type', String(m.type)];
    if (m.data !== undefined) fields.push('data', o.binary ? encode(m.data).toString('base64') : JSON.stringify(m.data));
    return this.raw(fields, o);
  }
  raw(fields, o = {}) { return this.pub.xadd(o.stream || this.key, ...(o.maxlen === undefined ? [] : ['MAXLEN', '=', o.maxlen]), o.id || '*', ...fields); }
  broadcast(data, o = {}) { return this.add({ type: TYPE.BROADCAST, data: event(data, o), nsp: o.nsp || '/', uid: o.uid || 'aaaaaaaaaaaaaaaa' }, o); }
  public(nsp = '/') { return `${this.key}#${nsp}#`; }
  publish(channel, message) { return this.pub.publish(channel, Buffer.isBuffer(message) || typeof message === 'string' ? message : encode(message)); }
  // Is counted as one more node of the namespace.
  async member(nsp = '/', uid) { await this.sub.subscribe(this.public(nsp)); if (uid) await this.sub.subscribe(this.public(nsp) + uid + '#'); return this; }
  count(nsp = '/') { return this.pub.pubsub('NUMSUB', this.public(nsp)).then((x) => Number(x[1])); }
  close() { for (const c of [this.pub, this.sub, this.reader]) c.disconnect(); }
}

class PgWire extends Seen {
  constructor(pg, key) { super(); this.pg = pg; this.key = key; this.beats = []; this.uids = new Map(); }
  async open() {
    this.db = new Client({ connectionString: this.pg.url });
    this.db.on('error', () => {});
    this.db.on('notification', (n) => { const value = json(n.payload); this.see({ channel: n.channel, text: n.payload, payload: Buffer.from(n.payload), value }); });
    await this.db.connect();
    return this;
  }
  channel(nsp = '/') { return `${this.key}#${nsp}`; }
  async tap(...nsps) { for (const n of nsps.length ? nsps : ['/']) await this.db.query(`LISTEN "${this.channel(n).replace(/"/g, '""')}"`); return this; }
  notify(message, nsp = '/') {
    const m = typeof message === 'string' ? json(message) : message;
    if (m && typeof m.uid === 'string' && m.uid !== 'emitter') this.uids.set(nsp + m.uid, [m.uid, nsp]);
    return this.db.query('SELECT pg_notify($1, $2)', [this.channel(nsp), typeof message === 'string' ? message : JSON.stringify(message)]);
  }
  // A message as a Node server publishes it.
  say(type, data, o = {}) { return this.notify(Object.assign({ type }, data === undefined ? {} : { data }, { uid: o.uid || 'aaaaaaaaaaaaaaaa', nsp: o.nsp || '/' }), o.nsp); }
  broadcast(data, o = {}) { return this.say(TYPE.BROADCAST, event(data, o), o); }
  async row(payload) { return (await this.db.query('INSERT INTO socket_io_attachments (payload) VALUES ($1) RETURNING id', [payload])).rows[0].id; }
  async stored(id) { const r = await this.db.query('SELECT payload FROM socket_io_attachments WHERE id = $1', [id]); return r.rows.length ? r.rows[0].payload : null; }
  // A message through the table.
  async attach(message, o = {}) {
    const m = Object.assign({ uid: 'aaaaaaaaaaaaaaaa', nsp: '/' }, message);
    const id = await this.row(encode(m));
    await this.notify({ uid: m.uid, type: m.type, attachmentId: o.number ? Number(id) : id }, m.nsp);
    return id;
  }
  // Is a node of the namespace from now on: says so, and that it is alive.
  async member(uid, nsp = '/') {
    await this.say(TYPE.HELLO, undefined, { uid, nsp });
    const timer = setInterval(() => this.say(TYPE.ALIVE, undefined, { uid, nsp }).catch(() => {}), 300);
    this.beats.push(timer);
    return { silent: () => clearInterval(timer), bye: () => { clearInterval(timer); return this.say(TYPE.BYE, undefined, { uid, nsp }); } };
  }
  // Whoever has said something is a member until it says farewell.
  async close() {
    this.beats.forEach(clearInterval);
    for (const [uid, nsp] of this.uids.values()) await this.db.query('SELECT pg_notify($1, $2)', [this.channel(nsp), JSON.stringify({ type: TYPE.BYE, uid, nsp })]);
    return this.db.end();
  }
}

// What stands between the name of a namespace and the stream that Node puts its messages into, and what it should be.
function hash(nsp) { let h = 0; for (let i = 0; i < nsp.length; i++) h = (Math.imul(h, 31) + nsp.charCodeAt(i)) | 0; return h; }

module.exports = { TYPE, StreamWire, PgWire, encodeModel: encode, decodeModel: decode, readEntry, modelEvent: event, modelOpts: opts, hash };
