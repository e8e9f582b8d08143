// S4: the credit of a set of hashes does not depend on how they are submitted. An adversary plays against the real sessions, judging
// and snapshots: it knows every rule, hashes what it likes, and chooses afterwards what to submit, where and under which name.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { chain, type Difficulty, VARIANT_BYTES } from "../../../lib/contracts/index.js";
import { EASIER_MAX } from "../../../services/stratum/allowance.js";
import { encodeVariant, nameOf, quantized, readName, SALT_MAX } from "../../../services/stratum/variant.js";
import { assemble } from "../../../services/stratum/verify.js";
import { craftJob, EASY, MASK, mine, nameAs, submitLine, WORKER } from "./craft.js";
import { Instance, Miner, SharedMemory } from "./stand-ins.js";

/** Hard enough that no share is a block. */
const job = craftJob({ bits: 0x1b0f_ffff });
const FLOOR = EASY.sha256d;
const settings = {
  listeners: { default: { difficulty: { start: FLOOR, floor: FLOOR }, vardiff: { enabled: false } } },
};
/** Every 16th hash meets FLOOR. */
const HASHES_PER_FLOOR = 16;

/** A pool of two instances, which the adversary's connection may come to by any way there is. */
class Pool {
  readonly memory = new SharedMemory();
  readonly #recorded = new Map<string, number>();
  #connections = 0;
  /** Of all its instances, so that every run is the same. */
  #salts = 1;

