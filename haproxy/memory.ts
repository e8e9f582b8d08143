// memory: what the controller of HAProxy remembers over its own restarts, in one private file beside HAProxy's own.
//
// Without it a restarted controller would let banned addresses in, and would take off keepers whose edges are just being replaced.

import { readFile } from "node:fs/promises";
import { z } from "zod";
import { haproxy } from "../lib/contracts/index.js";
import { replaceFile } from "./controller.js";
import { keeperPlace } from "./settings.js";

const memory = z.object({
  keepers: z.array(keeperPlace).default([]),
  bans: z.array(haproxy.pushes.banned.message).default([]),
});
export type Memory = z.output<typeof memory>;

export class MemoryFile {
  #written = "";

  constructor(readonly path: string) {}

  /** What is there and makes sense; an unreadable file is an empty one, for it can be learnt again. */
  async read(): Promise<Memory> {
    try {
      return memory.parse(JSON.parse(await readFile(this.path, "utf8")));
    } catch {
      return { keepers: [], bans: [] };
    }
  }

  /** Does nothing when it is as it was. */
  async write(next: { readonly keepers: readonly string[]; readonly bans: Memory["bans"] }): Promise<void> {
    const text = `${JSON.stringify(next)}\n`;
    if (text === this.#written) return;
    await replaceFile(this.path, text);
    this.#written = text;
  }
}
