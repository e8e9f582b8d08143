// The live screen: one glance must answer whether it runs, whether it earns, whether anyone is unhappy, and what just happened.

import { stripVTControlCharacters } from "node:util";
import { expect, test } from "@jest/globals";
import { drawScreen, duration, hashrate } from "../../../bin/up/screen.js";
import type { View } from "../../../bin/up/view.js";

const NOW = 1_700_000_000_000;
const view: View = {
  now: NOW,
  mining: true,
  elapsedMs: 65_000,
  addresses: ["stratum+tcp://127.0.0.1:3333"],
  runDirectory: "run/x",
  daemons: [
    { name: "near", state: "live", height: 455 },
    { name: "far", state: "refused", reason: "it is of another chain" },
  ],
  job: { id: "a1", height: 456, templateAt: NOW - 2_000 },
  pool: { hashrate1m: 1_234_567, accepted: 12, rejected: 3, recorded: 12, workersActive: 4, blocks: 2, round: 3 },
  clients: { connections: 4, disconnects: 1 },
  processes: [{ name: "stratum 1", pid: 17, state: "ready", ageMs: 3_000, restarts: 2, note: "" }],
  blocks: [{ height: 455, hash: "ab".repeat(32), worker: "demo.rig1", status: "accepted", foundAt: NOW - 1_000 }],
  events: Array.from({ length: 200 }, (_, i) => ({ at: NOW, text: `event ${i}`, mood: "plain" as const })),
};

const draw = (size: { columns: number; rows: number }, colours = false) =>
  drawScreen(view, { ...size, colours }).split("\n");

test("it shows daemons with their trouble, shares, blocks, disconnects and every process", () => {
  const text = draw({ columns: 120, rows: 40 }).join("\n");
  expect(text).toContain("near live at 455   far it is of another chain");
  expect(text).toContain("job a1 for block 456, 2s old");
  expect(text).toContain("1.23 MH/s");
  expect(text).toContain("12 accepted   12 recorded   3 rejected");
  expect(text).toContain("4 connected   1 disconnects");
  expect(text).toMatch(/stratum 1\s+17\s+ready\s+3s\s+2/);
  expect(text).toMatch(/455\s+abababababababababab\.\.\.\s+demo\.rig1\s+accepted\s+1s ago/);
});

test("it fits the terminal, and what does not fit is the oldest events", () => {
  const lines = draw({ columns: 50, rows: 30 });
  expect(lines.length).toBeLessThan(30);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(50);
  expect(lines.join("\n")).toContain("event 199");
  expect(lines.join("\n")).not.toContain("event 100");
});

test("80 x 24 shows the whole headline, the processes in number, those that need attention, and what happened last", () => {
  const whole = Array.from({ length: 15 }, (_, i) => ({
    ...{ name: `stratum ${i}`, pid: i, ageMs: 1, note: "" },
    ...(i === 7 ? { state: "starting", restarts: 3 } : { state: "ready", restarts: 0 }),
  }));
  const options = { columns: 80, rows: 24, colours: false };
  const lines = drawScreen({ ...view, processes: whole }, options).split("\n");
  expect(lines.length).toBeLessThan(24);
  expect(lines[0]).toMatch(/^Headframe {2}up .* stratum\+tcp:/);
  const text = lines.join("\n");
  for (const part of ["chain ", "work ", "pool ", "shares ", "1 disconnects", "14 of 15 ready", "event 199"])
    expect(text).toContain(part);
  expect(text).toMatch(/stratum 7 +7 +starting +0s +3/);
  expect(lines.at(-1)).toContain("Ctrl-C");
});

test("a house that mines nothing is not shown as a pool that is broken", () => {
  const text = drawScreen({ ...view, mining: false }, { columns: 80, rows: 40, colours: false });
  for (const word of ["chain", "work ", "shares", "Blocks"]) expect(text).not.toContain(word);
  expect(text).toContain("4 connected");
});

test("colours change nothing but the colour", () => {
  const size = { columns: 60, rows: 30 };
  const coloured = draw(size, true);
  expect(coloured.join("")).toContain("\x1b[");
  expect(coloured.map((line) => stripVTControlCharacters(line))).toEqual(draw(size));
});

test("before anything is known it says so instead of failing", () => {
  const empty: View = { ...view, daemons: [], job: undefined, pool: undefined, blocks: [], processes: [], events: [] };
  expect(drawScreen(empty, { columns: 80, rows: 24, colours: false })).toContain("waiting for a daemon");
});

test.each([
  [999, "0s"],
  [59_999, "59s"],
  [192_000, "3m 12s"],
  [18_120_000, "5h 2m"],
  [187_200_000, "2d 4h"],
])("a duration of %d ms reads %s", (ms, text) => expect(duration(ms)).toBe(text));

test.each([
  [0, "0.00 H/s"],
  [999, "999 H/s"],
  [12_300, "12.3 kH/s"],
  [4.2e18, "4.20 EH/s"],
])("a hashrate of %d reads %s", (rate, text) => expect(hashrate(rate)).toBe(text));
