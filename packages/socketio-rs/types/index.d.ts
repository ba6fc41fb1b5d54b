// Types of the API of 4.x.

import { EventEmitter } from 'node:events';
import { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http';
import { Server as HttpsServer } from 'node:https';

export type EventsMap = { [event: string]: any };
export interface DefaultEventsMap { [event: string]: (...args: any[]) => void }
type Names<M> = keyof M & string;
type Params<M, E extends keyof M> = M[E] extends (...args: infer A) => any ? A : never;
type WithoutLast<T extends any[]> = T extends [...infer Rest, any] ? Rest : T;
type LastCallback<T extends any[]> = T extends [...any[], (...args: infer A) => any] ? A : any[];

export interface Handshake {
  headers: IncomingMessage['headers'];
  time: string;
  address: string;
  xdomain: boolean;
  secure: boolean;
  issued: number;
  url: string;
  query: { [name: string]: string | string[] | undefined };
  auth: { [name: string]: any };
}

export interface CookieOptions {
  name?: string;
  path?: string | null;
  domain?: string;
  httpOnly?: boolean;
  secure?: boolean;
  partitioned?: boolean;
  maxAge?: number;
  sameSite?: boolean | 'strict' | 'lax' | 'none';
}

export interface CorsOptions {
  origin?: boolean | string | RegExp | Array<string | RegExp> | ((origin: string | undefined, done: (error: Error | null, origin?: any) => void) => void);
  methods?: string | string[];
  allowedHeaders?: string | string[];
  exposedHeaders?: string | string[];
  credentials?: boolean;
  maxAge?: number;
  preflightContinue?: boolean;
  optionsSuccessStatus?: number;
}

/** Times are in milliseconds, sizes in bytes. */
export interface ServerOptions {
  /** The path of the engine (`/socket.io`). */
  path?: string;
  /** Whether the client's files are served (true). */
  serveClient?: boolean;
  /** A listener of the core's own instead of an `http.Server`: for a port, without functions that see requests (false). */
  native?: boolean;
  /** The address to listen on, with a port (all). */
  host?: string;
  /** The adapter: in memory, that of `socketio-rs/redis`, or a class of JavaScript. */
  adapter?: { redis: object } | (new (nsp: any) => any);
  /** How packets are written ("json"). */
  parser?: 'json' | 'msgpack';
  connectTimeout?: number;
  pingInterval?: number;
  pingTimeout?: number;
  upgradeTimeout?: number;
  maxHttpBufferSize?: number;
  transports?: Array<'polling' | 'websocket' | 'webtransport'>;
  allowUpgrades?: boolean;
  allowEIO3?: boolean;
  cookie?: boolean | string | CookieOptions;
  cors?: CorsOptions | ((req: IncomingMessage, done: (error: Error | null, options?: CorsOptions) => void) => void);
  allowRequest?: (req: IncomingMessage, done: (message: string | null | undefined, success: boolean) => void) => void;
  perMessageDeflate?: boolean | { threshold?: number; zlibDeflateOptions?: { level?: number } };
  httpCompression?: boolean | { threshold?: number };
  connectionStateRecovery?: boolean | { maxDisconnectionDuration?: number; skipMiddlewares?: boolean };
  cleanupEmptyChildNamespaces?: boolean;
  destroyUpgrade?: boolean;
  destroyUpgradeTimeout?: number;
  addTrailingSlash?: boolean;
  /** Threads of the core, of the whole process; the first server decides (one less than cores, at most 4). */
  threads?: number;
  /** Bytes that may wait for JavaScript before clients are not read (8 MiB). */
  maxInboundBatch?: number;
  maxReadPause?: number;
  writeTimeout?: number;
  maxOutboundBytes?: number;
  maxOutboundPackets?: number;
  maxTotalOutboundBytes?: number;
  maxTotalInboundBytes?: number;
  maxSessions?: number;
  maxSessionsPerAddress?: number;
  maxConnections?: number;
  maxConnectionsPerAddress?: number;
  maxNamespaces?: number;
  maxDynamicNamespaces?: number;
  maxDynamicNamespacesPerAddress?: number;
  maxRooms?: number;
  maxRoomLen?: number;
  maxAuthBytes?: number;
  maxDepth?: number;
  maxArgs?: number;
  maxAttachments?: number;
  maxPacketBytes?: number;
  maxNamespaceLen?: number;
  maxEventLen?: number;
  maxPacketsPerPayload?: number;
  maxPacketsPerPoll?: number;
  maxFramesPerMessage?: number;
  trustedProxies?: string[];
  slowConsumer?: 'disconnect' | 'dropNewest' | 'dropOldest';
}

export interface Conn extends EventEmitter {
  readonly id: string;
  readonly protocol: number;
  readonly readyState: 'open' | 'closing' | 'closed';
  readonly request: IncomingMessage;
  readonly remoteAddress: string;
  readonly transport: { name: string; writable: boolean };
  /** Bytes that wait to be sent. */
  readonly queuedBytes: number;
  send(data: string | Uint8Array): this;
  close(): void;
}

export interface Engine extends EventEmitter {
  opts: ServerOptions;
  generateId?: (req: IncomingMessage) => string | Promise<string>;
  readonly clientsCount: number;
  use(fn: (req: IncomingMessage, res: ServerResponse, next: (error?: any) => void) => void): void;
  close(): this;
}

export interface Client {
  readonly id: string;
  readonly conn: Conn;
  readonly request: IncomingMessage;
}

export class BroadcastOperator<EmitEvents extends EventsMap = DefaultEventsMap, SocketData = any> {
  to(room: string | string[]): BroadcastOperator<EmitEvents, SocketData>;
  in(room: string | string[]): BroadcastOperator<EmitEvents, SocketData>;
  except(room: string | string[]): BroadcastOperator<EmitEvents, SocketData>;
  compress(compress: boolean): BroadcastOperator<EmitEvents, SocketData>;
  timeout(timeout: number): BroadcastOperator<EmitEvents, SocketData>;
  get volatile(): BroadcastOperator<EmitEvents, SocketData>;
  get local(): BroadcastOperator<EmitEvents, SocketData>;
  emit<E extends Names<EmitEvents>>(event: E, ...args: Params<EmitEvents, E>): boolean;
  emit<E extends Names<EmitEvents>>(event: E, ...args: [...WithoutLast<Params<EmitEvents, E>>, (error: Error | null, responses: any[]) => void]): boolean;
  emitWithAck<E extends Names<EmitEvents>>(event: E, ...args: any[]): Promise<any[]>;
  allSockets(): Promise<Set<string>>;
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]>;
  socketsJoin(room: string | string[]): void;
  socketsLeave(room: string | string[]): void;
  disconnectSockets(close?: boolean): void;
}

