// Files of ours that another version wrote, or that are damaged: what is of use is used, and nothing is overwritten unseen.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { readLastKnown } from "../../bin/manage/last-known.js";
import { MemoryFile } from "../../haproxy/memory.js";
import { atEnd } from "../kit/cleanup.js";

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "hf-unreadable-"));
  atEnd(() => rm(made, { recursive: true, force: true }));
  return made;
}

test.each(["", "{", '{"bans":7}', "\0"])(
  "the memory of HAProxy's controller that cannot be read is kept and told of; then it is written anew: %j",
  async (text) => {
    const path = join(await folder(), "haproxy-controller.json");
    await writeFile(path, text);
    const told: string[] = [];
    const file = new MemoryFile(path, (kept) => void told.push(kept));
    expect(await file.news()).toEqual({ keepers: [], bans: [] });
    expect(told).toEqual([`${path}.unreadable`]);
    expect(await readFile(`${path}.unreadable`, "utf8")).toBe(text);
    await file.write({ keepers: ["unix:/run/keeper.sock"], bans: [] });
    expect((await new MemoryFile(path).news()).keepers).toEqual(["unix:/run/keeper.sock"]);
  },
);

test("an instance in the list last known that another version wrote hides no other one", async () => {
  const run = await folder();
  const good = {
    id: "stratum-00000001",
    service: "stratum",
    host: hostname(),
    pid: process.pid,
    version: "0.1.0",
    state: "ready",
    startedAt: 1_700_000_000_000,
    endpoint: "tcp://127.0.0.1:4000",
    meta: {},
  };
  await writeFile(join(run, "instances.json"), JSON.stringify({ atMs: 5, instances: [{ of: "tomorrow" }, good, 7] }));
  expect(readLastKnown({ runDirectory: run })?.instances.map(({ id }) => id)).toEqual([good.id]);
});
