import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { compactSize, pushNumber } from "../../../services/jobmanager/bytes.js";
import { type CoinbaseFields, SALT_BYTES, splitCoinbase, withWitness } from "../../../services/jobmanager/coinbase.js";

const plain: CoinbaseFields = {
  height: 840_000,
  aux: Buffer.alloc(0),
  salt: Buffer.from("0011223344556677", "hex"),
  extranonceBytes: 8,
  tag: Buffer.from("/pool/"),
  outputs: [{ value: 5_000_000_000, script: Buffer.from("51", "hex") }],
};

test("a split coinbase is one transaction, to the byte", () => {
  const { coinbase1, coinbase2 } = splitCoinbase(plain);
  expect(coinbase1.toString("hex")).toBe(
    `02000000${"01"}${"00".repeat(32)}ffffffff${"1c"}${"0340d10c"}${"10"}0011223344556677`,
  );
  expect(coinbase2.toString("hex")).toBe(
    `${"06"}2f706f6f6c2f${"ffffffff"}${"01"}00f2052a01000000${"0151"}${"00000000"}`,
  );
});

describe("whatever goes in", () => {
  const fields: fc.Arbitrary<CoinbaseFields> = fc.record({
    height: fc.integer({ min: 1, max: 0x7fff_ffff }),
    aux: fc.uint8Array({ maxLength: 10 }),
    salt: fc.uint8Array({ minLength: SALT_BYTES, maxLength: SALT_BYTES }),
    extranonceBytes: fc.integer({ min: 4, max: 16 }),
    tag: fc.uint8Array({ maxLength: 32 }),
    outputs: fc.array(fc.record({ value: fc.maxSafeNat(), script: fc.uint8Array({ maxLength: 300 }) }), {
      minLength: 1,
      maxLength: 3,
    }),
  });

  test("the script has at most 100 bytes, begins with the height, and the extranonce fills exactly its room", () => {
    fc.assert(
      fc.property(fields, (it) => {
        const { coinbase1, coinbase2 } = splitCoinbase(it);
        const extranonce = Buffer.alloc(it.extranonceBytes, 0xee);
        const coinbase = Buffer.concat([coinbase1, extranonce, coinbase2]);
        const length = coinbase.readUInt8(41);
        expect(length).toBeLessThanOrEqual(100);
        const script = coinbase.subarray(42, 42 + length);
        const height = pushNumber(it.height);
        expect(script.subarray(0, height.length)).toEqual(height);
        expect(script.includes(Buffer.concat([it.salt, extranonce]))).toBe(true);
        expect(coinbase.subarray(42 + length, 46 + length).toString("hex")).toBe("ffffffff");
        expect(coinbase.subarray(46 + length, 47 + length)).toEqual(compactSize(it.outputs.length));
      }),
    );
  });

  test("its witness is put in and nothing else is changed", () => {
    fc.assert(
      fc.property(fields, (it) => {
        const { coinbase1, coinbase2 } = splitCoinbase(it);
        const bare = Buffer.concat([coinbase1, Buffer.alloc(it.extranonceBytes), coinbase2]);
        const full = withWitness(bare);
        expect(full.subarray(4, 6).toString("hex")).toBe("0001");
        expect(full.subarray(-38, -4).toString("hex")).toBe(`0120${"00".repeat(32)}`);
        expect(Buffer.concat([full.subarray(0, 4), full.subarray(6, -38), full.subarray(-4)])).toEqual(bare);
      }),
    );
  });
});

test("a script that would be too long is refused, saying whose bytes they are", () => {
  const long = { ...plain, aux: Buffer.alloc(50), tag: Buffer.alloc(32) };
  expect(() => splitCoinbase(long)).toThrow(/would have 104 bytes.*coinbaseaux takes 50.*tag 32/);
});

test("a script of exactly 100 bytes is made, one of 101 is not", () => {
  const filled = (aux: number) => splitCoinbase({ ...plain, aux: Buffer.alloc(aux), tag: Buffer.alloc(32) });
  expect(filled(46).coinbase1.readUInt8(41)).toBe(100);
  expect(() => filled(47)).toThrow(/would have 101 bytes/);
});
