// Examples are read to be copied, so they run, and the README shows what runs.

import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { execa } from "execa";
import { atEnd } from "../kit/cleanup.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Resolves when it has answered and ticked. */
async function startClock(url: string) {
  const env = { HEADFRAME__REDIS__URL: url };
  const clock = execa(process.execPath, [at("../../examples/clock.js")], { env, reject: false, timeout: 60_000 });
  atEnd(() => clock.kill("SIGKILL"));
  let said = "";
  clock.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await until(
    "it has answered and ticked",
    10_000,
    () => /asked: \{ ms: \d+ \}/.test(said) && /clock-\w+ says it is \d+/.test(said),
  );
  return { clock }; // Wrapped: the process is a promise of its end, which nobody shall wait for here.
}

test("examples/clock.ts answers, ticks, and ends at Ctrl-C", async () => {
  const redis = await startRedis();
  const { clock } = await startClock(redis.url);
  clock.kill("SIGINT");
  expect(await clock).toMatchObject({ exitCode: 0 });
});

test("examples/python/client.py finds an instance, calls it, hears its pushes, and says what went wrong", async () => {
  const redis = await startRedis();
  await startClock(redis.url);
  const client = at("../../../examples/python/client.py");
  // Debian's own: another Python on the path lacks its packages.
  const python = async (...words: string[]) => {
    const all = [client, "--redis", redis.url, "--cluster", "example", ...words];
    const { exitCode, stdout, stderr } = await execa("/usr/bin/python3", all, { reject: false, timeout: 20_000 });
    return { exitCode, lines: stdout.split("\n"), stderr };
  };
  const good = await python("clock", "time", "{}", "--subscribe", "tick", "--count", "2");
  const ms = expect.stringMatching(/\{"ms": \d+\.0\}$/);
  expect(good).toEqual({ exitCode: 0, lines: [ms, ms, ms], stderr: "" });
  expect(good.lines.slice(1).map((line) => line.split(" ")[0])).toEqual(["1", "2"]);
  expect(await python("clock", "tme")).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("[NO_METHOD]") });
  expect(await python("clock", "time", "[]")).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("[INVALID_REQUEST] time: the request does not fit the contract"),
  });
  const wrong = join(await mkdtemp(join(tmpdir(), "hf-secret-")), "secret");
  atEnd(() => rm(dirname(wrong), { recursive: true, force: true }));
  await writeFile(wrong, "ab".repeat(32));
  expect(await python("clock", "time", "--secret-file", wrong)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("[UNAUTHENTICATED]"),
  });
  expect(await python("clok", "time")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("no ready instance"),
  });
});

test("the README shows the example as it is", () => {
  const code = readFileSync(at("../../../examples/clock.ts"), "utf8").split("\n\n").slice(1).join("\n\n");
  expect(readFileSync(at("../../../README.md"), "utf8")).toContain(code.trim());
});
