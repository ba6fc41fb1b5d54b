'use strict';
// The clusters that cases run in: which nodes, which adapter, which dialects are spoken.
const path = require('path');
const { spawn } = require('child_process');
const { Proxy } = require('./proxy');
const { freePort, halt, sleep } = require('./redis');
const { CAN } = require('./kinds');

const TOPOLOGIES = {
  'S': { nodes: ['subject'], dialect: 'new' },
  'S/old': { nodes: ['subject'], dialect: 'old' },
  'S/mixed': { nodes: ['subject'], dialect: 'mixed' },
  'S/sharded': { nodes: ['subject'], dialect: 'new', adapter: 'sharded' },
  'S+S': { nodes: ['subject', 'subject'], dialect: 'new' },
  'S+S/old': { nodes: ['subject', 'subject'], dialect: 'old' },
  'S+S/mixed': { nodes: ['subject', 'subject'], dialect: 'mixed' },
  'S+S/sharded': { nodes: ['subject', 'subject'], dialect: 'new', adapter: 'sharded' },
  'S+2': { nodes: ['subject', 'node2'], dialect: 'old' },
  'S+4': { nodes: ['subject', 'node4'], dialect: 'new' },
  'S+4/sharded': { nodes: ['subject', 'node4'], dialect: 'new', adapter: 'sharded' },
  'S+2+4': { nodes: ['subject', 'node2', 'node4'], dialect: 'mixed' },
  // Redis streams; `streams4`: four streams; `recovery`: with connection state recovery
  'S/streams': { nodes: ['subject'], dialect: 'new', adapter: 'streams' },
  'S+S/streams': { nodes: ['subject', 'subject'], dialect: 'new', adapter: 'streams' },
  'S+4/streams': { nodes: ['subject', 'node4'], dialect: 'new', adapter: 'streams' },
  'S/streams4': { nodes: ['subject'], dialect: 'new', adapter: 'streams', args: ['--stream-count', '4'] },
  'S+4/streams4': { nodes: ['subject', 'node4'], dialect: 'new', adapter: 'streams', args: ['--stream-count', '4'] },
  'S/recovery': { nodes: ['subject'], dialect: 'new', adapter: 'streams', args: ['--recovery', '20000'] },
  'S+S/recovery': { nodes: ['subject', 'subject'], dialect: 'new', adapter: 'streams', args: ['--recovery', '20000'] },
  'S+4/recovery': { nodes: ['subject', 'node4'], dialect: 'new', adapter: 'streams', args: ['--recovery', '20000'] },
  'S/postgres': { nodes: ['subject'], dialect: 'new', adapter: 'postgres' },
  'S+S/postgres': { nodes: ['subject', 'subject'], dialect: 'new', adapter: 'postgres' },
  'S+4/postgres': { nodes: ['subject', 'node4'], dialect: 'new', adapter: 'postgres' },
};
const carrier = (name) => TOPOLOGIES[name].adapter || 'classic';
// What the carriers of the message model of 4.x have in common: a case for two nodes over PUB/SUB runs over them too.
function carried(on, carriers) {
  const out = [...on];
  for (const c of carriers) {
    for (const [nodes, sharded] of [['S+S', 'S+S/sharded'], ['S+4', 'S+4/sharded'], [null, 'S/sharded']]) {
      const name = sharded.replace('sharded', c);
      if ((on.includes(nodes) || on.includes(sharded)) && !out.includes(name)) out.push(name);
    }
  }
  return out;
}

class Node {
  constructor(o) { Object.assign(this, o); this.exit = null; this.err = ''; }
  // kind: subject | node2 | node4. real: what the program behind it is (a stand-in for the subject is node2 or node4).
  async start() {
    this.port = this.port || await freePort(); // given: it takes the place of another
    const args = ['--port', this.port, '--profile', 'cluster', this.adapter === 'postgres' ? '--postgres' : '--redis', this.redis.at(this.redisPort),
      '--adapter', this.adapter, '--key', this.key, '--dialect', this.dialect, ...this.args].map(String);
    const words = this.command;
    this.proc = spawn(words[0], words.slice(1).concat(args), { stdio: ['ignore', 'pipe', 'pipe'] });
    this.exited = new Promise((resolve) => {
      this.proc.once('error', (e) => { this.exit = { error: e.message }; resolve(this.exit); });
      this.proc.once('exit', (code, signal) => { this.exit = { code, signal }; resolve(this.exit); });
    });
    let out = '';
    this.proc.stderr.on('data', (d) => { this.err = (this.err + d).slice(-4000); });
    const up = new Promise((resolve) => this.proc.stdout.on('data', (d) => { out += d; if (out.includes('listening ' + this.port)) resolve(true); }));
    const ok = await Promise.race([up, this.exited.then(() => false), sleep(30000).then(() => null)]);
    if (ok) return this;
    if (this.exit && this.exit.code === 3) throw Object.assign(new Error('not offered'), { skip: true });
    throw new Error(`${this.name} did not start: ${JSON.stringify(this.exit)} ${this.err.slice(-300)}`);
  }
  get alive() { return this.exit === null; }
  signal(s) { if (this.alive) this.proc.kill(s); }
  // Resolves when it stands still: a signal is on its way for a moment.
  pause() { return halt(this.proc); }
  can(cap) { return CAN[this.real][this.adapter].includes(cap); }
  async stop() {
    if (this.alive) {
      this.signal('SIGCONT');
      this.signal('SIGTERM');
      this.end = await Promise.race([this.exited, sleep(10000).then(() => null)]);
      if (!this.end) { this.signal('SIGKILL'); await this.exited; this.end = { code: 'no exit within 10 s of SIGTERM' }; }
    } else this.end = this.exit;
    if (this.proxy) { this.redis.proxies.delete(this.proxy); await this.proxy.end(); }
    return this.end;
  }
}

let counter = 0;
class Cluster {
  // o: { name, redis: the broker, command: words of the subject, as }
  constructor(o) {
    Object.assign(this, o);
    this.spec = TOPOLOGIES[o.name];
    this.adapter = this.spec.adapter || 'classic';
    this.key = this.spec.nodes.length === 1 ? 'socket.io' : 'est' + (++counter) + (counter % 2 ? '' : '.x');
    this.nodes = [];
  }
  async start() {
    const of = {};
    for (const kind of this.spec.nodes) { of[kind] = (of[kind] || 0) + 1; await this.add(kind, kind === 'subject' ? 's' + of[kind] : kind === 'node2' ? 'n2' : 'n4'); }
    return this;
  }
  async add(kind, name, over = {}) {
    const own = path.join(__dirname, '..', 'nodes');
    const node = new Node(Object.assign({
      kind, name, redis: this.redis, args: this.spec.args || [], real: kind === 'subject' ? this.as : kind, adapter: this.adapter, key: this.key, dialect: this.spec.dialect, redisPort: this.redis.port,
      command: kind === 'subject' ? this.command : [process.execPath, path.join(own, kind + '.js')],
    }, over));
    node.standIn = kind === 'subject' && this.as !== 'subject';
    if (kind === 'subject') { node.proxy = await new Proxy(this.redis.port, this.adapter).listen(); node.redisPort = node.proxy.port; this.redis.proxies.add(node.proxy); }
    this.nodes.push(node);
    try { await node.start(); } catch (e) { await this.stop(); throw e; }
    return node;
  }
  get dead() { return this.nodes.filter((n) => !n.alive); }
  async stop() { return Promise.all(this.nodes.map((n) => n.stop())); }
}
module.exports = { TOPOLOGIES, Cluster, carrier, carried };
