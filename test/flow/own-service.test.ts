// docs/own-service.md, "Clients that stay connected", to the letter: its three files, its commands, on free ports.

import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { execa } from "execa";
import { atEnd } from "../kit/cleanup.js";
import { LineClient } from "../kit/line-client.js";
import { freePort } from "../kit/ports.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** A folder that looks like a checkout from the files' point of view, so that the real one stays clean. */
async function checkout(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "hf-own-"));
  atEnd(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  for (const part of ["dist", "node_modules", "circus", "demo"]) await symlink(join(ROOT, part), join(folder, part));
  await cp(join(ROOT, "package.json"), join(folder, "package.json"));
  return folder;
}

test("the service that docs/own-service.md writes keeps its clients while an instance is killed and all are swapped", async () => {
  const [redis, port, folder] = await Promise.all([startRedis(), freePort(), checkout()]);
  const guide = await readFile(join(ROOT, "docs/own-service.md"), "utf8");
  const block = (language: string, nth = 0) =>
    [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))][nth]?.[1] ?? "";
  await writeFile(join(folder, "shout.mjs"), block("js"));
  await writeFile(
    join(folder, "shout.toml"),
    block("toml").replace("redis://127.0.0.1:6379", redis.url).replace("7000", `${port}`),
  );
  await writeFile(join(folder, "shout.ini"), block("ini"));
  const run = (command: string) => {
    const [program = "", ...words] = command.trim().split(/\s+/);
    return execa(program, words, { cwd: folder, reject: false, all: true, timeout: 60_000 });
  };
  const commands = [
    ...guide.matchAll(/^node dist\/bin\/headframe\.js (?:up|ps|swap) .*$|^node dist\/bin\/headframe\.js ps$/gm),
  ].map(([line]) => line);
  const [up = "", ps = "", swapShout = "", swapKeeper = ""] = commands;
  expect(commands).toHaveLength(4);

  const [program = "", ...words] = up.split(" ");
  const pool = execa(program, words, { cwd: folder, reject: false, all: true, buffer: false });
  atEnd(async () => {
    pool.kill("SIGINT");
    await pool;
  });
  let said = "";
  pool.all.on("data", (bytes: Buffer) => (said += String(bytes)));
  await until("it says that all is up", 60_000, () => said.includes("all up after")).catch((error: unknown) => {
    throw new Error(said, { cause: error });
  });
  const client = await LineClient.connect({ host: "127.0.0.1", port });
  expect(await client.ask("hello")).toBe("HELLO");
  const listed = (await run(ps)).all ?? "";
  const pids = [...listed.matchAll(/^shout .*? ready .*?(\d+) /gm)].map(([line]) =>
    Number(/ (\d{2,}) /.exec(line)?.[1]),
  );
  expect(pids).toHaveLength(2);
  process.kill(pids[0] ?? 0, "SIGKILL");
  expect(await client.ask("still here")).toBe("STILL HERE");
  expect(await run(swapShout)).toMatchObject({ exitCode: 0, all: expect.stringContaining("shout swapped in") });
  expect(await client.ask("and after the swap")).toBe("AND AFTER THE SWAP");
  expect(await run(swapKeeper)).toMatchObject({ exitCode: 0 });
  expect(await client.ask("and after the keeper's")).toBe("AND AFTER THE KEEPER'S");
  expect(client.closed).toBe(false);
}, 180_000);
