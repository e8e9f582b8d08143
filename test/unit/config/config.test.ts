// The configuration's errors are read by somebody who wants to be done: each must say where, what was found, what is accepted.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { z } from "zod";
import { ConfigError, loadConfig } from "../../../lib/config/index.js";

const schema = z.strictObject({
  cluster: z.string().max(8).default("pool").describe("Names this installation."),
  redis: z
    .strictObject({
      url: z.string().default("redis://127.0.0.1"),
      connectTimeoutMs: z.number().int().default(5_000).describe("Milliseconds."),
    })
    .prefault({}),
  listeners: z.array(z.strictObject({ name: z.string(), port: z.number().int().max(65_535) })).default([]),
  payout: z.union([z.strictObject({ address: z.string() }), z.strictObject({ script: z.string() })]).optional(),
  password: z.string().min(8).optional(),
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "headframe-config-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(text: string): Promise<string> {
  const path = join(folder, "headframe.toml");
  await writeFile(path, text);
  return path;
}

function complaint(sources: Parameters<typeof loadConfig>[1]): string {
  try {
    loadConfig(schema, sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "accepted";
}

test("without any source the defaults hold", () => {
  expect(loadConfig(schema, {})).toEqual({
    cluster: "pool",
    redis: { url: "redis://127.0.0.1", connectTimeoutMs: 5_000 },
    listeners: [],
  });
});

test("the environment overrides the file, flags override both, names match without regard to case", async () => {
  const sources = {
    file: await file('cluster = "a"\n[redis]\nconnectTimeoutMs = 1\n[[listeners]]\nname = "x"\nport = 1\n'),
    environment: { HEADFRAME__REDIS__CONNECTTIMEOUTMS: "2", HEADFRAME__CLUSTER: "b", OTHER: "c" },
    overrides: ["redis.connectTimeoutMs=3", "listeners.0.port=99"],
  };
  expect(loadConfig(schema, sources)).toMatchObject({
    cluster: "b",
    redis: { connectTimeoutMs: 3 },
    listeners: [{ name: "x", port: 99 }],
  });
});

test.each([
  [
    "a wrong type",
    "[redis]\nconnectTimeoutMs = 'soon'",
    'redis.connectTimeoutMs: found "soon"; expected number. Milliseconds.',
  ],
  ["a key that does not exist", "clusster = 'x'", "clusster: unknown key; did you mean cluster?"],
  [
    "a key that resembles nothing",
    "[redis]\nnonsense = 1",
    "redis.nonsense: unknown key; known here: url, connectTimeoutMs",
  ],
  ["a value inside a list", "[[listeners]]\nname = 'x'\nport = 70000", "listeners[0].port: found 70000;"],
  ["the alternative that fits best", "[payout]\naddress = 7", "payout.address: found 7; expected string"],
])("%s is refused with file, key, what was found and what is accepted", async (_what, text, expected) => {
  const path = await file(text);
  expect(complaint({ file: path })).toContain(`${path}: ${expected}`);
});

test("all mistakes are reported together", async () => {
  const text = complaint({ file: await file("cluster = 1\nlisteners = 2\n") });
  expect(text.split("\n")).toHaveLength(2);
});

test("a mistake in the environment or a flag names it, not the file", () => {
  expect(complaint({ environment: { HEADFRAME__CLUSTER: "far too long" } })).toContain("HEADFRAME__CLUSTER: cluster");
  expect(complaint({ overrides: ["redis.connectTimeoutMs=x"] })).toContain("--set: redis.connectTimeoutMs");
  expect(complaint({ overrides: ["redis"] })).toContain("expected KEY=VALUE");
});

test.each([
  ["a password that is too short", "password = 'hunter2'", "password: found ***"],
  ["a password without quotes", "password = 12345678", "password: found a number that is not shown here"],
  ["a text that lacks its closing quote", 'password = "hunter2', "not valid TOML"],
  ["a text over several lines", "password = '''\nhunter2\n'' x", "not valid TOML"],
  ["a URL in the place of a table", "redis = 'redis://u:hunter2@h'", 'redis: found "redis://u:***@h"'],
  ["a table in the place of a text", "cluster = { password = 'hunter2' }", 'cluster: found {"password":"***"}'],
])("no message repeats a secret: %s", async (_what, text, expected) => {
  const said = complaint({ file: await file(text) });
  expect(said).toContain(expected);
  expect(said).not.toMatch(/hunter2|12345678/);
});

test("the cause of a configuration error quotes no line of the file", async () => {
  const sources = { file: await file("password = 'hunter2") };
  const causes: string[] = [];
  try {
    loadConfig(schema, sources);
  } catch (error) {
    for (let at: unknown = error; at instanceof Error; at = at.cause) causes.push(`${at.stack}`);
  }
  expect(causes).not.toHaveLength(0);
  expect(causes.join("\n")).not.toContain("hunter2");
});

test("an override is taken whole: digits where the key wants text, a number sign, a line end", () => {
  const set = (...overrides: string[]) => loadConfig(schema, { overrides });
  expect(set("password=1234567890").password).toBe("1234567890");
  expect(set('password="abc" # def').password).toBe('"abc" # def');
  expect(set('password="abcdefgh"\nx = 1').password).toBe('"abcdefgh"\nx = 1');
  expect(set('password="in quotes"').password).toBe("in quotes");
  expect(set("redis.connectTimeoutMs=12").redis.connectTimeoutMs).toBe(12);
  expect(set('listeners=[{ name = "x", port = 1 }]').listeners).toEqual([{ name: "x", port: 1 }]);
});

test.each([
  ["__proto__.polluted=1", "__proto__"],
  ["redis.__proto__.polluted=1", "redis.__proto__"],
  ["constructor.prototype.polluted=1", "constructor"],
  ["redis..url=x", "redis."],
])("a key that reaches the prototype of every object is refused: %s", (override, named) => {
  expect(complaint({ overrides: [override] })).toBe(`--set: ${named}: no setting has this name`);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test.each(["listeners.1.name=x", "listeners.length=5", "listeners.4000000000.name=x", "listeners.-1.name=x"])(
  "an entry of a list is added at its end only: %s",
  (override) => {
    expect(complaint({ overrides: ["listeners=[]", override] })).toContain(
      "listeners is a list of 0; expected an index",
    );
  },
);

test("a byte-order mark before the first key is skipped", async () => {
  expect(loadConfig(schema, { file: await file("\uFEFFcluster = 'a'") }).cluster).toBe("a");
});

test("a file that is too large is refused before it is read", async () => {
  expect(complaint({ file: await file(`# ${"x".repeat(1_048_576)}`) })).toMatch(/1048578 bytes; at most 1048576/);
});

test("broken TOML names line and column; a missing file is named", async () => {
  expect(complaint({ file: await file("a = 1\nb = = 2\n") })).toMatch(/headframe\.toml:2:\d+: not valid TOML/);
  expect(complaint({ file: join(folder, "nowhere.toml") })).toContain("nowhere.toml");
});
