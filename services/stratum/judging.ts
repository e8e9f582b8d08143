// One share, from line to answer.
//
//   submit -> its job (book, or shared state) -> verify -> block? submit it at once -> recorded? -> answer, vardiff
//
//   S1. `true` is answered only after the reporter has said that the share is recorded (or was, by this very line).
//   S2. The difficulty, the tip and the worker are those of the moment at which the line came.
//       A line that was given to another instance before may be recorded without having been answered. If it is stale by now, it
//       is looked up before it is refused: what stands in the log is answered `true`.
//   S3. A candidate goes to the daemons before any refusal is said, and nobody waits for the daemons.

import { chain, nowMs, type Share } from "../../lib/contracts/index.js";
import type { Connection, WaitingLine } from "./connections.js";
import type { Desk } from "./desk.js";
import { credited, difficultyOf } from "./difficulty.js";
import { jobOf, type KnownJob } from "./jobs.js";
import type { Recorded } from "./ports.js";
import * as encode from "./protocol/encode.js";
import { REFUSALS, type Refusal, refusal } from "./protocol/errors.js";
import type { Submit } from "./protocol/requests.js";
import { type Mining, type Step, say } from "./session.js";
import { type GoodShare, type Terms, type Verdict, verify } from "./verify.js";

type Answer = (connection: Connection, step: Step, line: WaitingLine) => void;

const BROKEN = refusal("other", "The share could not be checked; it is not counted");

export class Judging {
  constructor(
    private readonly desk: Desk,
    private readonly answer: Answer,
  ) {}

  /** Answers the line sooner or later, whatever happens. */
  start(connection: Connection, id: string, submit: Submit, line: WaitingLine): void {
    this.#judge(connection, id, submit, line).catch((error: unknown) => {
      this.desk.log.error({ err: error, connection: connection.id, submit }, "a share could not be judged");
      this.#refuse(connection, id, submit, BROKEN, line);
    });
  }

  async #judge(connection: Connection, id: string, submit: Submit, line: WaitingLine): Promise<void> {
    const startedMs = performance.now();
    const { session } = connection;
    const base = jobOf(submit.job);
    const known = base && (this.desk.book.find(base) ?? (await this.desk.jobs.lookup(base, connection.id)));
    if (!known || session.phase !== "mining") return this.#refuse(connection, id, submit, REFUSALS.jobNotFound, line);
    const verdict = await verify(known, submit, this.#terms(session, submit, known, startedMs));
    if (verdict.candidate)
      this.desk.blocks.submit(verdict.candidate, this.desk.finder(submit.worker, session.workers), connection.id); // S3
    if (verdict.kind === "refused") {
      const late = line.again && verdict.refusal.reason === "stale" && verdict.identity;
      if (late && (await this.#recordedBefore(connection, line, known.job.height, late))) {
        this.#trace("accepted: it was recorded before", connection, submit, line, verdict.identity);
        return this.#accept(connection, id, line);
      }
      return this.#refuse(connection, id, submit, verdict.refusal, line, verdict.identity);
    }
    const recorded = await this.#record(connection, submit, line, known, verdict);
    this.#settled(connection, id, submit, line, verdict, recorded);
    this.desk.tally.timing("stratum.share_ms", performance.now() - startedMs);
  }

  /** S2 */
  #terms(session: Mining, submit: Submit, known: KnownJob, atMs: number): Terms {
    const { book, settings } = this.desk;
    return {
      extranonce1: session.extranonce1,
      authorized: authorized(session, submit.worker),
      live: book.live(known.job, atMs, settings.staleGraceMs),
      difficulty: difficultyOf(session, submit.job, known, book),
      versionMask: session.versionMask,
      timeAheadS: settings.timeAheadS,
    };
  }

  #record(
    connection: Connection,
    submit: Submit,
    line: WaitingLine,
    known: KnownJob,
    verdict: GoodShare,
  ): Promise<Recorded> {
    const { job } = known;
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
    return this.desk.shares.record(share, chain.hashesPerDifficulty(job.proofOfWork), connection);
  }

  /** S1 */
  #settled(
    connection: Connection,
    id: string,
    submit: Submit,
    line: WaitingLine,
    verdict: Verdict & { kind: "share" },
    recorded: Recorded,
  ): void {
    const { session } = connection;
    if (recorded === "duplicate" || recorded === "refused") {
      const why = recorded === "duplicate" ? REFUSALS.duplicate : BROKEN;
      this.#refuse(connection, id, submit, why, line, verdict.identity);
      return;
    }
    this.#trace(recorded, connection, submit, line, verdict.identity);
    if (recorded === "moved" || session.phase !== "mining") {
      this.answer(connection, { session, effects: [] }, line);
      return;
    }
    this.desk.tally.count("stratum.shares", 1, ["outcome", recorded]);
    this.desk.conduct.goodShare(connection.address);
    connection.figures.accept(verdict.difficulty, performance.now(), nowMs());
    const step = credited(session, verdict.difficulty, this.desk.context(connection));
    this.answer(connection, { session: step.session, effects: [say(encode.accepted(id)), ...step.effects] }, line);
  }

  #recordedBefore(connection: Connection, line: WaitingLine, height: number, identity: Uint8Array): Promise<boolean> {
    return this.desk.shares.known({ identity, connection: connection.id, line: line.number, height });
  }

  /** Without credit for vardiff: its time is long past. */
  #accept(connection: Connection, id: string, line: WaitingLine): void {
    this.desk.tally.count("stratum.shares", 1, ["outcome", "redelivered"]);
    connection.figures.acceptAgain(nowMs());
    this.answer(connection, { session: connection.session, effects: [say(encode.accepted(id))] }, line);
  }

  #refuse(
    connection: Connection,
    id: string,
    submit: Submit,
    why: Refusal,
    line: WaitingLine,
    identity?: Uint8Array,
  ): void {
    const { session } = connection;
    this.#trace(`refused: ${why.text}`, connection, submit, line, identity);
    this.desk.conduct.refusedShare(connection.address, why.reason);
    connection.figures.refuse(why.reason);
    this.desk.rejected(submit.worker, why.reason, authorized(session, submit.worker));
    this.answer(connection, { session, effects: [say(encode.refused(id, why))] }, line);
  }

  /** The ids by which a share is followed through all logs: connection and line (edge), job, share (reporter). */
  #trace(outcome: string, { id }: Connection, submit: Submit, line: WaitingLine, identity?: Uint8Array): void {
    const { log } = this.desk;
    if (!log.isLevelEnabled("debug")) return; // Of every share: no object is made for nobody.
    const share = identity && Buffer.from(identity).toString("hex");
    log.debug({ connection: id, line: line.number, job: submit.job, share, worker: submit.worker }, `share ${outcome}`);
  }
}

const authorized = ({ workers }: { readonly workers: readonly string[] }, worker: string): boolean =>
  workers.includes(worker);
