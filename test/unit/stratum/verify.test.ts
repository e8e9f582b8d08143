// Shares judged against real work: every verdict, on both hash functions.

import { describe, expect, test } from "@jest/globals";
import { chain, type Difficulty, type ProofOfWorkName } from "../../../lib/contracts/index.js";
import { encodeVariant, nameOf, quantized, readName } from "../../../services/stratum/variant.js";
import { assemble, rolledVersion, type Terms, verify } from "../../../services/stratum/verify.js";
import { announcedAs, craftJob, EASY, EXTRANONCE1, known, MASK, mine, nameAs } from "./craft.js";

const terms = (proofOfWork: ProofOfWorkName, changes: Partial<Terms> = {}): Terms => ({
  extranonce1: EXTRANONCE1,
  authorized: true,
  live: true,
  spent: false,
  announced: announcedAs(craftJob({ proofOfWork })),
  floor: EASY[proofOfWork],
  versionMask: MASK,
  timeAheadS: 7_200,
  ...changes,
});

describe.each(["sha256d", "scrypt"] as const)("with %s", (proofOfWork) => {
  // Every second scrypt hash is a block here: it is dear.
  const job = craftJob({ proofOfWork, ...(proofOfWork === "scrypt" && { bits: 0x2003_ffff }) });

  test("a share that meets its difficulty is good and names its identity", async () => {
    const submit = mine(job, "share");
    const verdict = await verify(known(job), submit, terms(proofOfWork));
    expect(verdict).toMatchObject({ kind: "share", difficulty: EASY[proofOfWork], identity: expect.any(Uint8Array) });
    expect(verdict.candidate).toBeUndefined();
    expect(verdict.kind === "share" && verdict.achieved).toBeGreaterThanOrEqual(EASY[proofOfWork]);
  });

  test("a poor share is refused with 23 and says what it reached", async () => {
    const verdict = await verify(known(job), mine(job, "poor"), terms(proofOfWork));
    expect(verdict).toMatchObject({ kind: "refused", refusal: { reason: "low-difficulty", text: /of/ } });
  });

  test("S3 a block is a candidate whatever rule its share breaks", async () => {
    const late = job.time + 7_201;
    const cases = [
      { reason: "unauthorized", submit: mine(job, "block"), terms: { authorized: false } },
      { reason: "stale", submit: mine(job, "block"), terms: { live: false } },
      { reason: "other", submit: mine(job, "block", { time: late }), terms: {} },
      { reason: "other", submit: mine(job, "block", { time: job.timeMin - 1 }), terms: {} },
      { reason: "other", submit: mine(job, "block", { versionBits: 1 }), terms: {} },
    ] as const;
    for (const { reason, submit, terms: changes } of cases) {
      const verdict = await verify(known(job), submit, terms(proofOfWork, changes));
      expect(verdict).toMatchObject({ kind: "refused", refusal: { reason }, candidate: { job } });
      const hash = chain.proofOfWork(proofOfWork).hash(verdict.candidate?.header ?? new Uint8Array(80));
      expect(chain.hashToNumber(hash) <= chain.bitsToTarget(job.bits)).toBe(true);
    }
  });

  test("S4 a share counts with the difficulty of the name that was hashed; under another name it is other work", async () => {
    const names = [1, 4].map((times) => nameAs(job, (times * EASY[proofOfWork]) as Difficulty));
    const [easy = "", hard = ""] = names;
    const submit = mine(job, "share", { job: easy });
    const of = async (name: string) => {
      const announced = readName(name);
      if (!announced) throw new Error(`${name} is no name`);
      return verify(known(job), { ...submit, job: name }, terms(proofOfWork, { announced }));
    };
    expect(await of(easy)).toMatchObject({ kind: "share", difficulty: EASY[proofOfWork] });
    const headers = names.map((name) => {
      const made = assemble(job, submit, {
        extranonce1: EXTRANONCE1,
        versionMask: MASK,
        announced: readName(name) ?? announcedAs(job),
      });
      return "header" in made ? made.header.toString("hex") : "";
    });
    expect(new Set(headers).size).toBe(2);
    expect(hard).not.toBe(easy);
  });

  test("S4 a name that no instance announces earns nothing: harder than the block, or easier than any listener", async () => {
    const network = known(job).networkDifficulty;
    for (const difficulty of [2 * network, EASY[proofOfWork] / 2]) {
      const name = nameOf(job.id, encodeVariant(quantized(difficulty), 0));
      const announced = readName(name);
      if (!announced) throw new Error(`${name} is no name`);
      const verdict = await verify(known(job), mine(job, "block", { job: name }), terms(proofOfWork, { announced }));
      expect(verdict).toMatchObject({ kind: "refused", refusal: { reason: "stale" }, candidate: { job } }); // S3
    }
  });
});

