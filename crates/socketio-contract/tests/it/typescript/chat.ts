// The contract `chat`, version 1.0.0: written from its Rust source, not to be edited.
import type { Socket } from "socket.io-client";

export type ChatSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

/** The namespace of the contract. */
export type Namespace = "/";

/** What the client may send. */
export interface ClientToServerEvents {
  /** Says something to the lobby. */
  "chat message": (text: string) => void;
  "add user": (name: string, ack: (answer: Ack<Welcome, NameError>) => void) => void;
}

/** What the client hears. */
export interface ServerToClientEvents {
  "chat message": (from: string, text: string) => void;
  "user left": (id: string, why: string) => void;
  "how are you?": (ack: (mood: string) => void) => void;
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

export type NameError = { code: "taken"; by: string } | { code: "too_long" };

export interface Welcome {
  name: string;
  others: number;
}
