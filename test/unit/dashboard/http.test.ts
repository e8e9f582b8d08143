// The dashboard's HTTP: what it answers is what its OpenAPI document says, and whom it refuses.

import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "@jest/globals";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { minerFacts, type StratumContract, stratum } from "../../../lib/contracts/index.js";
import type { House, Implementation } from "../../../lib/wiring/index.js";
import { Guard } from "../../../services/dashboard/guard.js";
import { open as openDashboard } from "../../../services/dashboard/main.js";
import { metricTable as dashboardTable } from "../../../services/dashboard/metrics.js";
import type { Operator } from "../../../services/dashboard/ports.js";
import { publicText } from "../../../services/dashboard/public.js";
import { settings } from "../../../services/dashboard/settings.js";
import { open as openReporter } from "../../../services/reporter/main.js";
import { metricTable as reporterTable } from "../../../services/reporter/metrics.js";
import { settings as reporterSettings } from "../../../services/reporter/settings.js";
import { atEnd, type Keep } from "../../kit/cleanup.js";
import { openTestHouse } from "../../kit/house.js";
import { startRedis } from "../../kit/redis.js";
import { until } from "../../kit/until.js";

const swapped: string[] = [];
/** STAND-IN for a process manager: says that it did it. */
const operator: Operator = {
  processes: async () => [{ watcher: "reporter", pid: process.pid, startedAt: Date.now(), memoryBytes: 1, cpu: 0 }],
  expected: async () => new Map([["reporter", 1]]),
  listen: () => () => {},
  swap: async (service, tell) => {
    tell("a new one is ready");
    swapped.push(service);
  },
  drain: async () => {
    throw new Error("it is the last one");
  },
};

let house: House;
let url: string;
let token: string;
let tokenFile: string;

async function start(keep: Keep, options: { tokenFile: string; operator?: Operator }, more: object = {}) {
  const dashboard = await openDashboard(house, settings.parse({ port: 0, sampleMs: 200, ...more }), options);
  atEnd(() => dashboard.close(), keep);
  return dashboard.url;
}

beforeAll(async () => {
  const redis = await startRedis({ keep: "file" });
  const folder = await mkdtemp(join(tmpdir(), "hf-"));
  atEnd(() => rm(folder, { recursive: true, force: true }), "file");
  house = await openTestHouse(redis, { keep: "file", tables: [dashboardTable, reporterTable] });
  const spool = { directory: join(folder, "spool") };
  const reporter = await openReporter(house, reporterSettings.parse({ spool }));
  atEnd(() => reporter.close(), "file");
  tokenFile = join(folder, "dashboard.token");
  url = await start("file", { tokenFile, operator });
  token = (await readFile(tokenFile, "utf8")).trim();
});

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** Unlike fetch, says whatever Host and Origin it is told to. */
function ask(path: string, { method = "GET", headers = {}, body }: Asked = {}) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
    const asked = httpRequest(new URL(path, url), { method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    asked.on("error", reject).end(body);
  });
}

