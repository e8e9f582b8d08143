// The dashboard in a real Chromium, in front of a whole pool: what an operator sees, and does.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { beforeAll, expect, test } from "@jest/globals";
import type { Browser, Page } from "playwright-core";
import { Registry } from "../../lib/wiring/index.js";
import { openPage, overflow, startBrowser } from "../kit/browser.js";
import { atEnd } from "../kit/cleanup.js";
import { Miner, type TestPool } from "../kit/pool.js";
import { startRedis } from "../kit/redis.js";
import { startSharePool } from "../kit/share-pool.js";
import { until } from "../kit/until.js";

const AXE = createRequire(import.meta.url).resolve("axe-core");
const TEST_MS = 60_000;
const SEEN_MS = 3_000;

let pool: TestPool;
let browser: Browser;
let url: string;
let token: string;
let registry: Registry;

beforeAll(async () => {
  const redis = await startRedis({ keep: "file" });
  const [{ pool: started }, chromium] = await Promise.all([
    startSharePool(redis, {}, { dashboard: true, keep: "file" }),
    startBrowser("file"),
  ]);
  [pool, browser] = [started, chromium];
  url = (await pool.dashboard()) ?? "";
  registry = Registry.open({ redis: pool.house.redis.discovery, cluster: pool.house.cluster });
  atEnd(() => registry.close(), "file");
  token = (await readFile(join(pool.run, "dashboard.token"), "utf8")).trim();
}, 120_000);

async function open(options: Parameters<typeof openPage>[1] = {}) {
  const opened = await openPage(browser, options);
  atEnd(() => opened.context.close());
  await opened.page.goto(url);
  await opened.page.getByText("live", { exact: true }).waitFor();
  await opened.page.locator("[data-node]").first().waitFor();
  return opened;
}

const nodes = (page: Page, kind: string) => page.locator(`[data-kind="${kind}"]`);

async function accepted(page: Page): Promise<number> {
  const text = await page.locator('[data-figure="accepted"] strong').textContent();
  return Number((text ?? "").replaceAll(",", ""));
}

test(
  "the page shows every part of the house, breaks none of its own rules, and asks nobody else for anything",
  async () => {
    const { page, complaints, hosts } = await open();
    for (const [kind, count] of Object.entries({
      ...{ haproxy: 1, keeper: 1, edge: 2, stratum: 2, reporter: 2, jobmanager: 2, redis: 1, daemon: 1, miners: 1 },
    })) {
      await until(`there are ${count} of ${kind}`, 10_000, async () => (await nodes(page, kind).count()) === count);
    }
    await until("each is well", 10_000, async () => (await page.locator(".node:not(.good)").count()) === 0);
    expect(await page.locator("path.line").count()).toBeGreaterThan(10);
    await page.locator(".uplot canvas").first().waitFor();
    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([new URL(url).host]);
  },
  TEST_MS,
);

test(
  "a share that lands is on the page within three seconds, with its worker, and search finds the worker",
  async () => {
    const { page } = await open();
    const miner = await Miner.start(pool, "seen.rig1");
    await page.locator('[data-figure="accepted"]').waitFor();
    const before = await accepted(page);
    expect(await miner.mine()).toBe(true);
    await until("the share is counted", SEEN_MS, async () => (await accepted(page)) > before);
    await page.getByText("last by seen.rig1").waitFor({ timeout: SEEN_MS });
    await page.getByPlaceholder("Find a worker").fill("SEEN");
    await page.locator("#workers").getByText("seen.rig1").waitFor();
    await page.locator("#connections").getByText("seen.rig1").waitFor();
    await page.getByPlaceholder("Find a worker").fill("nobody");
    await page.getByText("No worker has “nobody” in its name.").waitFor();
  },
  TEST_MS,
);

