import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.emit("text", "hello");
socket.emit("text", "hello", "again"); // wrong: TS2554