const job = craftJob();
const reasonOf = async (submit: ReturnType<typeof mine>, changes: Partial<Terms> = {}) => {
  const verdict = await verify(known(job), submit, terms("sha256d", changes));
  return verdict.kind === "refused" ? `${verdict.refusal.reason}: ${verdict.refusal.text}` : "good";
};

test("a header time counts from the template's earliest to two hours after the job's, both ends included", async () => {
  expect(await reasonOf(mine(job, "share", { time: job.timeMin }))).toBe("good");
  expect(await reasonOf(mine(job, "share", { time: job.time + 7_200 }))).toBe("good");
  expect(await reasonOf(mine(job, "share", { time: job.timeMin - 1 }))).toMatch(/^other: ntime out of range/);
  expect(await reasonOf(mine(job, "share", { time: job.time + 7_201 }))).toMatch(/^other: ntime out of range/);
});

test("an extranonce2 of another length is refused with 20", async () => {
  for (const extranonce2 of ["00", "000000", "0000000000"])
    expect(await reasonOf({ ...mine(job, "share"), extranonce2 })).toMatch(/^other: Invalid extranonce2: 16 hex/);
});

test("rolled bits inside the mask make another, equally good header", async () => {
  const submit = mine(job, "share", { versionBits: 0x0000_2000 });
  expect(await reasonOf(submit)).toBe("good");
  expect(rolledVersion(job, 0x0000_2000, MASK)).toBe(0x2000_2000);
  const plain = await verify(known(job), { ...submit, versionBits: 0x0000_4000 }, terms("sha256d"));
  expect(plain.kind === "share" && plain.identity).not.toEqual(await verify(known(job), submit, terms("sha256d")));
});

test("rolled bits outside the mask are refused and name both", async () => {
  expect(await reasonOf(mine(job, "share", { versionBits: 1 }))).toBe(
    "other: Version bits 00000001 outside the mask 1fffe000",
  );
  expect(await reasonOf(mine(job, "share", { versionBits: 0x2000 }), { versionMask: 0 })).toMatch(
    /outside the mask 00000000/,
  );
});

test("bits that the connection may roll and this job may not are refused: a block with them would be none", async () => {
  const narrow = craftJob({ versionMask: 0x0fff_e000 });
  const rolled = mine(narrow, "share", { versionBits: 0x1000_0000 });
  expect(await verify(known(narrow), rolled, terms("sha256d"))).toMatchObject({
    kind: "refused",
    refusal: { text: "Version bits 10000000 outside the mask 0fffe000" },
  });
});

test("the rules are told in a fixed order: who, what, when, how", async () => {
  const bad = mine(job, "poor", { time: 0, versionBits: 1 });
  expect(await reasonOf(bad, { authorized: false, live: false })).toMatch(/^unauthorized/);
  expect(await reasonOf(bad, { live: false })).toMatch(/^stale/);
  expect(await reasonOf(bad)).toMatch(/ntime/);
  expect(await reasonOf({ ...bad, time: job.time })).toMatch(/Version bits/);
});
