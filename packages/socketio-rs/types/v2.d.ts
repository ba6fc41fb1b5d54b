// Types of the API of 2.x.

import { EventEmitter } from 'node:events';
import { IncomingMessage, Server as HttpServer } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { Client, Conn, Engine, Handshake, ServerOptions as Options } from './index';

declare namespace io {
  interface ServerOptions extends Options {
    origins?: string | string[] | ((origin: string, done: (error: any, success: boolean) => void) => void);
  }

  interface Namespace extends EventEmitter {
    readonly name: string;
    readonly connected: { [id: string]: Socket };
    readonly sockets: { [id: string]: Socket };
    readonly volatile: Namespace;
    readonly local: Namespace;
    readonly json: Namespace;
    use(fn: (socket: Socket, next: (error?: any) => void) => void): this;
    to(room: string): this;
    in(room: string): this;
    emit(event: string, ...args: any[]): this;
    send(...args: any[]): this;
    write(...args: any[]): this;
    compress(compress: boolean): this;
    clients(done: (error: any, ids: string[]) => void): this;
  }

  interface Socket extends EventEmitter {
    readonly id: string;
    readonly nsp: Namespace;
    readonly client: Client;
    readonly conn: Conn;
    readonly request: IncomingMessage;
    readonly handshake: Handshake;
    readonly rooms: { [room: string]: string };
    readonly connected: boolean;
    readonly disconnected: boolean;
    readonly volatile: Socket;
    readonly broadcast: Socket;
    readonly local: Socket;
    readonly json: Socket;
    use(fn: (event: any[], next: (error?: any) => void) => void): this;
    to(room: string): this;
    in(room: string): this;
    emit(event: string, ...args: any[]): this;
    send(...args: any[]): this;
    write(...args: any[]): this;
    join(room: string | string[], done?: (error?: any) => void): this;
    leave(room: string, done?: (error?: any) => void): this;
    leaveAll(): void;
    compress(compress: boolean): this;
    disconnect(close?: boolean): this;
  }

  interface Server extends Namespace {
    readonly engine: Engine;
    readonly eio: Engine;
    readonly httpServer: HttpServer;
    readonly nsps: { [name: string]: Namespace };
    attach(server: HttpServer | HttpsServer | number, options?: ServerOptions): Server;
    listen(server: HttpServer | HttpsServer | number, options?: ServerOptions): Server;
    of(name: string | RegExp | ((name: string, query: any, next: (error: any, success: boolean) => void) => void), listener?: (socket: Socket) => void): Namespace;
    close(done?: (error?: Error) => void): Promise<void>;
    origins(): any;
    origins(value: ServerOptions['origins']): Server;
    path(): string;
    path(value: string): Server;
    serveClient(): boolean;
    serveClient(value: boolean): Server;
    set(key: string, value: any): Server;
  }
}

interface Constructor {
  (options?: io.ServerOptions): io.Server;
  (server?: HttpServer | HttpsServer | number, options?: io.ServerOptions): io.Server;
  new (options?: io.ServerOptions): io.Server;
  new (server?: HttpServer | HttpsServer | number, options?: io.ServerOptions): io.Server;
}

declare const io: Constructor;
export = io;
