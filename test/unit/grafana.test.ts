// The Grafana dashboard that we ship asks for what is really measured.

import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { METRIC_TABLES } from "../../bin/metrics.js";
import { prometheusName } from "../../lib/wiring/index.js";

const text = readFileSync(new URL("../../../deploy/grafana/headframe.json", import.meta.url), "utf8");

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}
const { panels } = JSON.parse(text) as { panels: Panel[] };

/** What a histogram is made of, and what Node tells of itself. */
const SUFFIX = /_(bucket|sum|count)$/;
const OF_NODE = /^headframe_(process|nodejs)_/;

test("every query names metrics that some process has, with labels that they carry", () => {
  const specs = Object.values(METRIC_TABLES).flatMap((table) => Object.entries(table));
  const known = new Map(specs.map(([name, spec]) => [prometheusName(name, spec.kind), spec]));
  const asked = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
  expect(asked.length).toBeGreaterThan(20);
  for (const { title, expr } of asked) {
    for (const [, name = "", labels = ""] of expr.matchAll(/(headframe_\w+)\{([^}]*)\}/g)) {
      if (OF_NODE.test(name)) continue;
      const spec = known.get(name.replace(SUFFIX, ""));
      expect([title, name, spec !== undefined]).toEqual([title, name, true]);
      const carried = ["cluster", "service", "instance", "le", ...(spec?.tags ?? [])];
      const used = labels.split(",").map((label) => label.split(/[=!]/)[0] ?? "");
      const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, by = ""]) => by.split(/, */));
      for (const label of [...used, ...grouped]) expect(carried).toContain(label);
    }
  }
});

test("panels have an id each and do not lie on each other", () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
});
