// Recording against a ledger that is late, fails before or after it has written, and forgets: whatever it does, what was answered
// is in it once.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { pino } from "pino";
import type { ShareOutcome } from "../../../lib/contracts/index.js";
import { noMetrics, WiringError } from "../../../lib/wiring/index.js";
import { Spool } from "../../../services/reporter/out-spool.js";
import {
  type CreditedShare,
  claimOf,
  type Ledger,
  type SpoolMark,
  type Turn,
} from "../../../services/reporter/ports.js";
import { Recording } from "../../../services/reporter/recording.js";
import { until } from "../../kit/until.js";
import { aShare } from "./shares.js";

const log = pino({ level: "silent" });
const PATIENCE_MS = 6;

/** What it does with one call. `forgets`: the last write is gone, as after a fail-over. */
interface Mood {
  readonly lateMs: number;
  readonly fails: "never" | "before" | "after";
  readonly forgets: boolean;
}

/** STAND-IN for Redis and the record script. */
class MoodyLedger implements Ledger {
  readonly process = "0123456789abcdef";
  readonly log: string[] = [];
  readonly #claims = new Map<string, string>();
  #marks = new Map<string, number>();
  #turn = 0;
  onLost = (): void => {};

  constructor(private readonly moods: Mood[]) {}

  async record(shares: readonly CreditedShare[], turn?: Turn, mark?: SpoolMark): Promise<ShareOutcome[]> {
    const mood = this.moods.pop();
    await this.#comply(mood);
    const turnBefore = this.#turn;
    if (turn && turn.after !== turnBefore) throw new WiringError("UNAVAILABLE", `it has turn ${turnBefore}`);
    this.#turn = turn?.number ?? turnBefore;
    const before = mark ? (this.#marks.get(mark.spool) ?? 0) : 0;
    const fresh: string[] = [];
    const outcomes = shares.map((credited, i): ShareOutcome => {
      const name = Buffer.from(credited.share.identity).toString("hex");
      if (mark && (mark.numbers[i] ?? 0) <= before) return "redelivered";
      const known = this.#claims.get(name);
      if (known !== undefined) return known === claimOf(credited.share) ? "redelivered" : "duplicate";
      this.#claims.set(name, claimOf(credited.share));
      fresh.push(name);
      return "recorded";
    });
    this.log.push(...fresh);
    if (mark) this.#marks.set(mark.spool, Math.max(before, ...mark.numbers));
    if (mood?.forgets) this.#forget(fresh, mark, before);
    if (mood?.forgets) this.#turn = turnBefore;
    if (mood?.forgets) this.onLost();
    if (mood?.fails === "after") throw new WiringError("UNAVAILABLE", "the connection broke");
    return outcomes;
  }

  async lastTurn(): Promise<number> {
    await this.#comply(this.moods.pop());
    return this.#turn;
  }

  async #comply(mood: Mood | undefined): Promise<void> {
    if (mood) await delay(mood.lateMs);
    if (mood?.fails === "before") throw new WiringError("UNAVAILABLE", "it is away");
  }

  async block() {
    return { changed: false, round: undefined };
  }

  #forget(names: readonly string[], mark: SpoolMark | undefined, before: number): void {
    for (const name of names) this.#claims.delete(name);
    this.log.splice(this.log.length - names.length, names.length);
    if (mark) this.#marks.set(mark.spool, before);
  }
}

const mood = fc.record({
  lateMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3 * PATIENCE_MS })),
  fails: fc.constantFrom("never", "never", "before", "after"),
  forgets: fc.boolean(),
}) satisfies fc.Arbitrary<Mood>;

