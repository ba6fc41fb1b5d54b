import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.emit("length", "text", (length) => length.toFixed());
socket.emit("length", "text", (length: string) => length.trim()); // wrong: TS2345
