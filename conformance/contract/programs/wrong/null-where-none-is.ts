import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.emit("two", 1, null);
socket.emit("text", null); // wrong: TS2345
