// One share, from line to answer.
//
//   submit -> its job (book, or shared state) -> verify -> block? submit it at once -> recorded? -> answer, vardiff
//
//   S1. `true` is answered only after the reporter has said that the share is recorded (or was, by this very line).
//   S2. The tip and the worker are those of the moment at which the line came; the difficulty stands in the name of the work (S4).
//       A line that was given to another instance before may be recorded without having been answered. If it is stale by now, it
//       is looked up before it is refused: what stands in the log is answered `true`.
//   S3. A candidate goes to the daemons before any refusal is said, and nobody waits for the daemons.

import { chain, nowMs, type Share } from "../../lib/contracts/index.js";
import type { Connection, WaitingLine } from "./connections.js";
import type { Desk } from "./desk.js";
import { credited } from "./difficulty.js";
import type { KnownJob } from "./jobs.js";
import type { Recorded } from "./ports.js";
import * as encode from "./protocol/encode.js";
import { REFUSALS, type Refusal, refusal } from "./protocol/errors.js";
import type { Submit } from "./protocol/requests.js";
import { type Effect, type Mining, type Session, type Step, say } from "./session-state.js";
import { type Announced, readName } from "./variant.js";
import { type GoodShare, type Terms, type Verdict, verify } from "./verify.js";

export interface Ways {
  answer(connection: Connection, step: Step, line: WaitingLine): void;
  /** The line cannot even be refused: it is acknowledged without an answer. Never throws. */
  giveUp(connection: Connection, error: unknown, line: WaitingLine): void;
}

/** M1 of conduct.ts: its neighbours stay. */
const NEARLY_ALL_INVALID =
  "Nearly all shares of this connection were invalid: check its algorithm, its clock and its overclocking";
const FAREWELL: readonly Effect[] = [
  say(encode.showMessage(NEARLY_ALL_INVALID)),
  { kind: "close", text: NEARLY_ALL_INVALID },
];
const BROKEN = refusal("other", "The share could not be checked; it is not counted");

/** One share under way. `session` is that of the moment at which the line came (S2). */
interface Case {
  readonly connection: Connection;
  readonly session: Session;
  /** Of the request; its answer bears it. */
  readonly id: string;
  readonly submit: Submit;
  readonly line: WaitingLine;
  readonly startedMs: number;
}

export class Judging {
  constructor(
    private readonly desk: Desk,
    private readonly ways: Ways,
  ) {}

  /** Answers the line sooner or later, whatever happens. Without a promise for a share of a job that is known, on a cheap function. */
  start(connection: Connection, id: string, submit: Submit, line: WaitingLine): void {
    const it: Case = { connection, session: connection.session, id, submit, line, startedMs: performance.now() };
    try {
      const announced = readName(submit.job);
      const known = announced && this.desk.book.find(announced.job);
      if (announced && known) this.#weigh(it, known, announced);
      else if (announced) this.#later(it, this.#lookUp(it, announced));
      else this.#refuse(it, REFUSALS.jobNotFound);
    } catch (error) {
      this.#broken(it, error);
    }
  }

