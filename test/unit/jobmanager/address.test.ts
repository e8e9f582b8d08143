import { describe, expect, test } from "@jest/globals";
import { bech32, bech32m } from "bech32";
import bs58check from "bs58check";
import fc from "fast-check";
import { coinOf, type Network, type Preset, scriptOfAddress } from "../../../services/jobmanager/coins/index.js";

const script = (address: string, coin: Preset = "litecoin", network: Network = "main"): string =>
  scriptOfAddress(address, coinOf(coin, network)).toString("hex");

test.each([
  [
    "a version 0 key hash (BIP 173)",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "0014751e76e8199196d454941c45d1b3a323f1433bd6",
  ],
  [
    "the same in capitals",
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
    "0014751e76e8199196d454941c45d1b3a323f1433bd6",
  ],
  [
    "taproot (BIP 350)",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
  ],
  ["a base58 key hash", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "76a91477bff20c60e522dfaa3350c39b030a5d004e839a88ac"],
  ["a base58 script hash", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "a914b472a266d0bd89c13706a4132ccfb16f7c3b9fcb87"],
])("Bitcoin: %s", (_, address, expected) => {
  expect(script(address, "bitcoin")).toBe(expected);
});

test("Litecoin: every form that a wallet shows, on every network", () => {
  const hash = Buffer.alloc(20, 0xab);
  const forms: [Network, string, number, number[]][] = [
    ["main", "ltc", 0x30, [0x32, 0x05]],
    ["test", "tltc", 0x6f, [0x3a, 0xc4]],
    ["regtest", "rltc", 0x6f, [0x3a, 0xc4]],
  ];
  for (const [network, prefix, key, scripts] of forms) {
    expect(script(bech32.encode(prefix, [0, ...bech32.toWords(hash)]), "litecoin", network)).toBe(
      `0014${"ab".repeat(20)}`,
    );
    expect(script(base58(key, hash), "litecoin", network)).toBe(`76a914${"ab".repeat(20)}88ac`);
    for (const version of scripts)
      expect(script(base58(version, hash), "litecoin", network)).toBe(`a914${"ab".repeat(20)}87`);
  }
});

test("any witness program of any version comes out as it went in", () => {
  const program = fc
    .integer({ min: 1, max: 16 })
    .chain((version) => fc.tuple(fc.constant(version), fc.uint8Array({ minLength: 2, maxLength: 40 })));
  fc.assert(
    fc.property(program, ([version, bytes]) => {
      const address = bech32m.encode("ltc", [version, ...bech32m.toWords(bytes)]);
      const expected = Buffer.from([0x50 + version, bytes.length, ...bytes]);
      expect(script(address)).toBe(expected.toString("hex"));
    }),
  );
});

describe("what must not be paid is refused with its reason", () => {
  const key = Buffer.alloc(20, 1);
  test.each([
    [
      "another network's",
      bech32.encode("tltc", [0, ...bech32.toWords(key)]),
      /no address of litecoin main\. Use an address that begins with ltc1/,
    ],
    [
      "another coin's base58",
      "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
      /another network \(version byte 0\).*litecoin main/,
    ],
    [
      "an MWEB",
      bech32.encode("ltcmweb", [0, ...bech32.toWords(Buffer.alloc(66, 2))], 200),
      /MWEB address: a coinbase cannot pay/,
    ],
    ["a mistyped bech32", "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n8", /wrong checksum/],
    ["a mistyped base58", "LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc2", /no address/],
    ["a version 0 in bech32m", bech32m.encode("ltc", [0, ...bech32.toWords(key)]), /checksum of another address form/],
    [
      "a version 0 of odd length",
      bech32.encode("ltc", [0, ...bech32.toWords(Buffer.alloc(21))]),
      /no usable witness program/,
    ],
    ["an empty", "", /no address/],
  ])("%s address", (_, address, reason) => {
    expect(() => script(address)).toThrow(reason);
  });

  test("no text makes it throw anything but a sentence, or pay by accident", () => {
    fc.assert(fc.property(fc.string({ maxLength: 90 }), (text) => expect(() => script(text)).toThrow(/Use|checksum/)));
  });
});

const base58 = (version: number, hash: Uint8Array): string => bs58check.encode(Buffer.from([version, ...hash]));
