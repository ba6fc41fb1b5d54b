// The load generator's events on socket.io 4 over @socket.io/bun-engine: bun server.js PORT
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";

const io = new Server();
const engine = new Engine({ path: "/socket.io/", maxHttpBufferSize: 1e7 });
io.bind(engine);
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
Bun.serve({ port: Number(process.argv[2]), hostname: "127.0.0.1", ...engine.handler() });
