import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
const note = { title: "t", lineCount: 1 };
socket.emit("save", note, (answer) => {
  if (answer.ok) return;
  if (answer.error.code === "full") return;
  console.log(answer.error.by); // wrong: TS2339
});
