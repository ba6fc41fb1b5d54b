// The files of the browser's client, from the package socket.io-client where it is installed. Without it the
// core serves those that were built in.

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');
const { pipeline } = require('node:stream');

/** Where socket.io-client is, as the program would find it. */
function find() {
  const from = [process.cwd(), __dirname, ...(require.main ? [path.dirname(require.main.filename)] : [])];
  try {
    const manifest = require.resolve('socket.io-client/package.json', { paths: from });
    return { folder: path.join(path.dirname(manifest), 'dist'), version: require(manifest).version };
  } catch {
    return undefined;
  }
}

function encodingOf(req) {
  const accepted = String(req.headers['accept-encoding'] ?? '');
  const takes = (name) => accepted.split(',').some((one) => {
    const [encoding, ...parameters] = one.trim().split(';').map((part) => part.trim());
    return encoding === name && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
  const listed = accepted.split(',').map((one) => one.trim().split(';')[0]);
  return listed.filter((encoding) => encoding in ENCODERS).find(takes);
}

const ENCODERS = { br: zlib.createBrotliCompress, gzip: zlib.createGzip, deflate: zlib.createDeflate };

class ClientFiles {
  /** @param {string} charset what is appended to the content type */
  constructor(charset) {
    this.found = find();
    this.charset = charset;
  }

  /** Whether they are there, and a request is for one of them. */
  handles(req, prefix) {
    if (!this.found || !req.url.startsWith(`${prefix}/socket.io.`)) return false;
    const name = req.url.slice(prefix.length + 1).replace(/\?.*$/s, '');
    const isOne = /^socket\.io(\.msgpack|\.esm|\.slim|\.slim\.dev|\.dev)?(\.min)?\.js(\.map)?$/.test(name);
    return isOne && fs.existsSync(path.join(this.found.folder, name));
  }

  serve(req, res, prefix) {
    const name = req.url.slice(prefix.length + 1).replace(/\?.*$/s, '');
    const etag = `"${this.found.version}"`;
    const isMap = name.endsWith('.map');
    const known = req.headers['if-none-match'];
    if (known === etag || known === `W/${etag}`) {
      res.writeHead(304);
      return res.end();
    }
    const file = path.join(this.found.folder, name);
    fs.stat(file, (missing) => {
      if (missing) {
        res.writeHead(404);
        return res.end();
      }
      res.setHeader('Cache-Control', 'public, max-age=0');
      res.setHeader('Content-Type', `application/${isMap ? 'json' : 'javascript'}${this.charset}`);
      res.setHeader('ETag', etag);
      const encoding = encodingOf(req);
      const ended = () => {};
      if (!encoding) {
        res.writeHead(200);
        return pipeline(fs.createReadStream(file), res, ended);
      }
      res.writeHead(200, { 'content-encoding': encoding });
      pipeline(fs.createReadStream(file), ENCODERS[encoding](), res, ended);
    });
  }
}

module.exports = { ClientFiles };
