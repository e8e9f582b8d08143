// cleanup: what a test opened ends with the test, the last opened first, whether the test passed or not.
//
// Importing this module puts one afterEach and one afterAll hook into the test file (each file has its own copy).

import { afterAll, afterEach } from "@jest/globals";

/** "test": ends with the test that opened it. "file": opened in beforeAll, ends with the file. */
export type Keep = "test" | "file";

type End = () => Promise<unknown> | unknown;

const ends: Record<Keep, End[]> = { test: [], file: [] };

/** Runs `end` when the test (or the file) is over. A failure in one does not keep the others from running. */
export function atEnd(end: End, keep: Keep = "test"): void {
  ends[keep].push(end);
}

async function run(list: End[]): Promise<void> {
  const failures: unknown[] = [];
  for (let end = list.pop(); end; end = list.pop()) {
    try {
      await end();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, "a test's resources did not close cleanly");
}

/** Servers may take a moment to go; a hook that hangs longer is a bug of what it closes. */
const CLEANUP_MS = 20_000;

afterEach(() => run(ends.test), CLEANUP_MS);
afterAll(() => run(ends.file), CLEANUP_MS);
