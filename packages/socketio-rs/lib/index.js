// The package as CommonJS: callable, as `require('socket.io')` is.

'use strict';

const { Server } = require('./server');
const { Namespace } = require('./namespace');
const { Socket } = require('./socket');
const { BroadcastOperator, RemoteSocket } = require('./operator');

module.exports = (srv, opts) => new Server(srv, opts);
module.exports.Server = Server;
module.exports.Namespace = Namespace;
module.exports.Socket = Socket;
module.exports.BroadcastOperator = BroadcastOperator;
module.exports.RemoteSocket = RemoteSocket;
