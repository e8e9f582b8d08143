import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { compactSize, pushBytes, pushNumber, scriptNumber } from "../../../services/jobmanager/bytes.js";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("compactSize", () => {
  test("is as the reference says at the borders of its forms", () => {
    const forms = [0, 252, 253, 65_535, 65_536, 4_294_967_295, 4_294_967_296].map((n) => hex(compactSize(n)));
    expect(forms).toEqual(["00", "fc", "fdfd00", "fdffff", "fe00000100", "feffffffff", "ff0000000001000000"]);
  });

  test("reads back as the same number, in the shortest form", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (n) => {
        const bytes = compactSize(n);
        expect(readCompactSize(bytes)).toEqual({ n, length: bytes.length });
        expect(bytes.length).toBe(n < 0xfd ? 1 : n <= 0xffff ? 3 : n <= 0xffff_ffff ? 5 : 9);
      }),
    );
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 53])("refuses %p, which is no count", (n) => {
    expect(() => compactSize(n)).toThrow(/no count/);
  });
});

describe("numbers in scripts", () => {
  test("are as Bitcoin Core writes them", () => {
    const numbers = [0, 1, -1, 127, 128, -128, 255, 256, 840_000];
    expect(numbers.map((n) => hex(scriptNumber(n)))).toEqual([
      "",
      "01",
      "81",
      "7f",
      "8000",
      "8080",
      "ff00",
      "0001",
      "40d10c",
    ]);
  });

  test("read back as the same number", () => {
    fc.assert(fc.property(fc.integer(), (n) => expect(readScriptNumber(scriptNumber(n))).toBe(n)));
  });

  test("are pushed in the form that the BIP 34 check compares with: opcodes for 0 to 16, bytes above", () => {
    expect([0, 1, 16, 17, 500, 840_000].map((n) => hex(pushNumber(n)))).toEqual([
      "00",
      "51",
      "60",
      "0111",
      "02f401",
      "0340d10c",
    ]);
  });
});

test("bytes are pushed with their length, and with an opcode of its own from 76 on", () => {
  expect(hex(pushBytes(Buffer.alloc(75)).subarray(0, 2))).toBe("4b00");
  expect(hex(pushBytes(Buffer.alloc(76)).subarray(0, 3))).toBe("4c4c00");
  expect(() => pushBytes(Buffer.alloc(256))).toThrow(RangeError);
});

function readCompactSize(bytes: Buffer): { n: number; length: number } {
  const first = bytes.readUInt8(0);
  if (first < 0xfd) return { n: first, length: 1 };
  if (first === 0xfd) return { n: bytes.readUInt16LE(1), length: 3 };
  if (first === 0xfe) return { n: bytes.readUInt32LE(1), length: 5 };
  return { n: Number(bytes.readBigUInt64LE(1)), length: 9 };
}

function readScriptNumber(bytes: Buffer): number {
  const magnitude = bytes.reduceRight((sum, byte, i) => sum * 256 + (i === bytes.length - 1 ? byte & 0x7f : byte), 0);
  return (bytes.at(-1) ?? 0) & 0x80 ? -magnitude : magnitude;
}
