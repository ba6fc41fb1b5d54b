// The adapter over Redis, which is the core's: `new Server({ adapter: redis({ url }) })`.

'use strict';

/**
 * @param {{ url: string, key?: string, requestsTimeout?: number, dialect?: '2' | '4' }} options
 * @returns what the option `adapter` of a server takes
 */
function redis(options) {
  if (!options || typeof options.url !== 'string') throw new TypeError('redis: the option `url` is wanted');
  return { redis: { ...options } };
}

module.exports = { redis };
