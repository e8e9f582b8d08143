// A private Redis: its configuration file. One per run, on loopback, behind a password of its own.

export interface PrivateRedis {
  readonly port: number;
  readonly password: string;
  readonly directory: string;
}

/** Writes every change to disk each second, so that a killed Redis comes back with what it had. */
export function redisConfiguration({ port, password, directory }: PrivateRedis): string {
  return [
    "bind 127.0.0.1",
    `port ${port}`,
    `requirepass ${password}`,
    `dir "${directory}"`,
    'save ""',
    "appendonly yes",
    "appendfsync everysec",
    "maxmemory 256mb",
    "maxmemory-policy noeviction", // Evicting keys would lose shares and sessions without a word.
    "daemonize no",
    "",
  ].join("\n");
}

export const redisUrl = ({ port, password }: PrivateRedis): string => `redis://:${password}@127.0.0.1:${port}`;
