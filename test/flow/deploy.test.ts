// The deployment files against running processes: the files that the image copies, alone in a folder, and every query of the Grafana
// dashboard, asked of a real Prometheus that finds the processes of a real pool. (No container engine: the image itself is not built.)

import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { execa } from "execa";
import { atEnd } from "../kit/cleanup.js";
import { Miner } from "../kit/pool.js";
import { freePort, freePorts } from "../kit/ports.js";
import { startRedis } from "../kit/redis.js";
import { startSharePool } from "../kit/share-pool.js";
import { until } from "../kit/until.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const STARTED_MS = 60_000;

async function folder(prefix: string): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  atEnd(() => rm(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

/** Ends with the test. */
function start(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = execa(program, args, { env, reject: false, all: true, buffer: false });
  atEnd(async () => {
    child.kill("SIGTERM");
    await child;
  });
  const said: string[] = [];
  child.all.on("data", (bytes: Buffer) => said.push(String(bytes)));
  return { said: () => said.join("") };
}

/** What the recipe puts into the image, at the same places, and nothing else of this checkout. */
async function imageFiles(): Promise<string> {
  const image = await folder("hf-image-");
  const recipe = await readFile(join(ROOT, "deploy/Dockerfile"), "utf8");
  const copied = [...recipe.matchAll(/^COPY --from=build \/opt\/headframe\/(\S+) \.\/(\S*)$/gm)];
  expect(copied.length).toBeGreaterThan(3);
  for (const [, from = "", to = ""] of copied) {
    const target = to === "" || to.endsWith("/") ? join(image, to, from) : join(image, to);
    await mkdir(dirname(target), { recursive: true });
    // Packages are the checkout's own: a copy would differ in nothing but time.
    if (from === "node_modules") await symlink(join(ROOT, from), target);
    else await cp(join(ROOT, from), target, { recursive: true, filter: (path) => !path.includes("/dist/test") });
  }
  return image;
}

test("the image's files are enough for services, dashboard and front: the page is served, and a client is answered", async () => {
  const redis = await startRedis();
  const [image, state] = [await imageFiles(), await folder("hf-state-")];
  const [port, page] = (await freePorts(2)) as [number, number];
  await writeFile(
    join(state, "headframe.toml"),
    `[redis]\nurl = "${redis.url}"\n[dashboard]\nport = ${page}\n[haproxy]\nconnectionsMax = 100\n[[haproxy.listeners]]\nname = "default"\nhost = "127.0.0.1"\nport = ${port}\n`,
  );
  const env = {
    ...{ HEADFRAME_ROOT: image, HEADFRAME_CONFIG: join(state, "headframe.toml"), HEADFRAME__RUNDIRECTORY: state },
    ...{ HEADFRAME_RUN: state, HEADFRAME_SOCKETS: state },
  };
  const entry = join(ROOT, "deploy/entrypoint");
  const services = start(entry, ["run", "stratum", "reporter", "dashboard"], env);
  const front = start(entry, ["front"], env);
  const fetched = async () => (await fetch(`http://127.0.0.1:${page}/`).catch(() => undefined))?.status;
  await until("the page is there", STARTED_MS, async () => (await fetched()) === 200).catch((error: unknown) => {
    throw new Error(services.said(), { cause: error });
  });
  for (const file of ["main.js", "style.css", "vendor/preact.mjs"])
    expect([file, (await fetch(`http://127.0.0.1:${page}/${file}`)).status]).toEqual([file, 200]);
  await until("a client is answered", STARTED_MS, async () => (await ping(port)).includes('"pong"')).catch(
    (error: unknown) => {
      throw new Error(front.said(), { cause: error });
    },
  );
}, 150_000);

/** The first line that a Stratum client gets for a ping; empty: none within a second. */
function ping(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write('{"id":1,"method":"mining.ping","params":[]}\n'));
    const done = (text: string) => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(1_000, () => done(""));
    socket.once("data", (bytes) => done(String(bytes)));
    socket.once("error", () => done(""));
    socket.once("close", () => done(""));
  });
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

test("every query of the Grafana dashboard is answered by a Prometheus that finds the pool through /api/targets", async () => {
  const redis = await startRedis();
  const { pool } = await startSharePool(redis, {}, { dashboard: true });
  const url = await pool.dashboard();
  const data = await folder("hf-prometheus-");
  const port = await freePort();
  await writeFile(
    join(data, "prometheus.yml"),
    `global: { scrape_interval: 1s, evaluation_interval: 1s }
scrape_configs:
  - job_name: headframe
    http_sd_configs:
      - url: ${url}api/targets
        refresh_interval: 1s
`,
  );
  const prometheus = start("prometheus", [
    `--config.file=${join(data, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(data, "tsdb")}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  const miner = await Miner.start(pool, "seen.rig1");
  expect(await miner.mine()).toBe(true);
  const { cluster } = pool.house;
  const ask = async (query: string): Promise<readonly unknown[]> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?${new URLSearchParams({ query })}`);
    const { status, error, data } = (await response.json()) as {
      status: string;
      error?: string;
      data?: { result: readonly unknown[] };
    };
    if (status !== "success") throw new Error(`${query}: ${error}`);
    return data?.result ?? [];
  };
  const { panels } = JSON.parse(await readFile(join(ROOT, "deploy/grafana/headframe.json"), "utf8")) as {
    panels: readonly Panel[];
  };
  const queries = panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({
      title,
      // `or vector(0)` draws a line at zero while nothing has failed; it would hide a name or a tag that does not exist.
      query: expr
        .replaceAll("$cluster", cluster)
        .replaceAll("$__rate_interval", "10s")
        .replace(/ or vector\(0\)$/, ""),
      mayBeEmpty: expr.endsWith(" or vector(0)"),
    })),
  );
  expect(queries.length).toBeGreaterThan(25);
  const missing = async () => {
    await miner.mine();
    const empty: string[] = [];
    for (const { title, query, mayBeEmpty } of queries)
      if ((await ask(query)).length === 0 && !mayBeEmpty) empty.push(`${title}: ${query}`);
    return empty;
  };
  let last: readonly string[] = [];
  await until("every panel has data", 60_000, async () => {
    last = await missing();
    return last.length === 0;
  }).catch((error: unknown) => {
    throw new Error(`without data: ${last.join("; ")}\n${prometheus.said().slice(-2_000)}`, { cause: error });
  });
  // Of those that count failures: what they count by exists, with the value that they exclude.
  expect(await ask(`headframe_wiring_calls_total{cluster="${cluster}",outcome="ok"}`)).not.toEqual([]);
}, 150_000);
