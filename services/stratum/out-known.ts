// Questions about late shares: does one that came again stand in the log already?
//
//   judging -> known(claim) -> a queue -> (a tick) -> reporter.known -> true | false
//
//   K1. All that is asked in a tick, or while the last question is under way, is one question: after an outage a whole pool's shares
//       may come again at once, and be late.
//   K2. Asked for ASK_MS at most, in which a reporter without Redis cannot answer: then nobody knows, and the share is refused as late.
//       Its miner must not wait for Redis to be told so.

import type { Claim, ReporterContract } from "../../lib/contracts/index.js";
import { SHARES_MAX } from "../../lib/contracts/index.js";
import type { Client, Log } from "../../lib/wiring/index.js";

const ASK_MS = 400;

interface Waiting {
  readonly claim: Claim;
  readonly settle: (known: boolean) => void;
}

export class OutKnown {
  #queue: Waiting[] = [];
  #asking = false;

  constructor(
    private readonly reporter: Pick<Client<ReporterContract>, "call">,
    private readonly log: Log,
  ) {}

  /** Never rejects: what nobody can tell is not known. */
  known(claim: Claim): Promise<boolean> {
    return new Promise((settle) => {
      this.#queue.push({ claim, settle });
      if (this.#asking) return;
      this.#asking = true;
      setImmediate(() => void this.#askAll());
    });
  }

  async #askAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, SHARES_MAX);
      const known = await this.#ask(batch.map(({ claim }) => claim));
      batch.forEach(({ settle }, i) => void settle(known[i] === true));
    }
    this.#asking = false;
  }

  async #ask(claims: Claim[]): Promise<readonly boolean[]> {
    try {
      return (await this.reporter.call("known", { claims }, { timeoutMs: ASK_MS })).known;
    } catch (error) {
      this.log.debug({ err: error, claims: claims.length }, "nobody knows of late shares");
      return [];
    }
  }
}
