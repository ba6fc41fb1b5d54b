// The package as an ES module.

import io from './lib/index.js';

export const { Server, Namespace, Socket, BroadcastOperator, RemoteSocket } = io;
