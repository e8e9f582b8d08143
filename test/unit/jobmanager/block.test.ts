import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { chain, type EpochMs, type JobId, job } from "../../../lib/contracts/index.js";
import { type BlockBody, bodyOf, encodeBlock, packBody, unpackBody } from "../../../services/jobmanager/block.js";
import { coinOf } from "../../../services/jobmanager/coins/index.js";
import { jobIds, makeJob, type Recipe } from "../../../services/jobmanager/job.js";
import { parseTemplate, type Template } from "../../../services/jobmanager/template.js";

const recipe: Recipe = {
  coin: coinOf("bitcoin", "main"),
  payoutScript: Buffer.from("51", "hex"),
  tag: Buffer.from("/pool/"),
  extranonce1Size: 4,
  extranonce2Size: 4,
  versionMask: 0x1fff_e000,
};
const facts = { id: "0a0b0c0d" as JobId, clean: true, templateAt: 1_700_000_000_000 as EpochMs };

/** As Bitcoin Core answers on its main chain; two transactions, one of them with a witness. */
const bitcoinAnswer = {
  version: 0x2000_0000,
  rules: ["csv", "!segwit", "taproot"],
  vbavailable: {},
  vbrequired: 0x2000,
  previousblockhash: "00000000000000000002a7c4c1e48d76c5a37902165a270156b7a8d72728a054",
  transactions: [
    {
      data: "aa".repeat(60),
      txid: "11".repeat(32),
      hash: "11".repeat(32),
      depends: [],
      fee: 100,
      sigops: 1,
      weight: 240,
    },
    {
      data: "bb".repeat(80),
      txid: "22".repeat(32),
      hash: "33".repeat(32),
      depends: [],
      fee: 100,
      sigops: 1,
      weight: 320,
    },
  ],
  coinbaseaux: { flags: "0102" },
  coinbasevalue: 312_500_200,
  longpollid: "00000000000000000002a7c4c1e48d76c5a37902165a270156b7a8d72728a0541234",
  target: "00000000000000000003255300000000000000000000000000000000000000",
  mintime: 1_713_571_000,
  curtime: 1_713_571_767,
  bits: "17032553",
  height: 840_000,
  default_witness_commitment: `6a24aa21a9ed${"44".repeat(32)}`,
};

const templateOf = (answer: object): Template => {
  const parsed = parseTemplate(answer, recipe.coin.rules);
  if (parsed.kind === "refused") throw new Error(parsed.reason);
  return parsed.template;
};
const bitcoinTemplate = templateOf({ ...bitcoinAnswer, target: undefined });

describe("a job from a Bitcoin template", () => {
  const made = makeJob(bitcoinTemplate, recipe, facts);

  test("fits the contract and says what the template says", () => {
    expect(job.parse(made)).toMatchObject({
      coin: "bitcoin",
      proofOfWork: "sha256d",
      height: 840_000,
      bits: 0x1703_2553,
    });
    expect(chain.displayHash(made.previousHash)).toBe(bitcoinAnswer.previousblockhash);
    expect(made.merkleBranch.map((hash) => Buffer.from(hash).toString("hex"))).toHaveLength(2);
  });

  test("keeps the aux in its coinbase and leaves out of the mask what must stay set", () => {
    expect(Buffer.from(made.coinbase1).toString("hex")).toContain("0340d10c0102");
    expect(made.versionMask).toBe(0x1fff_c000);
  });

  test("becomes a block: header, count, coinbase with its witness, transactions as they came, nothing after them", () => {
    const header = Buffer.alloc(80, 7);
    const coinbase = Buffer.concat([made.coinbase1, Buffer.alloc(8), made.coinbase2]);
    const block = encodeBlock(header, coinbase, bodyOf(bitcoinTemplate)).toString("hex");
    expect(block.startsWith(`${header.toString("hex")}03020000000001`)).toBe(true);
    expect(block.endsWith(`0120${"00".repeat(32)}00000000${"aa".repeat(60)}${"bb".repeat(80)}`)).toBe(true);
  });
});

test("an MWEB part stands at the end behind 01; without one nothing does", () => {
  const tail = (it: Template): string => Buffer.from(bodyOf(it).tail).toString("hex");
  const { mweb: _, ...before } = bitcoinTemplate;
  expect(tail({ ...before, mweb: "c0ffee" })).toBe(`${tail(before)}01c0ffee`);
});

test("without a witness commitment the coinbase has no witness", () => {
  const { default_witness_commitment: _, ...old } = templateOf({
    ...bitcoinAnswer,
    target: undefined,
    transactions: [],
  });
  const coinbase = Buffer.alloc(100, 5);
  expect(encodeBlock(Buffer.alloc(80), coinbase, bodyOf(old))).toEqual(
    Buffer.concat([Buffer.alloc(80), Buffer.from([1]), coinbase]),
  );
});