  async #lookUp(it: Case, announced: Announced): Promise<void> {
    const known = await this.desk.jobs.lookup(announced.job, it.connection.id);
    if (known) this.#weigh(it, known, announced);
    else this.#refuse(it, REFUSALS.jobNotFound);
  }

  #weigh(it: Case, known: KnownJob, announced: Announced): void {
    const { session, submit } = it;
    if (session.phase !== "mining") {
      this.#refuse(it, REFUSALS.jobNotFound);
      return;
    }
    const verdict = verify(known, submit, this.#terms(it, session, known, announced));
    if (!(verdict instanceof Promise)) this.#judged(it, known, verdict);
    else
      this.#later(
        it,
        verdict.then((late) => this.#judged(it, known, late)),
      );
  }

  #later(it: Case, doing: Promise<void>): void {
    doing.catch((error: unknown) => this.#broken(it, error));
  }

  #broken(it: Case, error: unknown): void {
    const { connection, submit } = it;
    try {
      this.desk.log.error({ err: error, connection: connection.id, submit }, "a share could not be judged");
      this.#refuse(it, BROKEN);
    } catch (second) {
      this.ways.giveUp(connection, second, it.line);
    }
  }

  #judged(it: Case, known: KnownJob, verdict: Verdict): void {
    const { connection, session, submit } = it;
    if (verdict.candidate)
      this.desk.blocks.submit(verdict.candidate, this.desk.finder(submit.worker, session.workers), connection.id); // S3
    if (verdict.kind === "share") this.#record(it, known, verdict);
    else if (it.line.again && verdict.refusal.reason === "stale" && verdict.identity)
      this.#later(it, this.#refuseUnlessKnown(it, known, verdict.refusal, verdict.identity));
    else this.#refuse(it, verdict.refusal, verdict.identity);
  }

  /** S2 */
  async #refuseUnlessKnown(it: Case, { job }: KnownJob, why: Refusal, identity: Uint8Array): Promise<void> {
    const { connection, line } = it;
    const claim = { identity, connection: connection.id, line: line.number, height: job.height };
    if (!(await this.desk.shares.known(claim))) {
      this.#refuse(it, why, identity);
      return;
    }
    this.#trace("accepted: it was recorded before", it, identity);
    this.#acceptAgain(it);
  }

  /** S2 */
  #terms({ connection, submit, startedMs }: Case, session: Mining, known: KnownJob, announced: Announced): Terms {
    const { book, settings, floor } = this.desk;
    const easier = announced.difficulty < (session.announced ?? Number.POSITIVE_INFINITY);
    return {
      extranonce1: session.extranonce1,
      authorized: authorized(session, submit.worker),
      live: book.live(known.job, startedMs, settings.staleGraceMs),
      spent: easier && !connection.easier.take(startedMs),
      ...{ announced, floor },
      versionMask: session.versionMask,
      timeAheadS: settings.timeAheadS,
    };
  }

  #record(it: Case, { job }: KnownJob, verdict: GoodShare): void {
    const { connection, line, submit } = it;
    const share: Share = {
      identity: verdict.identity,
      connection: connection.id,
      line: line.number,
      worker: submit.worker as Share["worker"], // Authorized, so it is one.
      job: job.id,
      height: job.height,
      difficulty: verdict.difficulty,
      achieved: verdict.achieved,
      at: nowMs(),
      block: verdict.candidate !== undefined,
    };
    this.desk.shares.record(share, chain.hashesPerDifficulty(job.proofOfWork), connection, (recorded) => {
      try {
        this.#settled(it, verdict, recorded);
      } catch (error) {
        this.#broken(it, error);
      }
    });
  }

  /** S1 */
  #settled(it: Case, verdict: GoodShare, recorded: Recorded): void {
    const { connection, id, line } = it;
    const { session } = connection;
    if (recorded === "duplicate" || recorded === "refused") {
      this.#refuse(it, recorded === "duplicate" ? REFUSALS.duplicate : BROKEN, verdict.identity);
      return;
    }
    this.#trace(recorded, it, verdict.identity);
    if (recorded === "moved" || session.phase !== "mining") {
      this.ways.answer(connection, { session, effects: [] }, line);
      return;
    }
    const { desk } = this;
    const endedMs = performance.now();
    const endedAt = nowMs();
    desk.tally.count("stratum.shares", 1, OUTCOMES[recorded]);
    desk.conduct.goodShare(connection);
    connection.figures.accept(verdict.difficulty, endedMs, endedAt);
    const step = credited(session, verdict.difficulty, desk.context(connection, endedMs, endedAt));
    this.ways.answer(connection, { session: step.session, effects: [say(encode.accepted(id)), ...step.effects] }, line);
    desk.tally.timing("stratum.share_ms", endedMs - it.startedMs);
  }

  /** Without credit for vardiff: its time is long past. */
  #acceptAgain({ connection, id, line }: Case): void {
    this.desk.tally.count("stratum.shares", 1, OUTCOMES.redelivered);
    connection.figures.acceptAgain(nowMs());
    this.ways.answer(connection, { session: connection.session, effects: [say(encode.accepted(id))] }, line);
  }

  #refuse(it: Case, why: Refusal, identity?: Uint8Array): void {
    const { connection, id, submit, line } = it;
    const { session } = connection;
    this.#trace(`refused: ${why.text}`, it, identity);
    const hostile = this.desk.conduct.refusedShare(connection, why.reason);
    if (hostile) this.desk.tally.count("stratum.hostile");
    connection.figures.refuse(why.reason);
    this.desk.rejected(submit.worker, why.reason, authorized(session, submit.worker));
    const effects = [say(encode.refused(id, why)), ...(hostile ? FAREWELL : [])];
    this.ways.answer(connection, { session, effects }, line);
  }

  /** The ids by which a share is followed through all logs: connection and line (edge), job, share (reporter). */
  #trace(outcome: string, { connection: { id }, submit, line }: Case, identity?: Uint8Array): void {
    const { log } = this.desk;
    if (!log.isLevelEnabled("debug")) return; // Of every share: no object is made for nobody.
    const share = identity && Buffer.from(identity).toString("hex");
    log.debug({ connection: id, line: line.number, job: submit.job, share, worker: submit.worker }, `share ${outcome}`);
  }
}

const OUTCOMES = {
  recorded: ["outcome", "recorded"],
  redelivered: ["outcome", "redelivered"],
} as const;

const authorized = ({ workers }: { readonly workers: readonly string[] }, worker: string): boolean =>
  workers.includes(worker);
