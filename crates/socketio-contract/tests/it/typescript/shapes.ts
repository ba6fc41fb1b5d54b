// The contract `shapes`, version 3.1.4: written from its Rust source, not to be edited.
import type { Socket } from "socket.io-client";

/** All kinds of types. */
export type ShapesSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

/** The namespace of the contract. */
export type Namespace = "/shapes";

/** What the client may send. */
export interface ClientToServerEvents {
  "settings": (settings: SettingsIn, ack: (settings: ProfileOut) => void) => void;
  /**
   * Several
   * lines.
   */
  "profile": (profile: ProfileIn) => void;
  "kinds": (a: External, b: Adjacent, c: Internal, d: Untagged) => void;
  "tree": (theTree: Tree) => void;
  "bytes": (type: ArrayBuffer | Uint8Array, list: (ArrayBuffer | Uint8Array)[]) => void;
  "numbers": (i: number /* 64 bits: exact to 2^53 */, u: number /* 64 bits: exact to 2^53 */ | null, big: string) => void;
  "optional": (first: number, second?: number | null, third?: number[] | null) => void;
  "optional_with_ack": (first: number | null, ack: (optionalWithAck: number | null) => void) => void;
  "keyword": (default_: number, ack: number, ack_: () => void) => void;
  "anything": (value?: unknown /* Value */) => void;
  "plain": (pair: [number, [string, Tool][]], three: [(boolean | null), (boolean | null), (boolean | null)]) => void;
}

/** What the client hears. */
export interface ServerToClientEvents {
  "profile changed": (profile: ProfileOut, tools: Tool[], name: string | null) => void;
  "ask \"this\"": (what: string, ack: (answer: Answer<SettingsIn, string>) => void) => void;
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

export type Adjacent = { kind: "Unit" } | { kind: "One"; data: Point[] } | { kind: "Fields"; data: { a: boolean } };

export type External = "Unit" | { One: Point } | { Pair: [number, string] } | { Fields: { tool: Tool } };

export type Internal = { kind: "Unit" } | Point & { kind: "Of" } | { kind: "Fields"; a?: boolean | null };

export interface Point {
  "not an identifier": number;
  x: number;
}

/** Has two forms because a part of it has. */
export type ProfileIn = { settings: SettingsIn } & Record<string, unknown>;

/** Has two forms because a part of it has. */
export type ProfileOut = { settings: SettingsOut } & Record<string, unknown>;

/** Read as it may be incomplete, written as it is. */
export interface SettingsIn {
  /**
   * How it looks.
   *
   * Not a `*\/` of the language.
   */
  darkMode?: boolean;
  fontSize?: number | null;
}

/** Read as it may be incomplete, written as it is. */
export interface SettingsOut {
  /**
   * How it looks.
   *
   * Not a `*\/` of the language.
   */
  darkMode: boolean;
  size: number | null;
}

export type Tool = "pen" | "eraser";

export interface Tree {
  anything: unknown /* Tree.anything */;
  array: [number, number, number];
  by_name: Record<string, Tool>;
  by_number: Record<string, string>;
  children: Tree[];
  maybe?: Untagged | null;
  parent: Wrapper;
  tuple: [number, string | null];
  unit: null;
}

export type Untagged = number | string[] | null;

export type Wrapper = Tree;
