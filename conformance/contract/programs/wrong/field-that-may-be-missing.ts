import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.on("new note", (_, note) => note.parent?.title.trim());
socket.on("new note", (_, note) => note.parent.title.trim()); // wrong: TS18047
