// Doorman: decides for one listener who may call, by the list of keys, and says whom it sent away.
//
//   zap.ts --key, address--> Doorman --> KeyList
//
// A caller that is refused comes again every second: every refusal is counted, each key is said once.

import type { Log } from "../house.js";
import type { Tally } from "../nexus/tally.js";
import type { KeyList } from "./curve.js";
import type { Guard } from "./zap.js";

/** Keys that are said at most: somebody may come with a new one every time. */
const NAMED_MAX = 100;

export class Doorman implements Guard {
  readonly #named = new Set<string>();

  constructor(
    private readonly list: KeyList,
    private readonly parts: { readonly log: Log; readonly tally: Tally },
  ) {}

  admits(key: string, address: string): boolean {
    if (this.list.admits(key)) {
      this.#named.delete(key); // Refused again later, it is said again.
      return true;
    }
    const { log, tally } = this.parts;
    tally.count("wiring.keys_refused", { side: "caller" });
    if (!this.#named.has(key) && this.#named.size < NAMED_MAX) {
      this.#named.add(key);
      log.warn({ key, address }, "a caller was refused: its key is not on the list of allowed keys (curve.allow)");
    }
    return false;
  }
}
