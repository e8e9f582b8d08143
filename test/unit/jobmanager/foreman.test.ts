import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import type { EpochMs, Job } from "../../../lib/contracts/index.js";
import { Foreman, type ForemanDeps } from "../../../services/jobmanager/foreman.js";
import type { Template } from "../../../services/jobmanager/template.js";

const REFRESH_MS = 30_000;
const at = 1 as EpochMs;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** Only what the foreman looks at. */
const template = (previousblockhash: string, height: number): Template => ({ previousblockhash, height }) as Template;

function setup(more: Partial<ForemanDeps> = {}) {
  const made: string[] = [];
  const foreman: Foreman = new Foreman({
    daemons: 2,
    refreshMs: REFRESH_MS,
    steadyMs: 0,
    fetch: () => Promise.reject(new Error("nothing is set up")),
    makeJob: ({ previousblockhash }, clean) => ({ previousblockhash, clean }) as unknown as Job,
    publish: (job, { previousblockhash }) => made.push(`${previousblockhash}${job.clean ? " clean" : ""}`),
    onRefreshFailed: () => made.push("failed"),
    ...more,
  });
  return { foreman, made };
}

test("a new tip is a job at once; another template within it is not", () => {
  const { foreman, made } = setup();
  foreman.onLive(0, true);
  foreman.onTemplate(0, template("a", 5), at);
  foreman.onTemplate(0, template("a", 5), at);
  foreman.onTemplate(0, template("b", 6), at);
  expect(made).toEqual(["a clean", "b clean"]);
});

test("a new template within a tip does not make its daemon a later one at the tip", () => {
  const { foreman } = setup({ daemons: 3 });
  const arrives = (index: number, hash: string): void => {
    foreman.onLive(index, true);
    foreman.onTemplate(index, template(hash, 6), at);
    jest.advanceTimersByTime(10);
  };
  arrives(2, "c");
  arrives(0, "a");
  arrives(1, "b");
  arrives(0, "a"); // New transactions.
  foreman.onLive(2, false);
  expect(foreman.inUse).toBe(0);
});

test("a second daemon's copy of the tip is no new job", () => {
  const { foreman, made } = setup();
  for (const index of [0, 1]) {
    foreman.onLive(index, true);
    foreman.onTemplate(index, template("a", 5), at);
  }
  expect(made).toEqual(["a clean"]);
});

test("within a tip there is new work every refreshMs", async () => {
  const { foreman, made } = setup({ fetch: async () => template("a", 5) });
  foreman.onLive(0, true);
  foreman.onTemplate(0, template("a", 5), at);
  await jest.advanceTimersByTimeAsync(2 * REFRESH_MS);
  expect(made).toEqual(["a clean", "a", "a"]);
});

test("a refresh that meets a new tip makes one job, a clean one", async () => {
  const { foreman, made } = setup({
    fetch: async (index) => {
      const fresh = template("b", 6);
      foreman.onTemplate(index, fresh, at);
      return fresh;
    },
  });
  foreman.onLive(0, true);
  foreman.onTemplate(0, template("a", 5), at);
  await jest.advanceTimersByTimeAsync(REFRESH_MS);
  expect(made).toEqual(["a clean", "b clean"]);
});

test("when the daemon in use fails at a refresh, the next one does it shortly after", async () => {
  const { foreman, made } = setup({
    fetch: async (index) => {
      if (index === 1) return template("a", 5);
      foreman.onLive(0, false);
      throw new Error("it is gone");
    },
  });
  for (const index of [0, 1]) {
    foreman.onLive(index, true);
    foreman.onTemplate(index, template("a", 5), at);
  }
  await jest.advanceTimersByTimeAsync(REFRESH_MS + 1_000);
  expect(made).toEqual(["a clean", "failed", "a"]);
});

test("without a live daemon there is no work; one that comes back with the same tip brings no clean job", async () => {
  const { foreman, made } = setup({ fetch: async () => template("a", 5) });
  foreman.onLive(0, true);
  foreman.onTemplate(0, template("a", 5), at);
  foreman.onLive(0, false);
  await jest.advanceTimersByTimeAsync(2 * REFRESH_MS);
  expect(made).toEqual(["a clean"]);
  foreman.onLive(0, true);
  foreman.onTemplate(0, template("a", 5), at);
  await jest.advanceTimersByTimeAsync(1_000);
  expect(made).toEqual(["a clean", "a"]);
});

test("once closed it makes nothing and leaves no timer", () => {
  const { foreman, made } = setup();
  foreman.onLive(0, true);
  foreman.onTemplate(0, template("a", 5), at);
  foreman.close();
  foreman.onTemplate(0, template("b", 6), at);
  expect(made).toEqual(["a clean"]);
  expect(jest.getTimerCount()).toBe(0);
});
