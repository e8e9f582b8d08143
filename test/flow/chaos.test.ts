// The breaking machine itself, briefly: a whole pool, some faults of all kinds that this machine can do, and nobody notices.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import type { Result } from "../../chaos/report.js";
import { atEnd } from "../kit/cleanup.js";

const MAIN = fileURLToPath(new URL("../../chaos/main.js", import.meta.url));
const TEST_MS = 180_000;
/** Tests share their machine: the seconds of C1 and C2 are measured by long runs on an idle one. */
const PATIENCE = 6;
test(
  "a pool whose every part is killed, stopped, swapped, frozen or cut off keeps its clients, their shares and their order",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "hf-chaos-"));
    atEnd(() => rm(folder, { recursive: true, force: true }));
    const json = join(folder, "result.json");
    const numbers = { seed: 3, seconds: 20, clients: 50, patience: PATIENCE };
    const flags = Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    const args = [MAIN, ...flags, "--json", json];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder }).catch((error) => {
      throw new Error(`chaos ended with code ${error.code}:\n${error.stdout}\n${error.stderr}`);
    });
    expect(stdout).toContain("seed 3: every promise held");
    const result = JSON.parse(await readFile(json, "utf8")) as Result;
    expect(result.faults).toBeGreaterThanOrEqual(3);
    expect(result.counts).toMatchObject({ disconnected: 0, lost: 0, double: 0, refused: 0, strange: 0 });
    expect(result.counts.accepted).toBeGreaterThan(500);
    expect(result.counts.recorded).toBeGreaterThanOrEqual(result.counts.accepted);
  },
  TEST_MS,
);
