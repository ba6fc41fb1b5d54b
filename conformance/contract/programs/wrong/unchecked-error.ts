import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
const note = { title: "t", lineCount: 1 };
socket.emit("save", note, (answer) => {
  console.log(answer.value.id); // wrong: TS2339
});
