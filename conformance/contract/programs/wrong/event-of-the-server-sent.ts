import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.emit("nothing");
socket.emit("new note", "id"); // wrong: TS2345
