import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
void socket.emitWithAck("length", "text").then((length) => length.toFixed());
void socket.emitWithAck("length", "text").then((length) => length.trim()); // wrong: TS2339
