// memory: what the controller of HAProxy remembers over its own restarts, in one private file beside HAProxy's own.
//
// Without it a restarted controller would let banned addresses in, and would take off keepers whose edges are just being replaced.

import { readFile } from "node:fs/promises";
import { z } from "zod";
import { epochMs, haproxy } from "../lib/contracts/index.js";
import { putAside } from "../lib/core/aside.js";
import { replaceFile } from "./controller.js";
import { keeperPlace } from "./settings.js";

const memory = z.object({
  keepers: z.array(keeperPlace).default([]),
  bans: z.array(haproxy.pushes.banned.message.extend({ changedAt: epochMs })).default([]),
});
export type Memory = z.output<typeof memory>;

const NOTHING: Memory = { keepers: [], bans: [] };

export class MemoryFile {
  /** As it was read or written last. */
  #text: string | undefined;

  constructor(
    readonly path: string,
    /** The file could not be read, and is kept elsewhere. */
    private readonly onUnreadable: (kept: string) => void = () => {},
  ) {}

  /** What another process wrote since; an unreadable file is an empty one, for it can be learnt again. */
  async news(): Promise<Memory> {
    const text = await readFile(this.path, "utf8").catch(() => undefined);
    if (text === this.#text || text === undefined) {
      this.#text = text;
      return NOTHING;
    }
    this.#text = text;
    try {
      return memory.parse(JSON.parse(text));
    } catch {
      const kept = putAside(this.path);
      if (kept !== undefined) this.onUnreadable(kept);
      this.#text = undefined;
      return NOTHING;
    }
  }

  /** Does nothing when the file says so already. */
  async write(next: { readonly keepers: readonly string[]; readonly bans: Memory["bans"] }): Promise<void> {
    const text = `${JSON.stringify(next)}\n`;
    if (text === this.#text) return;
    await replaceFile(this.path, text);
    this.#text = text;
  }
}
