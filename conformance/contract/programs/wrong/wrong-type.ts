import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.emit("number", 7);
socket.emit("number", "7"); // wrong: TS2345
