// The names of events that are the library's.

'use strict';

/** Those that a program cannot emit to clients. */
const RESERVED = new Set(['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']);

module.exports = { RESERVED };