export class RemoteSocket<EmitEvents extends EventsMap = DefaultEventsMap, SocketData = any> {
  readonly id: string;
  readonly handshake: Handshake;
  readonly rooms: Set<string>;
  readonly data: SocketData;
  emit<E extends Names<EmitEvents>>(event: E, ...args: Params<EmitEvents, E>): boolean;
  emitWithAck<E extends Names<EmitEvents>>(event: E, ...args: any[]): Promise<any>;
  timeout(timeout: number): BroadcastOperator<EmitEvents, SocketData>;
  join(room: string | string[]): void;
  leave(room: string): void;
  disconnect(close?: boolean): this;
}

export class Socket<ListenEvents extends EventsMap = DefaultEventsMap, EmitEvents extends EventsMap = ListenEvents, ServerSideEvents extends EventsMap = DefaultEventsMap, SocketData = any> extends EventEmitter {
  readonly nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  readonly id: string;
  readonly client: Client;
  readonly conn: Conn;
  readonly request: IncomingMessage;
  readonly handshake: Handshake;
  readonly rooms: Set<string>;
  readonly connected: boolean;
  readonly disconnected: boolean;
  readonly recovered: boolean;
  data: Partial<SocketData>;
  on<E extends Names<ListenEvents>>(event: E, listener: ListenEvents[E]): this;
  on(event: 'disconnect' | 'disconnecting', listener: (reason: string, description?: any) => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
  emit<E extends Names<EmitEvents>>(event: E, ...args: Params<EmitEvents, E>): boolean;
  emitWithAck<E extends Names<EmitEvents>>(event: E, ...args: WithoutLast<Params<EmitEvents, E>>): Promise<LastCallback<Params<EmitEvents, E>>[0]>;
  send(...args: any[]): this;
  write(...args: any[]): this;
  to(room: string | string[]): BroadcastOperator<EmitEvents, SocketData>;
  in(room: string | string[]): BroadcastOperator<EmitEvents, SocketData>;
  except(room: string | string[]): BroadcastOperator<EmitEvents, SocketData>;
  get broadcast(): BroadcastOperator<EmitEvents, SocketData>;
  get local(): BroadcastOperator<EmitEvents, SocketData>;
  get volatile(): this;
  compress(compress: boolean): this;
  timeout(timeout: number): this;
  join(rooms: string | string[]): Promise<void> | void;
  leave(rooms: string | string[]): Promise<void> | void;
  disconnect(close?: boolean): this;
  use(fn: (event: [string, ...any[]], next: (error?: Error) => void) => void): this;
  onAny(listener: (...args: any[]) => void): this;
  prependAny(listener: (...args: any[]) => void): this;
  offAny(listener?: (...args: any[]) => void): this;
  listenersAny(): Array<(...args: any[]) => void>;
  onAnyOutgoing(listener: (...args: any[]) => void): this;
  prependAnyOutgoing(listener: (...args: any[]) => void): this;
  offAnyOutgoing(listener?: (...args: any[]) => void): this;
  listenersAnyOutgoing(): Array<(...args: any[]) => void>;
}

export class Namespace<ListenEvents extends EventsMap = DefaultEventsMap, EmitEvents extends EventsMap = ListenEvents, ServerSideEvents extends EventsMap = DefaultEventsMap, SocketData = any> extends EventEmitter {
  readonly name: string;
  readonly sockets: Map<string, Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>;
  adapter: any;
  use(fn: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>, next: (error?: Error & { data?: any }) => void) => void): this;
  on(event: 'connect' | 'connection', listener: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void): this;
  on<E extends Names<ServerSideEvents>>(event: E, listener: ServerSideEvents[E]): this;
  emit<E extends Names<EmitEvents>>(event: E, ...args: Params<EmitEvents, E>): boolean;
  emitWithAck<E extends Names<EmitEvents>>(event: E, ...args: any[]): Promise<any[]>;
  send(...args: any[]): this;
  write(...args: any[]): this;
  to(room: string | string[]): BroadcastOperator<EmitEvents, SocketData>;
  in(room: string | string[]): BroadcastOperator<EmitEvents, SocketData>;
  except(room: string | string[]): BroadcastOperator<EmitEvents, SocketData>;
  compress(compress: boolean): BroadcastOperator<EmitEvents, SocketData>;
  timeout(timeout: number): BroadcastOperator<EmitEvents, SocketData>;
  get volatile(): BroadcastOperator<EmitEvents, SocketData>;
  get local(): BroadcastOperator<EmitEvents, SocketData>;
  serverSideEmit<E extends Names<ServerSideEvents>>(event: E, ...args: any[]): boolean;
  serverSideEmitWithAck<E extends Names<ServerSideEvents>>(event: E, ...args: any[]): Promise<any[]>;
  allSockets(): Promise<Set<string>>;
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]>;
  socketsJoin(room: string | string[]): void;
  socketsLeave(room: string | string[]): void;
  disconnectSockets(close?: boolean): void;
}

