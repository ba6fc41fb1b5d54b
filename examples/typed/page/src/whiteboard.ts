// The contract `whiteboard`, version 1.0.0: written from its Rust source, not to be edited.
import type { Socket } from "socket.io-client";

/** A shared whiteboard. */
export type WhiteboardSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

/** The namespace of the contract. */
export type Namespace = "/whiteboard";

/** What the client may send. */
export interface ClientToServerEvents {
  /** Comes to the board. */
  "join": (name: string, ack: (answer: Ack<Joined, JoinError>) => void) => void;
  /** Draws a piece of a line. */
  "draw": (stroke: Stroke) => void;
  /** Moves the pointer. */
  "pointer": (at: Point) => void;
  /** Takes everything away. */
  "clear": (ack: () => void) => void;
}

/** What the client hears. */
export interface ServerToClientEvents {
  "joined": (person: Person) => void;
  "left": (id: string) => void;
  "drawn": (stroke: Stroke) => void;
  /** May be lost on the way. */
  "pointer": (id: string, at: Point) => void;
  "cleared": (by: string) => void;
  /** An event was not valid; those with an `Ack` say it there. */
  "contract:error": (error: ContractError) => void;
}

/** An answer that says whether it is one of success. */
export type Answer<T, E> = { ok: true; value: T } | { ok: false; error: E };

/** The server's: it may also say that the event was invalid. */
export type Ack<T, E> = Answer<T, E | InvalidEvent>;

/** The event that was sent breaks the contract: a fault of the program. */
export interface InvalidEvent {
  code: "invalid";
  /** A JSON pointer into the arguments. */
  at: string;
  message: string;
}

/** Which event breaks the contract, and how. */
export interface ContractError {
  event: string;
  /** A JSON pointer into the arguments. */
  at: string;
  message: string;
}

export type Color = "ink" | "red" | "green" | "blue" | "yellow";

/** Why somebody cannot join. */
export type JoinError = { code: "taken"; by: string } | { code: "too_long"; most: number } | { code: "full" };

/** What somebody sees who comes. */
export interface Joined {
  people: Person[];
  strokes: Stroke[];
}

export interface Person {
  id: string;
  name: string;
}

/** A place on the board, from 0 to 1 in both directions. */
export interface Point {
  x: number;
  y: number;
}

/** A line, or a piece of one. */
export interface Stroke {
  color: Color;
  points: Point[];
  /** In pixels. */
  width: number;
}
