// The instances last known: what an operator's commands work with while Redis is away.
//
//   process manager: discovery --every 2 s--> instances.json in its folder of sockets --> `headframe ps`, `top`, `call`, `doctor`
//
// The services themselves go on without Redis with the instances that they knew. A command is a new process: it knows nobody.

import { existsSync, readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { type Instance, instance, type Registry } from "../../lib/wiring/index.js";
import type { Config } from "../config.js";

const FILE = "instances.json";
const LOOK_EVERY_MS = 2_000;
/** Unchanged instances are written again so often: `atMs` says how old they are. */
const WRITE_EVERY_MS = 20_000;

const content = z.object({ atMs: z.number().int().nonnegative(), instances: z.array(z.unknown()).max(4_096) });
export interface LastKnown {
  readonly atMs: number;
  readonly instances: readonly Instance[];
}

/** Keeps the file until it is stopped. What cannot be read or written is tried again: the file is only ever older. */
export function keepLastKnown(registry: Pick<Registry, "list">, folder: string): () => void {
  const file = join(folder, FILE);
  let written = "";
  let writtenMs = 0;
  let busy = false;
  const look = async () => {
    const instances = await registry.list();
    const text = JSON.stringify(instances);
    const now = Date.now();
    if (instances.length === 0 || (text === written && now - writtenMs < WRITE_EVERY_MS)) return;
    await writeFile(`${file}.next`, JSON.stringify({ atMs: now, instances }), { mode: 0o600 });
    await rename(`${file}.next`, file);
    written = text;
    writtenMs = now;
  };
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    look()
      .catch(() => {}) // Redis is away, or the disk is full: what is there stays.
      .finally(() => {
        busy = false;
      });
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Where a process manager that runs here may have its sockets, the likeliest first. */
export function socketFolders({ runDirectory }: Pick<Config, "runDirectory">): string[] {
  const folders = [join(runDirectory, "current", "sockets"), process.env.HEADFRAME_SOCKETS, runDirectory];
  return folders.filter((folder) => folder !== undefined);
}

/** Without those of this host whose process is gone. Undefined: no process manager left any. */
export function readLastKnown(config: Pick<Config, "runDirectory">): LastKnown | undefined {
  const file = socketFolders(config)
    .map((folder) => join(folder, FILE))
    .find((path) => existsSync(path));
  if (file === undefined) return undefined;
  try {
    const { atMs, instances: written } = content.parse(JSON.parse(readFileSync(file, "utf8")));
    // One that another version registered may be of no use to us; the others are.
    const instances = written.flatMap((it) => instance.safeParse(it).data ?? []);
    return { atMs, instances: instances.filter((it) => it.host !== hostname() || runs(it)) };
  } catch {
    return undefined; // Of another version, or damaged: as good as none.
  }
}

function runs({ pid }: Instance): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
