import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.emit("big", "7");
socket.emit("big", 7); // wrong: TS2345
