// The contract `chat`, version 1.0.0: written from its Rust source, not to be edited.
import type { Socket } from "socket.io-client";

/** Rooms in which people talk. Everybody is in one room at a time. */
export type ChatSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

/** The namespace of the contract. */
export type Namespace = "/";

/** What the client may send. */
export interface ClientToServerEvents {
  /** Takes a seat in a room, and leaves that of another one. */
  "join": (join: Join, ack: (answer: Ack<Joined, string>) => void) => void;
  /** Says something in the room. */
  "message": (text: string, ack: (answer: Ack<Sent, string>) => void) => void;
  /** Begins or ends to type. */
  "typing": (typing: boolean) => void;
}

/** What the client hears. */
export interface ServerToClientEvents {
  /** How many people are in each room. */
  "rooms": (counts: Record<string, number>) => void;
  "joined": (who: Presence) => void;
  "left": (who: Presence) => void;
  "message": (message: Message) => void;
  /** May be lost on the way. */
  "typing": (who: Typing) => void;
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

export interface Join {
  nickname: string;
  room: string;
}

/** What somebody sees who has joined a room. */
export interface Joined {
  history: Message[];
  members: string[];
  nickname: string;
  room: string;
}

/** What somebody said. */
export interface Message {
  /** Milliseconds since 1970. */
  at: number;
  from: string;
  text: string;
}

/** Somebody came or went, and who is in the room now. */
export interface Presence {
  members: string[];
  nickname: string;
}

export interface Sent {
  /** Milliseconds since 1970. */
  at: number;
}

export interface Typing {
  nickname: string;
  typing: boolean;
}
