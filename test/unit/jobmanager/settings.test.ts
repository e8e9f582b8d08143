import { describe, expect, test } from "@jest/globals";
import { payoutScript, settings } from "../../../services/jobmanager/settings.js";

const daemon = { name: "a", url: "http://127.0.0.1:9332/", user: "u", password: "p" };
const payout = { address: "LdP8Qox1VAhCzLJNqrr74YovaWYyNBUWvL" };
const plain = { payout, daemons: [daemon] };

test("a payout and one daemon are enough; everything else has a default", () => {
  expect(settings.parse(plain)).toMatchObject({
    coin: "litecoin",
    network: "main",
    refreshMs: 30_000,
    versionMask: 0x1fffe000,
    confirmations: 101, // A wallet spends a coinbase from here on.
  });
});

test("a coin without a preset is described in full, and pays to its own addresses", () => {
  const doge = {
    name: "dogecoin",
    proofOfWork: "scrypt",
    rules: [],
    chain: "main",
    address: { publicKeyHash: [0x1e], scriptHash: [0x16] },
  };
  const parsed = settings.parse({ ...plain, coin: doge, payout: { address: "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L" } });
  expect(payoutScript(parsed).toString("hex")).toMatch(/^76a914[0-9a-f]{40}88ac$/);
});

test("a script can be paid as it is", () => {
  expect(payoutScript(settings.parse({ ...plain, payout: { script: "51" } })).toString("hex")).toBe("51");
});

describe("what is refused names the key and the reason", () => {
  test.each([
    ["no payout", { daemons: [daemon] }, "payout", /./],
    [
      "another coin's address",
      { ...plain, payout: { address: "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2" } },
      "payout.address",
      /another network/,
    ],
    ["no daemon", { ...plain, daemons: [] }, "daemons", /./],
    ["two daemons of one name", { ...plain, daemons: [daemon, daemon] }, "daemons", /same name/],
    [
      "a URL that is none",
      { ...plain, daemons: [{ ...daemon, url: "127.0.0.1:9332" }] },
      "daemons.0.url",
      /expected http/,
    ],
    [
      "credentials in the URL",
      { ...plain, daemons: [{ ...daemon, url: "http://u:p@h:1/" }] },
      "daemons.0.url",
      /not into the url/,
    ],
    [
      "a cookie and a password",
      { ...plain, daemons: [{ ...daemon, cookieFile: "/c" }] },
      "daemons.0.cookieFile",
      /not both/,
    ],
    ["no credentials", { ...plain, daemons: [{ name: "a", url: daemon.url }] }, "daemons.0.user", /needed/],
    ["a refresh that lets miners think us dead", { ...plain, refreshMs: 60_000 }, "refreshMs", /55000/],
    ["an extranonce2 of one byte", { ...plain, extranonce2Size: 1 }, "extranonce2Size", /./],
    ["a tag that does not fit", { ...plain, tag: "x".repeat(33) }, "tag", /./],
    ["a misspelt key", { ...plain, paylout: 1 }, "", /paylout/],
    ["a coin that nobody knows", { ...plain, coin: "notacoin" }, "coin", /./],
  ])("%s", (_, value, path, reason) => {
    const issues = settings.safeParse(value).error?.issues ?? [];
    const found = issues.find((issue) => issue.path.join(".") === path);
    expect(issues.map((issue) => issue.path.join("."))).toContain(path);
    expect(found?.message).toMatch(reason);
  });
});
