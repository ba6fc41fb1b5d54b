// The load generator's broadcasts on socket.io 4 with @socket.io/redis-adapter: node server.js PORT REDIS
"use strict";
const [port, url] = process.argv.slice(2);
const http = require("http").createServer();
const Redis = require("ioredis");
const { createAdapter } = require("@socket.io/redis-adapter");
const { Server } = require("socket.io");
const [publisher, subscriber] = [new Redis(url), new Redis(url)];
const io = new Server(http, { serveClient: false, allowEIO3: true, maxHttpBufferSize: 1e7 });
io.adapter(createAdapter(publisher, subscriber));
io.on("connection", (socket) => {
  socket.on("echo", (data) => socket.emit("echo", data));
  socket.on("bcast", (data) => io.emit("msg", data));
  socket.on("rcast", (data) => io.to("all").emit("msg", data));
  socket.on("join", (room, answer) => {
    socket.join(room);
    answer();
  });
});
// What the other node sends arrives from now on.
subscriber.ping().then(() => http.listen(Number(port), "127.0.0.1"));
