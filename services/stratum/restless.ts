// restless: the connections that must hear something of their own before the next job does them any good. Pure.
//
//   a session changes --look--> owed a new difficulty? --> the set        sweep, every second --> due for vardiff? --> the set
//   a new notice --concerned--> the set; everybody, when the network or the mask changed under them
//
// Of ten thousand miners hardly one is owed a word when a tip comes. To ask each of them first would cost milliseconds, in which all of
// them work on a block that is stale.
//
//   R1. Whoever is owed a new difficulty is in the set: `look` is called with every new state of a session.
//   R2. A job that changes what any session is owed (D2 of difficulty.ts, version bits) concerns everybody.

import type { Difficulty, Job } from "../../lib/contracts/index.js";
import { effective } from "./difficulty.js";
import type { KnownJob } from "./jobs.js";
import type { Session } from "./session-state.js";
import type { ListenerRules } from "./settings.js";
import { due } from "./vardiff.js";

/** Of a connection, what is looked at here. */
interface Tuned {
  readonly session: Session;
  readonly rules: ListenerRules;
}

export class Restless<Connection extends Tuned> {
  readonly #set = new Set<Connection>();
  /** What the newest job that was told allowed. */
  #network: Difficulty | undefined;
  /** Of all sessions there ever were: what lies above it is no session's limit. */
  #hardest = 0;

  /** R1 */
  look(connection: Connection): void {
    const { session } = connection;
    if (session.phase !== "mining") return;
    const { difficulty, announced } = session;
    if (difficulty > this.#hardest) this.#hardest = difficulty;
    const owed = this.#network === undefined ? difficulty : effective(difficulty, { networkDifficulty: this.#network });
    if (announced !== owed) this.#set.add(connection);
  }

  /** Time passes: its difficulty may have to be thought over. */
  age(connection: Connection, nowMs: number): void {
    const { session, rules } = connection;
    if (session.phase === "mining" && due(rules.vardiff, session.window, nowMs)) this.#set.add(connection);
  }

  forget(connection: Connection): void {
    this.#set.delete(connection);
  }

  /**
   * Whom to prepare before this job is told. They are looked at anew afterwards.
   *
   * @param all Everybody there is (R2).
   * @param maskBefore Version bits of the job that was told last.
   */
  concerned(all: Iterable<Connection>, { job, networkDifficulty }: KnownJob, maskBefore: Job["versionMask"]) {
    const before = this.#network;
    this.#network = networkDifficulty;
    const same = before === networkDifficulty || Math.min(before ?? 0, networkDifficulty) >= this.#hardest;
    const concerned = same && job.versionMask === maskBefore ? [...this.#set] : all;
    this.#set.clear();
    return concerned;
  }
}