test(
  "stratum is swapped by keyboard alone: a wrong token is refused, the right one works, and the miner stays connected",
  async () => {
    const { page } = await open();
    const miner = await Miner.start(pool, "stays.rig1");
    const before = pool.pids("stratum");
    await page.getByRole("button", { name: "Swap stratum" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.type("not-the-token-at-all");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("this is not the token").waitFor();
    expect(pool.pids("stratum")).toEqual(before);
    await page.locator('input[name="token"]').fill(token);
    await page.keyboard.press("Enter");
    await page.locator('[data-state="done"]').waitFor({ timeout: 40_000 });
    const after = pool.pids("stratum");
    expect(after).toHaveLength(2);
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
    expect(await page.locator(".steps li").count()).toBeGreaterThanOrEqual(4);
    await page.keyboard.press("Escape");
    expect(await page.getByRole("dialog").count()).toBe(0);
    expect(await miner.mine()).toBe(true);
    expect(miner.client.closed).toBe(false);
  },
  TEST_MS,
);

test(
  "an instance is drained through its node, and its successor takes its place in the picture",
  async () => {
    const { page } = await open();
    const [old] = await registry.list("reporter");
    await page.evaluate(`sessionStorage.setItem("headframe.token", ${JSON.stringify(token)})`);
    await page.locator(`[data-node="${old?.id}"]`).click();
    await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
    await page
      .locator('[data-state="done"]')
      .waitFor({ timeout: 40_000 })
      .catch(async (error: unknown) => {
        const shown = await page.getByRole("dialog").textContent();
        throw new Error(`the page says: ${shown}`, { cause: error });
      });
    await until("the old one has left the picture", 5_000, async () => {
      return (
        (await page.locator(`[data-node="${old?.id}"]`).count()) === 0 && (await nodes(page, "reporter").count()) === 2
      );
    });
  },
  TEST_MS,
);

test(
  "both jobmanagers stand still: each is drawn in red, also when discovery has dropped them, until it goes on",
  async () => {
    const { page } = await open();
    const pids = pool.pids("jobmanager");
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    try {
      const missing = page.locator('[data-kind="jobmanager"].bad');
      await until("both are red", 10_000, async () => (await missing.count()) === 2);
      await until("discovery has dropped them, and they are still red", 15_000, async () => {
        const instances = await registry.list("jobmanager");
        return instances.length === 0 && (await missing.count()) === 2;
      });
      expect(await page.locator("#house-summary").textContent()).toMatch(/2 failed/);
    } finally {
      for (const pid of pids) process.kill(pid, "SIGCONT");
    }
    await until("all is well", 20_000, async () => (await page.locator(".node.bad").count()) === 0);
  },
  TEST_MS,
);

test(
  "an edge killed -9 is an event, and its successor takes its place in the picture",
  async () => {
    const { page } = await open();
    const edges = await registry.list("edge");
    const serving = edges.find(({ state }) => state === "ready");
    process.kill(serving?.pid ?? 0, "SIGKILL");
    await page.getByText(`${serving?.id} on ${serving?.host} vanished`).first().waitFor({ timeout: 10_000 });
    await until("a successor serves, and nothing is in trouble", 20_000, async () => {
      const now = await registry.list("edge");
      return (
        now.some(({ state, id }) => state === "ready" && id !== serving?.id) &&
        (await page.locator(".node.bad").count()) === 0
      );
    });
  },
  TEST_MS,
);

test.each([
  ["a desktop, light", 1_360, "light"],
  ["a phone, dark", 360, "dark"],
] as const)(
  "on %s nothing sticks out sideways, and no rule of accessibility that a program can check is broken",
  async (_, width, colorScheme) => {
    const { page } = await open({ viewport: { width, height: 800 }, colorScheme, bypassCSP: true });
    await page.locator("#workers tbody tr").first().waitFor();
    expect(await overflow(page)).toBe(0);
    await page.addScriptTag({ path: AXE });
    const found = await page.evaluate("axe.run().then(({ violations }) => violations)");
    const told = (found as { id: string; nodes: { html: string }[] }[]).map(({ id, nodes: where }) => [
      id,
      where[0]?.html,
    ]);
    expect(told).toEqual([]);
  },
  TEST_MS,
);
