import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.emit("change", { kind: "count", data: 1 });
socket.emit("change", { kind: "count" }); // wrong: TS2345
