// What the command line answers to wrong words, and what it says of itself: in this process, as headframe.ts calls it.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { COMMANDS, helpOf, runCli } from "../../../bin/cli.js";
import { exitCodeOf, explain } from "../../../bin/failure.js";
import { loadOwn } from "../../../bin/own-service.js";
import type { House } from "../../../lib/wiring/index.js";
import { atEnd } from "../../kit/cleanup.js";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const TALK = here("../../../examples/line-server/talk.js");
const NO_CONTRACT = here("../../../examples/line-server/session.js");

async function fail(...words: string[]): Promise<{ code: number; said: string }> {
  try {
    await runCli(words);
  } catch (error) {
    return { code: exitCodeOf(error), said: explain(error) };
  }
  throw new Error(`${words.join(" ")} was taken`);
}

test.each([
  ["no command", [], "name a command"],
  ["an unknown command", ["upp"], "Did you mean up?"],
  ["an unknown command of a command", ["shares", "tial"], "Did you mean tail?"],
  ["an unknown flag", ["ps", "--jsonn"], "Unknown argument: jsonn Did you mean --json?"],
  ["an unknown flag of an inner command", ["shares", "tail", "--folow"], "Did you mean --follow?"],
  ["an unknown service", ["call", "reportr", "pool"], "did you mean reporter?"],
  ["a service of one's own without its contract", ["call", "talk", "status"], "needs --contract FILE"],
  ["a contract's file that is not there", ["call", "talk", "status", "--contract", "/none.js"], "cannot be loaded"],
  ["a file without a contract", ["call", "talk", "status", "--contract", NO_CONTRACT], "exports no contract"],
  ["a wrong request to one's own", ["call", "talk", "status", "[]", "--contract", TALK], "expected object"],
  ["an unknown method", ["call", "reporter", "pol"], "it has recordShares"],
  ["an unknown push", ["subscribe", "jobmanager", "jobs"], "it has job, pulse, block"],
  ["a request that is no JSON", ["call", "reporter", "workers", "{"], "the request is not valid JSON"],
  ["a request that does not fit", ["call", "reporter", "workers", '{"limit":"x"}'], "limit: expected number"],
  ["a request beyond a bound", ["call", "reporter", "workers", '{"limit":100000}'], "limit: expected at most 1000"],
  ["a call without its arguments", ["call"], "headframe call <service> <method> [request]"],
  ["a swap without its argument", ["swap"], "an argument is missing: headframe swap <service>"],
  ["a process manager's file that is not there", ["up", "--circus", "/none"], "cannot read /none"],
  ["a flag without its value", ["logs", "--share"], "Not enough arguments following: share"],
  ["a time that is none", ["up", "--for", "-1"], "--for takes a number of seconds"],
  ["a time that no timer holds", ["up", "--for", "3000000"], "at most 2147483"],
  ["a level for longer than a timer holds", ["log-level", "all", "debug", "--for", "1e9"], "at most 2147483"],
  ["looks that no timer waits for", ["top", "--every", "1e9"], "at most 2147483"],
  ["a time-out that is none", ["call", "reporter", "status", "--timeout", "soon"], "--timeout takes a number"],
  ["a level that is none", ["log-level", "all", "loud"], "debug"],
  ["a number that is none", ["miners", "--limit", "0"], "--limit takes a number"],
])("%s is wrong usage and says what is accepted", async (_what, words, expected) => {
  const { code, said } = await fail(...words);
  expect(said).toContain(expected);
  expect(code).toBe(2);
});

test("a service that resembles none gets the list, and no guess", async () => {
  const { said } = await fail("call", "nosuch", "x");
  expect(said).not.toContain("did you mean");
  expect(said).toContain("there are dashboard, edge");
});

test("a cause that its message quotes already is not printed twice", () => {
  const cause = new Error("connect ECONNREFUSED");
  expect(explain(new Error("Redis: connect ECONNREFUSED", { cause }))).toBe("Redis: connect ECONNREFUSED");
  expect(explain(new Error("Redis is away", { cause }))).toBe("Redis is away\n  because: connect ECONNREFUSED");
});

test("an exception in a service of one's own is shown with its stack", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hf-own-"));
  atEnd(() => rm(folder, { recursive: true }));
  const file = join(folder, "own.mjs");
  await writeFile(file, 'export const name = "own";\nexport function open() {\n  throw new TypeError("boom");\n}\n');
  const { open } = await loadOwn(file, { config: undefined, set: [] });
  const thrown = await open({} as House).catch((error: unknown) => error);
  expect(explain(thrown)).toMatch(/^own: open\(\) failed\nTypeError: boom\n +at .*own\.mjs:3/);
});

test.each(Object.keys(COMMANDS))("%s explains itself", async (command) => {
  const help = await helpOf([command]);
  expect(help).toContain(`headframe ${command}`);
  expect(help).toContain("--help");
});
