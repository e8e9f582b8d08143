// What goes on while a command runs: the line that says what is waited for, and logs that are written, and rotated, meanwhile.

import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { LogFiles, newestLogs } from "../../../bin/logs/files.js";
import { patiently } from "../../../bin/patience.js";
import { atEnd } from "../../kit/cleanup.js";
import { until } from "../../kit/until.js";

function stream(isTTY: boolean) {
  const said: string[] = [];
  return { said, stream: { isTTY, write: (text: string) => said.push(text) } as unknown as NodeJS.WriteStream };
}

test("what takes longer than a second says what it waits for, on a terminal, and takes it back", async () => {
  const [slow, quick, piped] = [stream(true), stream(true), stream(false)];
  await Promise.all([
    patiently("Redis", delay(1_200), slow.stream),
    patiently("Redis", Promise.resolve(), quick.stream),
    patiently("Redis", delay(1_200), piped.stream),
  ]);
  expect(slow.said[0]).toContain("waiting for Redis ... 1 s");
  expect(slow.said.at(-1)).toBe("\r\x1b[K");
  expect([...quick.said, ...piped.said]).toEqual([]);
});

test("logs are followed line by line, whole lines only, through a rotation and into files that come later", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hf-logs-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const log = join(folder, "stratum.log");
  await writeFile(log, "one\ntwo\n");
  const files = new LogFiles(folder);
  atEnd(() => files.close());
  expect(await files.read()).toEqual([
    { source: "stratum", text: "one" },
    { source: "stratum", text: "two" },
  ]);
  const end = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const lines of files.follow(end.signal))
      seen.push(...lines.map(({ source, text }) => `${source} ${text}`));
  })();
  await appendFile(log, "three\nfo");
  await until("the whole line is told", 5_000, () => seen.includes("stratum three"));
  await appendFile(log, "ur\n");
  await rename(log, `${log}.1`);
  await writeFile(log, "five\n");
  await writeFile(join(folder, "edge.log"), "hello\n");
  await until("everything is told", 5_000, () => seen.length === 4);
  end.abort();
  await following;
  expect(seen.sort()).toEqual(["edge hello", "stratum five", "stratum four", "stratum three"]);
});

test("the logs are those of the newest run, also after its end", async () => {
  const root = await mkdtemp(join(tmpdir(), "hf-runs-"));
  atEnd(() => rm(root, { recursive: true, force: true }));
  expect(await newestLogs(root)).toBeUndefined();
  for (const run of ["20260101-000000-1", "20260102-000000-1", "other"]) await writeFile(join(root, run), "");
  expect(await newestLogs(root)).toBe(join(root, "20260102-000000-1", "logs"));
});