  instance(): Instance {
    const instance = new Instance(this.memory, settings, () => this.#salts++ % (SALT_MAX + 1));
    instance.outcome = ({ identity, difficulty }) => {
      const key = Buffer.from(identity).toString("hex");
      if (this.#recorded.has(key)) return "duplicate";
      this.#recorded.set(key, difficulty);
      return "recorded";
    };
    instance.job(job);
    return instance;
  }

  async connect(instance = this.instance(), session?: string): Promise<Miner> {
    const miner = new Miner(instance, `tcp/${++this.#connections}`, this.#connections);
    await miner.ask({ id: 1, method: "mining.subscribe", params: ["adversary", ...(session ? [session] : [])] });
    await miner.ask({ id: 2, method: "mining.authorize", params: [WORKER] });
    return miner;
  }

  /** In units of FLOOR. */
  get credit(): number {
    return [...this.#recorded.values()].reduce((sum, difficulty) => sum + difficulty, 0) / FLOOR;
  }

  get shares(): number {
    return this.#recorded.size;
  }
}

/** Of the newest answer to a subscribe. */
const extranonce1Of = (miner: Miner): string => {
  const replies = miner.heard.filter((line) => line.includes('"result":[[['));
  return replies.length === 0 ? "" : (JSON.parse(replies.at(-1) ?? "").result[1] as string);
};
const namesOf = (miner: Miner): string[] => {
  const notices = miner.heard.filter((line) => line.includes('"method":"mining.notify"'));
  return [...new Set(notices.map((line) => JSON.parse(line).params[0] as string))];
};

const submitOf = (name: string, nonce: number) => ({
  ...{ method: "submit" as const, worker: WORKER, job: name, extranonce2: "0000000000000001", time: job.time, nonce },
});

/** The difficulty that one hash of this work reaches. */
function reached(name: string, extranonce1: string, nonce: number): number {
  const announced = readName(name);
  if (!announced) throw new Error(`${name} is no name`);
  const made = assemble(job, submitOf(name, nonce), { extranonce1, versionMask: MASK, announced });
  if (!("header" in made)) throw new Error(made.text);
  return chain.targetToDifficulty("sha256d", chain.hashToNumber(chain.proofOfWork("sha256d").hash(made.header)));
}

const LADDER = [1, 2, 4, 8, 16, 32].map((times) => (times * FLOOR) as Difficulty);
const wish = (miner: Miner, difficulty: number) =>
  miner.ask({ id: 3, method: "mining.suggest_difficulty", params: [difficulty] });

/**
 * The ways that paid before a name was a part of the work: each hashes under one name and submits under the one that pays most of all
 * it was told, or could make up; now, or after a reconnect, a move to another instance, or a change of its difficulty.
 */
const ways: Readonly<Record<string, (pool: Pool, miner: Miner) => Promise<Miner>>> = {
  "on the connection that was told all of them": async (_, miner) => miner,
  "after a move to an instance that knows nothing": async (pool, miner) => {
    miner.moveTo(pool.instance());
    return miner;
  },
  "after a reconnect that resumes the session": async (pool, miner) => {
    miner.close();
    return pool.connect(miner.instance, miner.connection);
  },
  "after the death of its edge": async (pool, miner) => {
    miner.told = undefined;
    miner.moveTo(pool.instance());
    return miner;
  },
};

test.each(Object.entries(ways))(
  "S4 a hash that is submitted under the name that pays most earns no more than under its own: %s",
  async (_way, go) => {
    const pool = new Pool();
    let miner = await pool.connect();
    for (const difficulty of LADDER) await wish(miner, difficulty);
    const extranonce1 = extranonce1Of(miner);
    const invented = LADDER.map((difficulty) => nameOf(job.id, encodeVariant(quantized(difficulty), 5)));
    const names = [...new Set([...namesOf(miner), ...invented])];
    expect(names.length).toBeGreaterThan(LADDER.length);
    miner = await go(pool, miner);
    expect(extranonce1Of(miner) || extranonce1).toBe(extranonce1);
    const hashed = names[0] ?? "";
    let hashes = 0;
    for (let nonce = 0; nonce < 4_000; nonce++, hashes++) {
      const difficulty = reached(hashed, extranonce1, nonce);
      if (difficulty < FLOOR) continue;
      // Whatever name it says, it hashes no other work: the one that its hash just reaches, and all others.
      for (const name of names) await miner.ask(submitLine(9, submitOf(name, nonce)));
    }
    expect(pool.shares).toBeGreaterThan(100);
    // Each submit under another name is a hash, too, which the pool computes. At any difficulty a hash is worth the same on average.
    const fair = (hashes + (names.length - 1) * (hashes / HASHES_PER_FLOOR)) / HASHES_PER_FLOOR;
    expect(pool.credit).toBeLessThan(1.5 * fair);
  },
  60_000,
);

test("S4 whatever is wished, moved, resumed and submitted in whatever order: a header has one credit, met by its own hash", async () => {
  const act = fc.record({
    what: fc.constantFrom("wish", "move", "resume", "submit", "submit", "submit"),
    difficulty: fc.constantFrom(...LADDER),
    name: fc.nat(40),
    nonce: fc.nat(400),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 40 }), async (acts) => {
      const pool = new Pool();
      let miner = await pool.connect();
      const extranonce1 = extranonce1Of(miner);
      const names = new Set<string>([nameAs(job, FLOOR, 3), nameAs(job, (64 * FLOOR) as Difficulty, 9)]);
      for (const { what, difficulty, name, nonce } of acts) {
        for (const told of namesOf(miner)) names.add(told);
        if (what === "wish") await wish(miner, difficulty);
        else if (what === "move") miner.moveTo(pool.instance());
        else if (what === "resume") {
          miner.close();
          miner = await pool.connect(miner.instance, miner.connection);
        } else {
          const chosen = [...names][name % names.size] ?? "";
          const before = pool.credit;
          const [answer] = (await miner.ask(submitLine(9, submitOf(chosen, nonce)))).filter((it) =>
            it.includes('"id":9'),
          );
          const earned = (pool.credit - before) * FLOOR;
          const fixed = readName(chosen)?.difficulty ?? 0;
          const meets = reached(chosen, extranonce1, nonce) >= fixed * (1 - 1e-9);
          if (earned > 0) expect({ earned, meets }).toEqual({ earned: expect.closeTo(fixed, 12), meets: true });
          if (!meets) expect(answer).toMatch(/"error":\[2[13]/);
        }
        await miner.hear();
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);

test("S4 a client that goes on with easier work than it was told is refused after an allowance, but for its blocks", async () => {
  const easyBlocks = craftJob();
  const difficulty = { start: EASY.sha256d, floor: EASY.sha256d / 1_024 };
  const rules = { difficulty, vardiff: { enabled: false } };
  const instance = new Instance(new SharedMemory(), { listeners: { default: rules } });
  instance.job(easyBlocks);
  const miner = new Miner(instance, "tcp/one");
  await miner.ask({ id: 1, method: "mining.subscribe", params: [] });
  await miner.ask({ id: 2, method: "mining.authorize", params: [WORKER] });
  await wish(miner, 64 * EASY.sha256d);
  const extranonce1 = extranonce1Of(miner);
  const easiest = nameAs(easyBlocks, (EASY.sha256d / 1_024) as Difficulty);
  const told = nameAs(easyBlocks, (64 * EASY.sha256d) as Difficulty);
  const nonces = Array.from({ length: EASIER_MAX + 500 }, (_, nonce) => nonce);
  for (const nonce of nonces) miner.line(submitLine(9, { ...submitOf(easiest, nonce), time: easyBlocks.time }));
  const answers = await miner.hear();
  const good = answers.filter((line) => line.includes('"result":true')).length;
  expect(good).toBeGreaterThanOrEqual(EASIER_MAX);
  expect(good).toBeLessThan(EASIER_MAX + 400); // Some come back as time passes.
  expect(answers.filter((line) => line.includes("Job not found")).length).toBe(nonces.length - good);
  // A block is a block, and what it was told still counts.
  const before = instance.blocks.length;
  const block = mine(easyBlocks, "block", { job: easiest, nonce: nonces.length }, extranonce1);
  await miner.ask(submitLine(9, block));
  expect(instance.blocks.length).toBe(before + 1);
  expect(await miner.ask(submitLine(9, mine(easyBlocks, "block", { job: told }, extranonce1)))).toEqual([
    expect.stringContaining('"result":true'),
  ]);
});

test("every difficulty that a name can hold is told and credited as itself", () => {
  const changed: number[] = [];
  for (const [base, least] of [
    ["2", -40],
    ["10", -16],
  ] as const)
    for (let exponent = least; exponent < least + 64; exponent++)
      for (let mantissa = 1; mantissa <= 511; mantissa++) {
        const difficulty = base === "2" ? mantissa * 2 ** exponent : Number(`${mantissa}e${exponent}`);
        if (difficulty >= 1 && !Number.isInteger(difficulty)) continue;
        const announced = readName(nameOf(job.id, encodeVariant(quantized(difficulty), 0)));
        if (announced?.difficulty !== difficulty) changed.push(difficulty);
      }
  expect(changed).toEqual([]);
});

test.each([Number.NaN, 0, -1, 1e-17])("%s is no difficulty: it is refused, not told", (value) => {
  expect(() => quantized(value)).toThrow(RangeError);
});

test("a difficulty survives the way into a name and back, is never raised, and is whole from 1 up", () => {
  const value = fc.oneof(fc.double({ min: 1e-9, max: 1e15, noNaN: true }), fc.integer({ min: 1, max: 2 ** 40 }));
  fc.assert(
    fc.property(value, fc.nat(SALT_MAX), (given, salt) => {
      const difficulty = quantized(given);
      expect(difficulty).toBeLessThanOrEqual(given);
      expect(difficulty).toBeGreaterThan(given * (1 - 1 / 50) - (given >= 1 ? 1 : 0)); // Nothing that a miner notices.
      if (given >= 1) expect(Number.isInteger(difficulty)).toBe(true);
      const variant = encodeVariant(difficulty, salt);
      expect(variant).toMatch(/^[0-9a-f]{7}$/);
      expect(quantized(difficulty)).toBe(difficulty);
      expect(readName(nameOf(job.id, variant))).toEqual({ job: job.id, difficulty, variant });
      expect(variant.padStart(2 * VARIANT_BYTES, "0")).toHaveLength(2 * VARIANT_BYTES);
    }),
  );
  for (const exact of [
    1,
    2,
    3,
    10,
    16,
    100,
    512,
    1_000,
    1_024,
    4_096,
    50_000,
    65_536,
    100_000,
    2 ** 20,
    1e6,
    0.001,
    0.5,
    2 ** -28,
  ])
    expect(quantized(exact)).toBe(exact);
});

test.each(["", "a1", "a1-28", "a1000", "123456789012345f", "nonsense!", "a1g000000", "0000000000000000"])(
  "%j is no name of an announcement",
  (text) => expect(readName(text)).toBeUndefined(),
);