const order = (body: object, headers: Record<string, string> = {}): Asked => ({
  method: "POST",
  headers: { "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
  body: JSON.stringify(body),
});

/** The scheme's name is in any case (RFC 9110, 11.1). */
const insider = (): Asked => ({ headers: { authorization: `bearer ${token}` } });

interface Document {
  readonly paths: Record<
    string,
    Record<string, { responses: Record<string, { content?: Record<string, { schema: object }> }> }>
  >;
}

test("the OpenAPI document is valid, and every answer is what it says", async () => {
  const document = JSON.parse((await ask("/api/openapi.json")).body) as Document;
  expect(await new Validator().validate(document as never)).toMatchObject({ valid: true });
  await until("the reporter has answered", 5_000, async () => (await ask("/api/pool")).status === 200);
  const gets = Object.entries(document.paths).filter(([path, { get }]) => get && path !== "/api/live");
  expect(gets.length).toBeGreaterThanOrEqual(14);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  for (const [path, { get }] of gets) {
    const schema = get?.responses["200"]?.content?.["application/json"]?.schema ?? {};
    const fits = ajv.compile(schema);
    for (const how of [{}, insider()]) {
      const { status, body } = await ask(path, how);
      expect([path, status]).toEqual([path, 200]);
      expect([path, fits(JSON.parse(body)), fits.errors]).toEqual([path, true, null]);
    }
  }
});

test("a parameter that does not fit is named, an unknown path too, and nothing is cached", async () => {
  expect(await ask("/api/workers?limit=0")).toMatchObject({ status: 400, body: expect.stringContaining("limit") });
  expect(await ask("/api/workers?lmit=1")).toMatchObject({ status: 400, body: expect.stringContaining("lmit") });
  expect(await ask("/../../etc/passwd")).toMatchObject({ status: 404 });
  expect((await ask("/api/pool")).headers["cache-control"]).toBe("no-store");
});

test("whoever calls it by a name that is not its own learns nothing (DNS rebinding)", async () => {
  for (const path of ["/", "/api/pool", "/api/live", "/healthz"]) {
    const { status, body } = await ask(path, { headers: { host: "pool.evil.example" } });
    expect(status).toBe(421);
    expect(body).toContain("dashboard.hosts");
  }
  const other = await start("test", { tokenFile }, { hosts: ["pool.example.net"] });
  const { status } = await ask(other, { headers: { host: "pool.example.net" } });
  expect(status).toBe(200);
});

test("to act takes the token, from no foreign page, as JSON, and no more than is needed", async () => {
  const swap = { service: "stratum" };
  expect(await ask("/api/swap", order(swap, { authorization: "" }))).toMatchObject({ status: 401 });
  expect(await ask("/api/swap", order(swap, { authorization: "Bearer wrong-wrong-wrong" }))).toMatchObject({
    status: 401,
  });
  expect(await ask("/api/swap", order(swap, { origin: "https://evil.example" }))).toMatchObject({ status: 403 });
  expect(await ask("/api/swap", order(swap, { origin: "null" }))).toMatchObject({ status: 403 });
  expect(await ask("/api/swap", order(swap, { "sec-fetch-site": "cross-site" }))).toMatchObject({ status: 403 });
  expect(await ask("/api/swap", order(swap, { "content-type": "text/plain" }))).toMatchObject({ status: 415 });
  const large = await ask("/api/swap", order({ service: "x".repeat(5_000) }));
  expect(large).toMatchObject({ status: 413, body: expect.stringContaining("4096") });
  expect(await ask("/api/swap", order({ service: "redis" }))).toMatchObject({ status: 400 });
  expect(await ask("/api/swap", order({ ...swap, cmd: "sh" }))).toMatchObject({ status: 400 });
  expect(swapped).toEqual([]);
  const origin = url.replace(/\/$/, "");
  expect(await ask("/api/swap", order(swap, { origin, "sec-fetch-site": "same-origin" }))).toMatchObject({
    status: 202,
  });
  await until("it was carried out", 2_000, () => swapped.length === 1);
});

test("an action that fails says why, and stays to be read", async () => {
  const { instances } = JSON.parse((await ask("/api/instances")).body) as { instances: { id: string }[] };
  const { status } = await ask("/api/drain", order({ instance: instances[0]?.id }));
  expect(status).toBe(202);
  await until("it has failed", 2_000, async () => (await ask("/api/actions")).body.includes("it is the last one"));
  expect(await ask("/api/drain", order({ instance: "stratum-00000000" }))).toMatchObject({ status: 404 });
});

test("wrong tokens are limited by address, for reading too, and never lock out the right one", async () => {
  const other = await start("test", { tokenFile, operator });
  const authorization = "Bearer wrong-wrong-wrong";
  const wrong = order({ service: "stratum" }, { authorization });
  const statuses = new Set<number>();
  for (let i = 0; i < 6; i++) {
    statuses.add((await ask(`${other}api/swap`, wrong)).status);
    statuses.add((await ask(`${other}api/instances`, { headers: { authorization } })).status);
  }
  expect([...statuses]).toEqual([401, 429]);
  expect((await ask(`${other}api/swap`, order({ service: "stratum" }))).status).toBe(202);
  expect((await ask(`${other}api/instances`, insider())).status).toBe(200);
  const guard = new Guard({ hosts: new Set(), token, nowMs: () => 0 });
  const tries = (address: string) => guard.token({ authorization }, address)?.status;
  for (let i = 0; i < 10; i++) expect(tries("192.0.2.1")).toBe(401);
  expect([tries("192.0.2.1"), tries("192.0.2.2")]).toEqual([429, 401]); // One address is no other.
});

test("without the token no answer, live event or error holds an address of a process or the id of a connection", async () => {
  const { endpoint } = (await house.nexus.hosted())[0] ?? {};
  const facts = minerFacts.parse({
    ...{ connection: "c0ffee00-secret-of-a-session", address: "198.51.100.7", listener: "default", agent: "rig/1" },
    ...{
      workers: ["alice.rig"],
      phase: "mining" as const,
      hashrate: 1,
      since: 1,
      servedSince: 1,
      accepted: 1,
      rejected: {},
    },
  });
  const asked: unknown[] = [];
  const backend = await house.nexus.host(stratum, {
    ...({
      events: () => ({}),
      status: () => ({ connections: 1, counters: {} }),
    } as unknown as Implementation<StratumContract>),
    miners: (request) => {
      asked.push(request);
      return { miners: [facts], connections: 1 };
    },
  });
  atEnd(() => backend.close());
  await until("the dashboard knows it", 5_000, async () => (await ask("/api/connections")).body.includes("alice.rig"));
  const document = JSON.parse((await ask("/api/openapi.json")).body) as Document;
  const paths = Object.keys(document.paths).filter((path) => document.paths[path]?.get && path !== "/api/live");
  const secrets = [endpoint, facts.connection, "127.0.0.1:"];
  const open = new Set(["/api/targets", "/api/openapi.json"]); // The probes' addresses, and its own.
  for (const path of paths.filter((it) => !open.has(it))) {
    const { body } = await ask(path);
    for (const secret of secrets) expect([path, body]).not.toEqual([path, expect.stringContaining(String(secret))]);
  }
  const live = await new Promise<string>((resolve, reject) => {
    let text = "";
    const asking = httpRequest(new URL("/api/live", url), (response) =>
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (!/event: house.*event: pool/s.test(text)) return;
        asking.destroy();
        resolve(text);
      }),
    );
    asking.on("error", reject).end();
  });
  for (const secret of secrets) expect(live).not.toContain(String(secret));
  expect(publicText("tcp://10.0.0.5:4000 is lost; connect ECONNREFUSED [::1]:6379")).toBe(
    "(address) is lost; connect ECONNREFUSED (address)",
  );
  // Nor can an id be guessed, part by part.
  await ask("/api/connections?match=c0ffee");
  expect(asked.at(-1)).toMatchObject({ match: "c0ffee", by: "worker" });
  expect((await ask("/api/connections?match=c0ffee", insider())).body).toContain(facts.connection);
  expect(asked.at(-1)).not.toHaveProperty("by");
  expect((await ask("/api/instances", insider())).body).toContain(String(endpoint));
});

