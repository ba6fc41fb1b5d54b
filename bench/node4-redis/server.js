// The load generator's broadcasts on socket.io 4 with the adapters for Redis: node server.js PORT REDIS [classic|streams]
"use strict";
const [port, url, carrier = "classic"] = process.argv.slice(2);
const http = require("http").createServer();
const Redis = require("ioredis");
const classic = require("@socket.io/redis-adapter");
const streams = require("@socket.io/redis-streams-adapter");
const { Server } = require("socket.io");
const [publisher, subscriber] = [new Redis(url), new Redis(url)];
const io = new Server(http, { serveClient: false, allowEIO3: true, maxHttpBufferSize: 1e7 });
io.adapter(carrier === "streams" ? streams.createAdapter(publisher) : classic.createAdapter(publisher, subscriber));
io.on("connection", (socket) => {
  socket.on("echo", (data) => socket.emit("echo", data));
  socket.on("bcast", (data) => io.emit("msg", data));
  socket.on("rcast", (data) => io.to("all").emit("msg", data));
  socket.on("join", (room, answer) => {
    socket.join(room);
    answer();
  });
});
// What the other node sends arrives from now on; over streams, once the reader waits for it.
subscriber.ping().then(() => http.listen(Number(port), "127.0.0.1"));
