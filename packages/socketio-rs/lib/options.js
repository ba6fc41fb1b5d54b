// The options of a server: which there are, and which of them are the core's.

'use strict';

/** Those that the core takes, by the same names. */
const CORE = [
  'path', 'pingInterval', 'pingTimeout', 'upgradeTimeout', 'connectTimeout', 'maxReadPause', 'writeTimeout',
  'allowEIO3', 'allowUpgrades', 'rootFirst', 'transports', 'cookie', 'perMessageDeflate', 'httpCompression',
  'connectionStateRecovery', 'threads', 'maxInboundBatch', 'maxNamespaces', 'maxDynamicNamespaces',
  'maxDynamicNamespacesPerAddress', 'maxRooms', 'maxRoomLen', 'maxAuthBytes', 'maxDepth', 'maxArgs',
  'maxAttachments', 'maxPacketBytes', 'maxNamespaceLen', 'maxEventLen', 'maxHttpBufferSize', 'maxOutboundBytes',
  'maxOutboundPackets', 'maxTotalOutboundBytes', 'maxTotalInboundBytes', 'maxPacketsPerPayload',
  'maxFramesPerMessage', 'maxSessions', 'maxSessionsPerAddress', 'maxConnections', 'maxConnectionsPerAddress',
  'maxPacketsPerPoll', 'trustedProxies', 'slowConsumer',
];

/**
 * What the core is made with.
 * @param {object} options the user's, with the defaults of the generation
 */
function coreOptions(options) {
  const core = {};
  for (const name of CORE) {
    const value = options[name];
    if (value === undefined || typeof value === 'function') continue;
    if (name === 'transports') {
      core[name] = value.filter((transport) => transport !== 'webtransport');
    } else if (typeof value === 'number' && !Number.isFinite(value)) {
      throw new RangeError(`option ${name}: ${value} is no number that makes sense`);
    } else {
      core[name] = value;
    }
  }
  if (options.perMessageDeflate === true) core.perMessageDeflate = {};
  if (options.httpCompression === true) core.httpCompression = {};
  if (options.connectionStateRecovery === true) core.connectionStateRecovery = {};
  if (core.connectionStateRecovery) {
    core.connectionStateRecovery = { skipMiddlewares: true, ...core.connectionStateRecovery };
  }
  if (options.parser !== undefined) {
    if (typeof options.parser !== 'string') {
      throw new TypeError('option parser: packets are decoded by the core, which knows "json" and "msgpack"');
    }
    core.parser = options.parser;
  }
  if (options.adapter && options.adapter.redis) core.redis = options.adapter.redis;
  return core;
}

module.exports = { coreOptions };
