// What `headframe run ./file.js` takes for a service, and how it refuses what is none.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { execa } from "execa";
import { isOwn, loadOwn } from "../../bin/own-service.js";
import { atEnd } from "../kit/cleanup.js";
import { BIN } from "../kit/command.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const TALK = fileURLToPath(new URL("../../examples/line-server/talk.js", import.meta.url));

function file(name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "headframe-own-"));
  atEnd(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

test("a path is a service of one's own, a name is the pool's", () => {
  expect(["./talk.js", "dist/talk.js", "/srv/talk.js", "talk.js"].every(isOwn)).toBe(true);
  expect(["stratum", "haproxy"].some(isOwn)).toBe(false);
});

test("its settings are those of its table, and a wrong one is named with file, key and what is accepted", async () => {
  const good = file("headframe.toml", "[own.talk]\nkept = 500\n");
  expect(await loadOwn(TALK, { config: good, set: [] })).toMatchObject({ name: "talk" });
  const wrong = file("headframe.toml", '[own.talk]\nkept = "all"\n');
  await expect(loadOwn(TALK, { config: wrong, set: [] })).rejects.toThrow(
    `${wrong}: own.talk.kept: found "all"; expected number. Lines that the log keeps, about.`,
  );
  await expect(loadOwn(TALK, { config: good, set: ["own.talk.kept=1"] })).rejects.toThrow(
    "--set: own.talk.kept: found 1",
  );
});

test("a module that is no service says what one must export, one that cannot be loaded why", async () => {
  const none = file("none.mjs", "export const open = 1;");
  await expect(loadOwn(none, { config: undefined, set: [] })).rejects.toThrow(
    /must export name, open .*expected a function/s,
  );
  await expect(loadOwn("./nowhere.js", { config: undefined, set: [] })).rejects.toThrow(
    "./nowhere.js cannot be loaded",
  );
});

test("SIGTERM while it still opens ends the process", async () => {
  const redis = await startRedis();
  const hang = file(
    "hang.js",
    'export const name = "hang"; export const open = () => { console.log("opening"); setInterval(() => {}, 1e3); return new Promise(() => {}); };',
  );
  const child = execa(process.execPath, [BIN, "run", hang, "--set", `redis.url=${redis.url}`], {
    ...{ cwd: join(hang, ".."), reject: false, all: true, timeout: 20_000 },
  });
  let said = "";
  child.all.on("data", (bytes) => {
    said += String(bytes);
  });
  await until("it opens", 15_000, () => said.includes("opening"));
  child.kill("SIGTERM");
  expect(await child).toMatchObject({ exitCode: 0, timedOut: false });
});
