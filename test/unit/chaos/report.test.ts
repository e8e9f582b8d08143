// What a run tells: everything that a reader needs to believe it, and what this machine could not do.

import { expect, test } from "@jest/globals";
import { kindOf } from "../../../chaos/kinds.js";
import { Ledger } from "../../../chaos/ledger.js";
import { render, resultOf } from "../../../chaos/report.js";

const T = 1_800_000_000_000;

const use = { busy: 0.5, own: 0.25, processors: 2 };

function found() {
  const ledger = new Ledger();
  const kind = kindOf("kill-stratum");
  if (!kind) throw new Error("no such kind");
  ledger.felt({ number: 1, kind, target: "stratum 7", fromMs: T, untilMs: T });
  const share = { identity: "h1", height: 9 };
  ledger.see({ kind: "answer", client: 0, method: "mining.submit", askedMs: T, atMs: T + 40, share });
  ledger.see({ kind: "answer", client: 1, method: "mining.ping", askedMs: T, atMs: T + 700 });
  ledger.settle(["h1"]);
  const leftOut = Array.from({ length: 2 }, () => ({ kind: "cut-network", why: "no root" }));
  const done = { done: new Map([["kill-stratum", 1]]), leftOut };
  return resultOf({
    ...{ seed: 5, seconds: 60, clients: 2, lines: 3, lateMs: 1, use, schedule: [], done, ledger, logs: "logs" },
  });
}

test("the table names faults by kind, clients, lines, shares, disconnected, lost, double and the worst stalls", () => {
  const text = render(found());
  for (const row of [
    /kill-stratum +│ C1 1000 ms: a backend lives +│ 1 +│ 2/,
    /processors busy, of that this program, of +│ 1.00 \/ 0.25 \/ 2/,
    /faults +│ 1/,
    /clients +│ 2/,
    /lines heard +│ 3/,
    /shares submitted +│ 1/,
  ])
    expect(text).toMatch(row);
  for (const row of [/disconnected +│ 0/, /lost +│ 0/, /double +│ 0/, /worst stall of a client.*│ 41 \/ 701 \/ 700/])
    expect(text).toMatch(row);
  expect(text).toMatch(/every promise held/);
});

test("a kind of fault that was not done is told by name and with its reason", () => {
  const result = found();
  expect(result.leftOut).toEqual([{ kind: "cut-network", why: "no root", times: 2 }]);
  expect(render(result)).toContain("left out: cut-network 2 times: no root");
});
