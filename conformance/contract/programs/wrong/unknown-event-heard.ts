import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.on("new note", () => {});
socket.on("old note", () => {}); // wrong: TS2345
