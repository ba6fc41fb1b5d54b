'use strict';
// The server processes: one per profile, or one for a case that wants it fresh.
const net = require('net');
const { spawn } = require('child_process');

const NOT_OFFERED = 3; // exit status, see fixture-spec.md

class Servers {
  constructor(command) {
    this.command = command;
    this.shared = new Map(); // profile -> server
    this.all = new Set();
    process.on('exit', () => { for (const s of this.all) if (!s.exit) s.child.kill('SIGKILL'); });
  }

  async for(profile, fresh) {
    const old = this.shared.get(profile);
    if (old && !old.exit && !fresh) return old;
    if (old && old.offered === false) return old;
    const server = await this.start(profile);
    if (!fresh || server.offered === false) this.shared.set(profile, server);
    return server;
  }

  async start(profile) {
    const port = await freePort();
    const command = `exec ${this.command} --port ${port} --profile ${profile}`;
    const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
    const server = { port, child, profile, up: false, out: '', err: '', exit: null };
    this.all.add(server);
    child.stderr.on('data', (d) => { server.err = (server.err + d).slice(-4000); });
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, 30000);
      const done = () => { clearTimeout(timer); resolve(); };
      child.stdout.on('data', (d) => {
        server.out += d;
        if (server.out.includes('listening ' + port)) { server.up = true; done(); }
      });
      child.on('exit', (code, signal) => { server.exit = { code, signal }; this.all.delete(server); done(); });
    });
    if (server.exit) server.offered = server.exit.code !== NOT_OFFERED;
    return server;
  }

  // Ends a server; resolves with what is wrong with its end, or null.
  async stop(server) {
    if (!server.exit) {
      const timer = setTimeout(() => server.child.kill('SIGKILL'), 10000);
      const ended = new Promise((resolve) => server.child.on('exit', resolve));
      server.child.kill('SIGTERM');
      await ended;
      clearTimeout(timer);
    }
    return server.exit.code === 0 ? null : 'on SIGTERM the server ended with ' + JSON.stringify(server.exit);
  }
}

function freePort() {
  return new Promise((resolve) => {
    const s = net.createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => resolve(port)); });
  });
}
module.exports = { Servers, freePort };
