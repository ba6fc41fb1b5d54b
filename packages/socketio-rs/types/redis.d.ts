// Types of the adapter over Redis.

export interface RedisOptions {
  url: string;
  /** The prefix of channels (`socket.io`). */
  key?: string;
  /** How long other servers may take to answer, in milliseconds (5000). */
  requestsTimeout?: number;
  /** The line of the Node servers beside this one ("4"). */
  dialect?: '2' | '4';
}

export function redis(options: RedisOptions): { redis: RedisOptions };
