import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.on("new note", (from: string) => from.trim());
socket.on("new note", (from: number) => from.toFixed()); // wrong: TS2345