test("S1: whatever the ledger does, each share that was answered is in it once, and the spool is empty in the end", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(mood, { minLength: 1, maxLength: 30 }),
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 5, maxLength: 40 }),
      async (moods, pausesMs) => {
        const directory = await mkdtemp(join(tmpdir(), "headframe-recording-"));
        const ledger = new MoodyLedger([...moods]);
        const common = { log, metrics: noMetrics };
        const spool = await Spool.open({ directory, bytesMax: 1e9, cluster: "test", ...common, onAdopted: () => {} });
        const hooks = { onRecorded: () => {}, onBlock: () => {} };
        const recording = new Recording({ ledger, spool, patienceMs: PATIENCE_MS, ...common, ...hooks });
        ledger.onLost = () => recording.lost();
        const answered: string[] = [];
        let line = 0;
        for (const pauseMs of pausesMs) {
          const shares = [++line, ++line].map((it) => ({ share: aShare(it, { line: it }), hashes: 1 }));
          expect(await recording.shares(shares)).toEqual(["recorded", "recorded"]);
          answered.push(...shares.map(({ share }) => Buffer.from(share.identity).toString("hex")));
          if (pauseMs > 0) await delay(pauseMs);
        }
        await until("the spool is empty", 20_000, () => recording.mode === "direct");
        await delay(3 * PATIENCE_MS); // Late calls get through.
        await until("the spool is empty", 20_000, () => recording.mode === "direct" && spool?.length === 0);
        expect([...ledger.log].sort()).toEqual([...answered].sort());
        await recording.close();
        await spool?.close();
        await rm(directory, { recursive: true });
      },
    ),
    { numRuns: 25 },
  );
}, 120_000);

test.each(["shares", "block"])(
  "C1, S1: Redis stops answering while it works off %s of the spool: shares go on being spooled, and answered",
  async (what) => {
    const directory = await mkdtemp(join(tmpdir(), "headframe-recording-"));
    const common = { log, metrics: noMetrics, onAdopted: () => {} };
    const spool = await Spool.open({ directory, bytesMax: 1e9, cluster: "test", ...common });
    const standsStill = <T>() => new Promise<T>(() => {});
    let calls = 0;
    const ledger: Ledger = {
      process: "0123456789abcdef",
      record(shares) {
        calls += 1;
        if (calls === 1) return Promise.reject(new WiringError("UNAVAILABLE", "it is away"));
        return calls === 2 ? Promise.resolve(shares.map(() => "recorded" as const)) : standsStill();
      },
      lastTurn: async () => 0,
      block() {
        calls += 1;
        return standsStill();
      },
    };
    const hooks = { onRecorded: () => {}, onBlock: () => {} };
    const recording = new Recording({ ledger, spool, patienceMs: 20, ...common, ...hooks });
    let line = 0;
    const record = (count: number) => {
      const shares = Array.from({ length: count }, () => ({ share: aShare(++line, { line }), hashes: 1 }));
      return recording.shares(shares);
    };
    await record(900); // Away: spooled, as is what follows. Then the first chunk is flushed, and the second one hangs.
    const { worker, at: foundAt } = aShare(0);
    const block = { hash: "ab".repeat(32), height: 7, worker, status: "accepted", confirmations: 1, foundAt } as const;
    if (what === "block") await recording.block(block);
    for (let i = 0; i < 3; i++) await record(900);
    await until("the second chunk is under way", 5_000, () => calls === 3);
    for (let i = 0; i < 5; i++) expect(await record(1_000)).toHaveLength(1_000);
    await spool?.close();
    await rm(directory, { recursive: true });
  },
);

test("a chunk that is done with while the next one is being read takes nothing along that nobody recorded", async () => {
  const directory = await mkdtemp(join(tmpdir(), "headframe-recording-"));
  const common = { log, metrics: noMetrics, onAdopted: () => {} };
  const spool = await Spool.open({ directory, bytesMax: 1e9, cluster: "test", ...common });
  if (!spool) throw new Error("there is a folder, so there is a spool");
  const append = (line: number) =>
    spool.append({ kind: "shares", shares: [{ share: aShare(line, { line }), hashes: 1 }] });
  await append(1);
  await append(2);
  const first = await spool.next(1);
  const reading = spool.next(100); // As after a time-out: both records.
  for (let tick = 0; tick < 50; tick++) await null; // It waits for the disk by now.
  if (first) await spool.done(first);
  await append(3);
  const second = await reading;
  if (second) await spool.done(second);
  expect(spool.length).toBe(1);
  const third = await spool.next(100);
  expect(third).toMatchObject({ shares: [{ share: { line: 3 } }] });
  await spool.close();
  await rm(directory, { recursive: true });
});
