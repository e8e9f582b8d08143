// Examples are read to be copied, so they run, and the README shows what runs.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { execa } from "execa";
import { atEnd } from "../kit/cleanup.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

test("examples/clock.ts answers, ticks, and ends at Ctrl-C", async () => {
  const redis = await startRedis();
  const env = { HEADFRAME__REDIS__URL: redis.url };
  const clock = execa(process.execPath, [at("../../examples/clock.js")], { env, reject: false, timeout: 30_000 });
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
  clock.kill("SIGINT");
  expect(await clock).toMatchObject({ exitCode: 0 });
});

test("the README shows the example as it is", () => {
  const code = readFileSync(at("../../../examples/clock.ts"), "utf8").split("\n\n").slice(1).join("\n\n");
  expect(readFileSync(at("../../../README.md"), "utf8")).toContain(code.trim());
});
