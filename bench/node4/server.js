// The load generator's events on socket.io 4: node server.js PORT [deflate]
"use strict";
const http = require("http").createServer();
const { Server } = require("socket.io");
// as the load generator asks for it, and our server has it by default
const alone = { serverNoContextTakeover: true, clientNoContextTakeover: true };
const perMessageDeflate = process.argv[3] === "deflate" && alone;
const options = { serveClient: false, allowEIO3: true, maxHttpBufferSize: 1e7, perMessageDeflate };
const io = new Server(http, options);
io.on("connection", (socket) => {
  socket.on("echo", (data) => socket.emit("echo", data));
  socket.on("ack", (data, answer) => answer(data));
  socket.on("bcast", (data) => io.emit("msg", data));
  socket.on("rcast", (data) => io.to("all").emit("msg", data));
  socket.on("join", (room, answer) => {
    socket.join(room);
    answer();
  });
});
http.listen(Number(process.argv[2]), "127.0.0.1");