test("BIP 145: a commitment that is offered before segwit is active goes into no block", () => {
  const early = templateOf({ ...bitcoinAnswer, target: undefined, rules: ["csv"], transactions: [] });
  expect(bodyOf(early).witness).toBe(false);
  expect(Buffer.from(makeJob(early, recipe, facts).coinbase2).includes(Buffer.from("aa21a9ed", "hex"))).toBe(false);
  const active = templateOf({ ...bitcoinAnswer, target: undefined, rules: ["csv", "segwit"], transactions: [] });
  expect(bodyOf(active).witness).toBe(true);
});

test("K2 miners roll no bit that the template has set, and none of a chain id", () => {
  const maskOf = (version: number) =>
    makeJob({ ...bitcoinTemplate, version, vbrequired: 0 }, recipe, facts).versionMask.toString(16);
  expect([0x2080_0000, 0x2000_0000, 0x2000_2004].map(maskOf)).toEqual(["1f7fe000", "1fffe000", "1fffc000"]);
  // Dogecoin: chain id 0x62 in the upper half, bit 8 says merge-mined.
  expect([0x0062_0004, 0x0062_0104, 4].map(maskOf)).toEqual(["e000", "e000", "e000"]);
});

test("a job's least time is the template's mintime; where that is absent, curtime", () => {
  expect(makeJob(bitcoinTemplate, recipe, facts).timeMin).toBe(bitcoinAnswer.mintime);
  const { mintime: _, ...without } = bitcoinTemplate;
  expect(makeJob(without, recipe, facts).timeMin).toBe(bitcoinAnswer.curtime);
});

test("a body comes back from shared state as it went in; damaged bytes are no body", () => {
  const bodies: fc.Arbitrary<BlockBody> = fc.record({
    height: fc.nat(),
    count: fc.nat(),
    witness: fc.boolean(),
    tail: fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(fc.property(bodies, (body) => expect(unpackBody(packBody(body))).toEqual(body)));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => expect(unpackBody(bytes)).toBeUndefined()));
});

describe("the chain's bytes", () => {
  test("block 100,000 of Bitcoin has the merkle root, the id and the work that everybody knows", () => {
    const [coinbase = Buffer.alloc(32), ...payments] = [
      "8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
      "fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
      "6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
      "e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d",
    ].map(chain.parseDisplayHash);
    const merkleRoot = chain.merkleRoot(coinbase, chain.merkleBranch(payments));
    expect(chain.displayHash(merkleRoot)).toBe("f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766");
    const previousHash = chain.parseDisplayHash("000000000002d01c1fccc21636b607dfd930d31d01c3a62104612a1719011250");
    const fields = { version: 1, previousHash, merkleRoot, time: 1_293_623_863, bits: 0x1b04_864c, nonce: 274_148_111 };
    const header = chain.encodeHeader(fields);
    expect(chain.displayHash(chain.headerId(header))).toBe(
      "000000000003ba27aa200b1cecaad478d2b00432346c3f1f3986da1afd33e506",
    );
    const hash = chain.hashToNumber(chain.proofOfWork("sha256d").hash(header));
    expect(hash <= chain.bitsToTarget(fields.bits)).toBe(true);
  });

  test("the branch gives the root of the whole tree, for any number of transactions", () => {
    const ids = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { minLength: 1, maxLength: 70 });
    fc.assert(
      fc.property(ids, ([coinbase = new Uint8Array(32), ...rest]) => {
        expect(Buffer.from(chain.merkleRoot(coinbase, chain.merkleBranch(rest)))).toEqual(
          wholeTree([coinbase, ...rest]),
        );
      }),
    );
  });
});

test("job ids never repeat and fit the contract", () => {
  const [ours, theirs] = [jobIds(0x00aa_bbcc), jobIds(0xffff_ffee)];
  const ids = Array.from({ length: 300 }, () => [ours(), theirs()]).flat();
  expect(new Set(ids).size).toBe(600);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}$/);
});

/** The definition, without any short cut. */
function wholeTree(level: readonly Uint8Array[]): Buffer {
  const [first, second] = level;
  if (first && !second) return Buffer.from(first);
  const next: Buffer[] = [];
  for (let i = 0; i < level.length; i += 2) {
    const left = level[i] ?? new Uint8Array(32);
    next.push(chain.sha256d(Buffer.concat([left, level[i + 1] ?? left])));
  }
  return wholeTree(next);
}
