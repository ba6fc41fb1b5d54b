// The load generator's events on socket.io 2.0.4: node server.js PORT
"use strict";
const http = require("http").createServer();
// `ws`, because its default engine, uws, was withdrawn from npm.
const io = require("socket.io")(http, { serveClient: false, wsEngine: "ws", perMessageDeflate: false });
io.on("connection", (socket) => {
  socket.on("echo", (data) => socket.emit("echo", data));
  socket.on("ack", (data, answer) => answer(data));
  socket.on("bcast", (data) => io.emit("msg", data));
  socket.on("rcast", (data) => io.to("all").emit("msg", data));
  socket.on("join", (room, answer) => socket.join(room, () => answer()));
});
http.listen(Number(process.argv[2]), "127.0.0.1");
