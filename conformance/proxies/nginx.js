'use strict';
// An nginx of our own: a configuration, a folder and a process, on free ports of 127.0.0.1.
const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawn } = require('child_process');
const { freePort } = require('../lib/servers');
const { request, sleep } = require('../lib/raw');

// What the documentation of Socket.IO and of nginx tell people to write.
const configuration = (folder, { single, group, alone, nodes }) => `
daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  # the header of the client, or a connection that may be kept for the next request
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream group {
    # requests of one client go to one node; each node counts as failed for 10 s after one failure, by default
    hash $http_x_client;
    ${nodes.map((port) => `server 127.0.0.1:${port};`).join(' ')}
    keepalive 8;
  }
  server {
    listen 127.0.0.1:${single};
    location / {
      proxy_pass http://127.0.0.1:${alone};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
    }
  }
  server {
    listen 127.0.0.1:${group};
    location / {
      proxy_pass http://group;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }
  }
}
`;

class Nginx {
  // alone: the port of the one server; nodes: those of the group
  static async start(program, alone, nodes) {
    const nginx = new Nginx();
    nginx.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'nginx-'));
    // its workers are nobody, if it was started by root
    fs.chmodSync(nginx.folder, 0o755);
    nginx.single = await freePort();
    nginx.group = await freePort();
    fs.writeFileSync(path.join(nginx.folder, 'conf'), configuration(nginx.folder, { ...nginx, alone, nodes }));
    nginx.log = '';
    nginx.child = spawn(program, ['-e', 'stderr', '-p', nginx.folder, '-c', 'conf'], { stdio: ['ignore', 'ignore', 'pipe'] });
    nginx.child.stderr.on('data', (data) => { nginx.log += data; });
    nginx.child.on('error', (error) => { nginx.log += error.message; });
    nginx.ended = new Promise((resolve) => nginx.child.on('close', () => { nginx.child = null; resolve(); }));
    process.on('exit', () => { if (nginx.child) nginx.child.kill('SIGTERM'); nginx.clean(); });
    for (let tries = 0; tries < 300 && nginx.child; tries++) {
      if (!(await request(nginx.group, { path: '/' })).error) return nginx;
      await sleep(50);
    }
    throw new Error('nginx did not start: ' + nginx.log);
  }

  async stop() {
    if (this.child) this.child.kill('SIGTERM');
    await this.ended;
    this.clean();
  }

  clean() { fs.rmSync(this.folder, { recursive: true, force: true }); }
}

module.exports = { Nginx };
