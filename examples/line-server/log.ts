// log: what was said, in order, in a Redis stream that all instances read and write.
//
//   append (once a line) --> hf:{cluster}:talk:log --> since(id), page by page
//
//   G1. A connection's line is appended once, whichever instance brings it and however often: its newest line number is kept beside
//       the log, and numbers only grow.
//   G2. The log keeps about `kept` entries. A client that was away from every instance for longer misses what is older.

import { type House, key, Script } from "headframe/wiring";
import { z } from "zod";

export interface Said {
  readonly room: string;
  readonly text: string;
}

export interface Entry extends Said {
  readonly id: string;
}

/** Everything after that id, up to the last of the entries. */
export interface Page {
  readonly after: string;
  readonly entries: readonly Entry[];
}

/** Of two ids of a Redis stream. */
export function comesAfter(id: string, than: string): boolean {
  const [ms = 0, sequence = 0] = id.split("-").map(Number);
  const [thanMs = 0, thanSequence = 0] = than.split("-").map(Number);
  return ms > thanMs || (ms === thanMs && sequence > thanSequence);
}

/** One script, because between a look at the number and the append another instance could do the same. */
const append = new Script(
  "talk/append",
  `
-- KEYS[1] log   KEYS[2] newest line of the connection
-- ARGV[1] line number   ARGV[2] room   ARGV[3] text   ARGV[4] entries kept   ARGV[5] how long the number is remembered, ms
if tonumber(ARGV[1]) <= tonumber(redis.call('GET', KEYS[2]) or 0) then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[5])
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', 'room', ARGV[2], 'text', ARGV[3])
return 1
`,
);

/** Much longer than any line may be on its way. */
const REMEMBER_MS = 3_600_000;
/** Entries a read: some 100 kB. */
const PAGE = 1_000;

const entries = z.array(z.tuple([z.string(), z.tuple([z.literal("room"), z.string(), z.literal("text"), z.string()])]));

export class Log {
  /** The last entry that was seen here. */
  end = "0-0";

  private constructor(
    private readonly house: Pick<House, "redis" | "cluster" | "log">,
    private readonly kept: number,
  ) {}

  static async open(house: Pick<House, "redis" | "cluster" | "log">, kept: number): Promise<Log> {
    const log = new Log(house, kept);
    const [last] = await house.redis.state.xrevrange(log.#key("log"), "+", "-", "COUNT", 1);
    if (last) log.end = last[0];
    return log;
  }

  /** @throws {Error} when Redis has not taken it, or nobody knows: then once more. */
  async append(connection: string, line: number, { room, text }: Said): Promise<void> {
    const keys = [this.#key("log"), this.#key("line", connection)];
    await append.run(this.house.redis.state, keys, [line, room, text, this.kept, REMEMBER_MS]);
  }

  /** Pages of what came after `id`; ends where Redis is away, too: it is asked again soon. */
  async *since(id: string): AsyncGenerator<Page> {
    for (let after = id; ; ) {
      const entries = await this.#pageNow(after);
      const last = entries.at(-1);
      if (!last) return;
      if (comesAfter(last.id, this.end)) this.end = last.id;
      yield { after, entries };
      after = last.id;
    }
  }

  async #pageNow(after: string): Promise<readonly Entry[]> {
    try {
      return await this.#page(after);
    } catch (error) {
      this.house.log.debug({ err: error }, "the log was not read; once more soon");
      return [];
    }
  }

  async #page(after: string): Promise<readonly Entry[]> {
    const found = await this.house.redis.state.xrange(this.#key("log"), `(${after}`, "+", "COUNT", PAGE);
    return entries.parse(found).map(([id, [, room, , text]]) => ({ id, room, text }));
  }

  #key(...parts: readonly string[]): string {
    return key(this.house.cluster, "talk", ...parts);
  }
}
