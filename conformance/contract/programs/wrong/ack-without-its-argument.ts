import { io } from "socket.io-client";
import type { FixtureSocket } from "contract";

const socket: FixtureSocket = io();
socket.on("how are you?", (hour, ack) => ack(String(hour)));
socket.on("how are you?", (hour, ack) => ack()); // wrong: TS2554