type Allow = (name: string, auth: { [key: string]: any }, next: (error: Error | null, success: boolean) => void) => void;

export interface Server<ListenEvents extends EventsMap = DefaultEventsMap, EmitEvents extends EventsMap = ListenEvents, ServerSideEvents extends EventsMap = DefaultEventsMap, SocketData = any> extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {}
export class Server<ListenEvents extends EventsMap = DefaultEventsMap, EmitEvents extends EventsMap = ListenEvents, ServerSideEvents extends EventsMap = DefaultEventsMap, SocketData = any> {
  constructor(options?: ServerOptions);
  constructor(server?: HttpServer | HttpsServer | number, options?: ServerOptions);
  readonly engine: Engine;
  readonly httpServer: HttpServer;
  attach(server: HttpServer | HttpsServer | number, options?: ServerOptions): this;
  listen(server: HttpServer | HttpsServer | number, options?: ServerOptions): this;
  /** Where it listens. */
  address(): { address: string; port: number } | undefined;
  of(name: string | RegExp | Allow, listener?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  close(done?: (error?: Error) => void): Promise<void>;
  path(): string;
  path(value: string): this;
  serveClient(): boolean;
  serveClient(value: boolean): this;
  connectTimeout(): number;
  connectTimeout(value: number): this;
}
