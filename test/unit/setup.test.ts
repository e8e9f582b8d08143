// bin/setup in a checkout of its own, with a compiler that does nothing but take its time.

import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { execa } from "execa";
import { atEnd } from "../kit/cleanup.js";
import { until } from "../kit/until.js";

const SETUP = fileURLToPath(new URL("../../../bin/setup", import.meta.url));

/** Writes what the source says into the folder that it is given, after `seconds`; notes each call. */
const COMPILER = `#!/bin/sh
echo called >> compiler.txt
sleep "$(cat seconds)"
grep -q mistake main.ts && { echo "main.ts(1,1): error"; exit 1; }
mkdir -p "$2" && cp main.ts "$2/main.js"
`;

async function checkout() {
  const folder = await mkdtemp(join(tmpdir(), "hf-setup-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  for (const part of ["bin", "node_modules/.bin"]) await mkdir(join(folder, part), { recursive: true });
  await copyFile(SETUP, join(folder, "bin", "setup"));
  const write = (file: string, text: string) => writeFile(join(folder, file), text);
  await write("package-lock.json", "{}");
  await write("node_modules/.package-lock.json", "{}");
  await write("node_modules/.bin/tsc", COMPILER);
  await chmod(join(folder, "node_modules/.bin/tsc"), 0o755);
  await write("seconds", "0");
  await write("main.ts", "1");
  return {
    write,
    setup: () => execa("bash", ["bin/setup"], { cwd: folder, reject: false }),
    built: () => readFile(join(folder, "dist", "main.js"), "utf8"),
    calls: async () => (await readFile(join(folder, "compiler.txt"), "utf8")).split("\n").length - 1,
  };
}

test("while it builds, and when the build fails, the old dist/ stays whole", async () => {
  const { write, setup, built } = await checkout();
  expect(await setup()).toMatchObject({ exitCode: 0 });
  expect(await built()).toBe("1");
  await write("seconds", "0.3");
  await write("main.ts", "2");
  const building = setup();
  let looks = 0;
  let done = false;
  void building.then(() => {
    done = true;
  });
  await until("it is built", 20_000, async () => {
    expect(["1", "2"]).toContain(await built().catch(() => built())); // Between two renames there may be none.
    looks++;
    return done;
  });
  expect(looks).toBeGreaterThan(5);
  expect(await built()).toBe("2");
  await write("main.ts", "a mistake");
  expect(await setup()).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("tsc found errors") });
  expect(await built()).toBe("2");
});

test("two set-ups at once do not collide: the second one waits, and finds nothing left to do", async () => {
  const { write, setup, built, calls } = await checkout();
  await write("seconds", "0.5");
  const [first, second] = await Promise.all([setup(), setup()]);
  expect([first.exitCode, second.exitCode]).toEqual([0, 0]);
  expect(`${first.stderr}${second.stderr}`).toContain("waiting for another set-up");
  expect(await calls()).toBe(1);
  expect(await built()).toBe("1");
});
