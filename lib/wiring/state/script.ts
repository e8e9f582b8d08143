// Script: a Lua script that runs inside Redis, atomically, called by its hash and sent whole only when Redis has not seen it.
//
// Redis forgets scripts when it restarts; the answer NOSCRIPT means that nothing ran, so sending the source then is safe.

import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import { messageOf } from "../../thrown.js";

export type ScriptArgument = string | number | Buffer;

export class Script {
  readonly #sha: string;

  /** @param name For messages: `reporter/record`. */
  constructor(
    readonly name: string,
    private readonly lua: string,
  ) {
    this.#sha = createHash("sha1").update(lua).digest("hex");
  }

  /** Replies with strings and numbers. @throws what Redis or the connection said, the script's name in front. */
  run(redis: Redis, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    return this.#run(redis, keys, args, (command, all) => redis.call(command, all));
  }

  /** The same, but strings come as Buffers: for values that are bytes. */
  runForBytes(redis: Redis, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    return this.#run(redis, keys, args, (command, all) => redis.callBuffer(command, all));
  }

  async #run(
    redis: Redis,
    keys: readonly string[],
    args: readonly ScriptArgument[],
    call: (command: string, all: ScriptArgument[]) => Promise<unknown>,
  ): Promise<unknown> {
    // The client would say so too, in words that help nobody, and leave the command's timer running.
    if (redis.options.enableOfflineQueue === false && redis.status !== "ready") {
      throw new Error(`script ${this.name}: Redis is away (${redis.status})`);
    }
    const rest = [keys.length, ...keys, ...args];
    try {
      return await call("EVALSHA", [this.#sha, ...rest]);
    } catch (error) {
      if (!isNoScript(error)) throw named(this.name, keys, error);
    }
    try {
      return await call("EVAL", [this.lua, ...rest]);
    } catch (error) {
      throw named(this.name, keys, error);
    }
  }
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

/** Redis does not say which key is of the wrong type. */
const NAMELESS = "WRONGTYPE Operation against a key";

function named(name: string, keys: readonly string[], error: unknown): Error {
  const why = messageOf(error);
  const which = why.startsWith(NAMELESS)
    ? `. Somebody else writes to one of ${keys.join(", ")}: look with TYPE, then rename or delete it`
    : "";
  return new Error(`script ${name}: ${why}${which}`, { cause: error });
}
