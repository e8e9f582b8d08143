// The smaller parts: verdicts, records, jobs kept, blocks offered.

import { describe, expect, jest, test } from "@jest/globals";
import type { DaemonVerdict, EpochMs, Job, JobId, WorkerName } from "../../../lib/contracts/index.js";
import type { Report } from "../../../services/jobmanager/found.js";
import { Jobs, type Store } from "../../../services/jobmanager/out-jobs.js";
import { Records } from "../../../services/jobmanager/out-records.js";
import type { Template } from "../../../services/jobmanager/template.js";
import { followed, statusOf, verdictOf } from "../../../services/jobmanager/verdict.js";
import { until } from "../../kit/until.js";

describe("verdicts", () => {
  test("what a daemon answers to submitblock is told apart", () => {
    const answers = [
      null,
      "duplicate",
      "inconclusive",
      "duplicate-inconclusive",
      "duplicate-invalid",
      "bad-txnmrklroot",
    ];
    expect(answers.map((answer) => verdictOf("d", answer).outcome)).toEqual([
      "accepted",
      "duplicate",
      "inconclusive",
      "inconclusive",
      "rejected",
      "rejected",
    ]);
    expect(verdictOf("d", "bad-txnmrklroot").reason).toBe("bad-txnmrklroot");
  });

  test("one daemon that has the block is enough; nobody's judgement is no rejection", () => {
    const status = (...outcomes: DaemonVerdict["outcome"][]) =>
      statusOf(outcomes.map((outcome) => ({ daemon: "d", outcome })));
    expect(status("unreachable", "accepted", "rejected")).toBe("accepted");
    expect(status("duplicate", "inconclusive")).toBe("accepted");
    expect(status("inconclusive", "unreachable")).toBe("orphaned");
    expect(status("unreachable", "unreachable")).toBeUndefined();
    expect(status("rejected", "rejected")).toBe("rejected");
  });

  test("a daemon's refusal is not the last word while another one has not judged, or refuses only for now", () => {
    const status = (...outcomes: DaemonVerdict["outcome"][]) =>
      statusOf(outcomes.map((outcome) => ({ daemon: "d", outcome })));
    expect(status("rejected", "unreachable")).toBeUndefined();
    expect(status("rejected", "early")).toBeUndefined();
    expect(["time-too-new", "prev-blk-not-found"].map((answer) => verdictOf("d", answer).outcome)).toEqual([
      "early",
      "early",
    ]);
  });

  test("confirmations decide what becomes of a block", () => {
    expect([-1, 0, 1, 99, 100].map((n) => followed(n, 100))).toEqual([
      "orphaned",
      "accepted",
      "accepted",
      "accepted",
      "confirmed",
    ]);
  });
});

describe("records", () => {
  const report = (hash: string): Report => ({
    hash,
    height: 1,
    worker: "w" as WorkerName,
    status: "accepted",
    confirmations: 1,
    foundAt: 1 as EpochMs,
  });

  test("a reporter that is away gets every record later, in order", async () => {
    const told: string[] = [];
    let failures = 3;
    const records = new Records({
      send: async ({ hash }) => {
        if (failures-- > 0) throw new Error("away");
        told.push(hash);
      },
      onFailed: () => {},
      onDropped: () => {},
    });
    for (const hash of ["a", "b", "c"]) records.record(report(hash));
    await until("all are told", 5_000, () => told.length === 3);
    records.record(report("d"));
    await records.drain(1_000);
    expect(told).toEqual(["a", "b", "c", "d"]);
  });

  test("the queue is bounded: the oldest are dropped, and said so", () => {
    const dropped: string[] = [];
    const records = new Records({
      send: () => new Promise(() => {}),
      onFailed: () => {},
      onDropped: ({ hash }) => dropped.push(hash),
    });
    for (let i = 0; i < 1_002; i++) records.record(report(`${i}`));
    records.close();
    expect(dropped).toEqual(["0", "1"]);
  });
});

describe("jobs kept for their blocks", () => {
  const template = { height: 9, rules: [], transactions: [{ data: "aabb", txid: "00" }] } as unknown as Template;
  const job = (id: string): Job => ({ id: id as JobId }) as Job;
  const setup = (store: Partial<Store> = {}) => {
    const save = jest.fn<Store["save"]>().mockResolvedValue(undefined);
    const failed: string[] = [];
    const jobs = new Jobs({
      store: { save, load: async () => undefined, ...store },
      ttlMs: 1_000,
      onSaveFailed: (_, reason) => failed.push(reason),
      onLoadFailed: (_, reason) => failed.push(reason),
    });
    return { jobs, save, failed };
  };

  test("a job's body is there at once, and saved only after the tick of its push", async () => {
    const { jobs, save } = setup();
    jobs.keep(job("a1"), template);
    expect(save).not.toHaveBeenCalled();
    expect(await jobs.bodyOf("a1" as JobId)).toMatchObject({ height: 9, count: 1, witness: false });
    await until("it is saved", 1_000, () => save.mock.calls.length === 1);
    expect(save.mock.calls[0]?.[0]).toBe("a1");
  });

  test("only so many are kept", async () => {
    const { jobs, save } = setup();
    for (let i = 0; i < 70; i++) jobs.keep(job(`${i}`), template);
    await until("all are saved", 1_000, () => save.mock.calls.length === 70);
    expect(await jobs.bodyOf("0" as JobId)).toBeUndefined();
    expect(await jobs.bodyOf("69" as JobId)).toBeDefined();
  });

  test("with shared state away our own jobs are known, others' unknown, and both is said", async () => {
    const away = () => Promise.reject(new Error("redis is away"));
    const { jobs, failed } = setup({ save: away, load: away });
    jobs.keep(job("a1"), template);
    await until("the failure is said", 1_000, () => failed.length === 1);
    expect(await jobs.bodyOf("a1" as JobId)).toBeDefined();
    expect(await jobs.bodyOf("b2" as JobId)).toBeUndefined();
    expect(failed).toEqual(["redis is away", "redis is away"]);
  });

  test("J1 jobs that were told while shared state was away are saved when it is back, the newest first", async () => {
    let away = true;
    const saved: string[] = [];
    const { jobs, failed } = setup({
      save: async (id) => {
        if (away) throw new Error("redis is away");
        saved.push(id);
      },
    });
    for (const id of ["a1", "a2", "a3"]) jobs.keep(job(id), template);
    await until("the failures are said", 1_000, () => failed.length === 3);
    away = false;
    await until("all are saved", 2_000, () => saved.length === 3);
    expect([saved, failed.length]).toEqual([["a3", "a2", "a1"], 3]);
  });
});
