import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.emit("file", "name", new Uint8Array());
socket.emit("file", "name"); // wrong: TS2554
