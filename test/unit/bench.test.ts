// How the benchmarks count, judge and draw: a wrong median would be worse than none.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { load, median, quantiles } from "../../bench/kit/load.js";
import { type Floor, met, type Report } from "../../bench/kit/report.js";
import { resultsText } from "../../bench/kit/results.js";
import { drawPlot } from "../../bench/kit/svg.js";
import { render, verdict } from "../../bench/kit/table.js";

test("a median has as many values below it as above", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, min: -1e300, max: 1e300 }), { minLength: 1 }), (values) => {
      const middle = median(values);
      const below = values.filter((it) => it < middle).length;
      const above = values.filter((it) => it > middle).length;
      expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2);
    }),
  );
});

test("quantiles are times that were measured, in microseconds", () => {
  const ms = Array.from({ length: 1_000 }, (_, i) => 1_000 - i);
  expect(quantiles(ms)).toEqual({ p50: 501_000, p99: 991_000, p999: 1_000_000 });
});

test("a load keeps as many requests outstanding as asked for, and counts every answer", async () => {
  let open = 0;
  let most = 0;
  let answered = 0;
  const begin = (done: () => void) => {
    most = Math.max(most, ++open);
    setImmediate(() => {
      open -= 1;
      answered += 1;
      done();
    });
  };
  const { n, p50 } = await load(begin, { outstanding: 40, ms: 30 });
  expect({ most, open }).toEqual({ most: 40, open: 0 });
  expect(n).toBe(answered);
  expect(p50).toBeGreaterThan(0);
});

const floor: Floor = { what: "rate", sense: "at least", limit: 0.3, found: 0.24, unit: "x raw", profile: "hash 50 %" };

test("a floor that is missed says by how much", () => {
  expect(met(floor)).toBe(false);
  expect(verdict(floor)).toBe("MISSED by 20 %: 0.24 x raw, at least 0.3 wanted");
  expect(verdict({ ...floor, sense: "at most", limit: 10, found: 12.5 })).toMatch(/^MISSED by 25 %/);
  expect(verdict({ ...floor, found: 0.3 })).toBe("met: 0.3 x raw, at least 0.3 wanted");
});

const report: Report = {
  ...{ name: "rpc", title: "Calls", notes: ["nats is left out"] },
  rows: [{ what: "headframe x64", n: 12_345, rate: 9_999.4, ratio: 0.24, to: "raw" }],
  floors: [floor, { ...floor, found: 1 }],
  plots: [
    {
      name: "p",
      title: "T <1>",
      x: "x",
      y: "y",
      lines: [
        {
          name: "raw",
          points: [
            [1, 10],
            [100, 90],
          ],
        },
      ],
    },
  ],
};

test("a report shows what was found, for people and in RESULTS.md", () => {
  expect(render(report)).toMatch(/headframe x64 +12,345/);
  const machine = {
    commit: "abc",
    changed: 0,
    hardware: "2 x cpu",
    system: "Linux",
    load: 0,
    versions: { node: "20" },
  };
  const text = resultsText([report], machine, 61);
  expect(text).toContain("| rpc | rate | MISSED by 20 %: 0.24 x raw, at least 0.3 wanted | hash 50 % |");
  expect(text).toContain("| rpc | rate | met: 1 x raw, at least 0.3 wanted |  |");
  expect(text).toContain("![T <1>](results/p.svg)");
});

test("a plot has a dot for every point, inside the picture", () => {
  const [plot] = report.plots;
  const svg = plot ? drawPlot(plot) : "";
  const dots = [...svg.matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)]);
  expect(dots).toHaveLength(2);
  for (const [x = -1, y = -1] of dots) {
    expect(x >= 0 && x <= 640 && y >= 0 && y <= 400).toBe(true);
  }
  expect(svg).toContain("T &lt;1>");
});
