import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.emit("color", "red");
socket.emit("color", "green"); // wrong: TS2345
