import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseTemplate, template } from "../../../services/jobmanager/template.js";

const RULES = ["segwit", "csv"];

const head = {
  version: 0x2000_0000,
  previousblockhash: "ab".repeat(32),
  coinbaseaux: {},
  coinbasevalue: 625_000_000,
  mintime: 1,
  curtime: 2,
  bits: "1d00ffff",
  height: 7,
  rules: ["csv", "!segwit"],
  default_witness_commitment: `6a24aa21a9ed${"aa".repeat(32)}`,
};

const hexText = fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEF"), minLength: 20, maxLength: 40 });
const id = fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEF"), minLength: 64, maxLength: 64 });
/** Mostly right: else hardly a list of them would be. */
const mostly = <T>(right: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 12, arbitrary: right as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: fc.anything() });
const even = hexText.map((text) => text.slice(0, 2 * Math.floor(text.length / 2)));
const transaction = fc.record(
  {
    data: mostly(fc.oneof({ weight: 9, arbitrary: even }, hexText)),
    txid: mostly(id),
    hash: mostly(id),
    fee: fc.nat(),
  },
  { requiredKeys: ["data", "txid"] },
);
const transactions = mostly(fc.array(mostly(transaction), { maxLength: 4 }));

test("transactions are believed exactly when the schema believes them, with the same values", () => {
  const kinds = new Set<string>();
  fc.assert(
    fc.property(transactions, (list) => {
      const value = { ...head, transactions: list };
      const schema = template.safeParse(value);
      const found = parseTemplate(value, RULES);
      kinds.add(found.kind);
      expect(found.kind).toBe(schema.success ? "template" : "refused");
      if (found.kind === "template") expect(found.template).toEqual(schema.data);
    }),
    { numRuns: 500 },
  );
  expect(kinds.size).toBe(2); // Else it would have proved nothing.
});

test("a transaction that is refused is named", () => {
  const good = { data: "00".repeat(60), txid: "11".repeat(32), hash: "11".repeat(32) };
  const bad = { ...good, txid: "no hash" };
  expect(parseTemplate({ ...head, transactions: [good, bad] }, RULES)).toMatchObject({
    kind: "refused",
    reason: expect.stringContaining("transactions.1.txid"),
  });
});

const reasonOf = (answer: object): string => {
  const parsed = parseTemplate({ ...head, transactions: [], ...answer }, RULES);
  return parsed.kind === "refused" ? parsed.reason : "believed";
};

test("T2 a template under a rule that we do not know is refused by the rule's name", () => {
  expect(reasonOf({ rules: ["!segwit", "!mweb"] })).toMatch(/demands the rule mweb/);
  expect(reasonOf({ rules: ["!segwit", "mweb"] })).toBe("believed"); // Not demanded.
});

test("a template with witness transactions is refused without a commitment, and where segwit is not active", () => {
  const transactions = [{ data: "00".repeat(60), txid: "11".repeat(32), hash: "22".repeat(32) }];
  expect(reasonOf({ transactions })).toBe("believed");
  expect(reasonOf({ transactions, default_witness_commitment: undefined })).toMatch(/no default_witness_commitment/);
  expect(reasonOf({ transactions, rules: ["csv"] })).toMatch(/segwit is not among its rules/);
});

test("T4 a template that demands what we do not do is refused by name; one that names it and asks for nothing is believed", () => {
  const payee = { payee: "yTZ", script: "76a9", amount: 5 };
  const demands: [object, RegExp][] = [
    [{ masternode: [payee] }, /masternode outputs \(masternode\)/],
    [{ masternode: payee }, /masternode/],
    [{ superblock: [payee] }, /superblock/],
    [{ payee: "DBx", payee_amount: 3 }, /masternode output \(payee\)/],
    [{ coinbase_payload: "0200" }, /payload/],
    [{ coinbasetxn: { minerfund: { addresses: ["ecash:q"], minimumvalue: 2 } } }, /coinbasetxn/],
    [{ coinbasetxn: { stakingrewards: { payoutscript: { hex: "76" }, minimumvalue: 2 } } }, /coinbasetxn/],
    [{ signet_challenge: "5121" }, /signature in the block/],
    [{ default_witness_commitment: "aa".repeat(32) }, /default_witness_commitment is no output script/],
    [{ maxtime: head.curtime + 60 }, /maxtime/],
  ];
  for (const [answer, reason] of demands) expect(reasonOf(answer)).toMatch(reason);
  const nothing = { masternode: [], superblock: [], coinbase_payload: "", payee: null, payee_amount: 0 };
  const noFund = { coinbasetxn: { minerfund: { addresses: [], minimumvalue: 0 } }, masternode_payments_enforced: true };
  expect(reasonOf({ ...nothing, ...noFund, maxtime: head.curtime + 7_200 })).toBe("believed");
});

test("T5 what a daemon may leave out may be absent or null; a transaction's hash alone is its txid", () => {
  const bare = { coinbaseaux: null, vbrequired: null, longpollid: null, target: null, mweb: null, mintime: undefined };
  expect(reasonOf(bare)).toBe("believed");
  const transactions = [{ data: "00".repeat(60), hash: "11".repeat(32) }];
  const parsed = parseTemplate({ ...head, ...bare, transactions }, RULES);
  expect(parsed).toMatchObject({ kind: "template", template: { transactions: [{ txid: "11".repeat(32) }] } });
  expect(reasonOf({ transactions: [{ data: "00".repeat(60) }] })).toMatch(/transactions.0.txid/);
});
