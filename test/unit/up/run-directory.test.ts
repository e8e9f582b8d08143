// Where a run keeps its things: what a killed one left, and runs beside each other.

import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { createRunDirectory } from "../../../bin/up/run-directory.js";
import { claim } from "../../../circus/index.js";
import { atEnd } from "../../kit/cleanup.js";

function root(): string {
  const folder = mkdtempSync(join(tmpdir(), "runs-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const quiet = (): void => {};
const current = (folder: string): string => readlinkSync(join(folder, "current"));

test("what a run that was killed left is cleared away, whoever has its pid by now", async () => {
  const folder = root();
  const stale = `20260101-000000-${process.ppid}`; // A pid that lives.
  for (const part of ["logs", "data", "sockets"]) mkdirSync(join(folder, stale, part), { recursive: true });
  writeFileSync(join(folder, stale, "headframe.toml"), "secret = 1");
  const run = await createRunDirectory(folder, quiet);
  expect(readdirSync(join(folder, stale))).toEqual(["logs"]);
  await run.clear();
});

test("a second run by the same file is refused and changes nothing, by whatever name it calls it", async () => {
  const folder = root();
  const [file, link] = [join(folder, "pool.toml"), join(folder, "link.toml")];
  writeFileSync(file, "");
  symlinkSync(file, link);
  const run = await createRunDirectory(folder, quiet, file);
  const before = [readdirSync(folder), current(folder)];
  await expect(createRunDirectory(folder, quiet, link)).rejects.toThrow(/runs here already .*pid \d+\); end it first/);
  expect([readdirSync(folder), current(folder)]).toEqual(before);
  await run.clear();
  const next = await createRunDirectory(folder, quiet, link); // It has ended.
  await next.clear();
});

test("`current` leads to the newest run that lives", async () => {
  const folder = root();
  const other = "20260101-000000-1"; // Another process' run: held by a claim of its own.
  mkdirSync(join(folder, other));
  const held = claim(join(folder, other));
  expect(held).toBeDefined();
  const run = await createRunDirectory(folder, quiet);
  expect(run.path.endsWith(current(folder))).toBe(true);
  await run.clear();
  expect(current(folder)).toBe(other);
  held?.release();
});
