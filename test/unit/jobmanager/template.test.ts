import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseTemplate, template } from "../../../services/jobmanager/template.js";

const RULES = ["segwit"];

const head = {
  version: 0x2000_0000,
  previousblockhash: "ab".repeat(32),
  coinbaseaux: {},
  coinbasevalue: 625_000_000,
  mintime: 1,
  curtime: 2,
  bits: "1d00ffff",
  height: 7,
  default_witness_commitment: "aabb",
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
