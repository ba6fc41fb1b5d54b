import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.emit("length", "text", () => {});
socket.emit("length", "text"); // wrong: TS2554
