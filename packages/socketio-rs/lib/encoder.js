// Packets to the messages of the engine, for adapters that encode by themselves.

'use strict';

const { serialize } = require('./values');

class Encoder {
  /** @param {{ type: number, nsp?: string, id?: number, data?: unknown }} packet */
  encode({ type, nsp = '/', id, data }) {
    const buffers = [];
    const json = data === undefined ? '' : Array.isArray(data) ? serialize(data, buffers) : JSON.stringify(data);
    const isBinary = buffers.length > 0;
    const kind = isBinary && type === 2 ? 5 : isBinary && type === 3 ? 6 : type;
    const head = `${kind}${isBinary ? `${buffers.length}-` : ''}${nsp === '/' ? '' : `${nsp},`}${id ?? ''}`;
    return [head + json, ...buffers];
  }
}

module.exports = { Encoder };
