import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.emit("pair", [1, "one"]);
socket.emit("pair", [1]); // wrong: TS2345
