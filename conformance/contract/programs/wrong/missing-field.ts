import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.emit("point", { x: 1, y: 1 });
socket.emit("point", { x: 1 }); // wrong: TS2345