test("every answer forbids the browser whatever the page does not need", async () => {
  for (const path of ["/", "/api/pool", "/nothing"]) {
    const { headers } = await ask(path);
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["content-security-policy"]).not.toContain("unsafe");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  }
});

test("figures for the plots are kept in Redis, in so many fields and no more", async () => {
  const column = async () => JSON.parse((await ask("/api/series?span=1h")).body) as { connections: (number | null)[] };
  await until("a sample is there", 5_000, async () => (await column()).connections.includes(0));
  expect((await column()).connections).toHaveLength(360);
  expect(await house.redis.shares.hlen("hf:{test}:dashboard:series:1h")).toBeLessThanOrEqual(2);
});

test("the token's file is its owner's alone, is kept, and one that others can read is refused", async () => {
  expect((await stat(tokenFile)).mode & 0o777).toBe(0o600);
  await start("test", { tokenFile });
  expect((await readFile(tokenFile, "utf8")).trim()).toBe(token);
  await chmod(tokenFile, 0o644);
  await expect(start("test", { tokenFile })).rejects.toThrow("chmod 600");
  await chmod(tokenFile, 0o600);
  const odd = `${tokenFile}.odd`;
  await writeFile(odd, "short", { mode: 0o600 });
  await expect(start("test", { tokenFile: odd })).rejects.toThrow("delete the file");
});
