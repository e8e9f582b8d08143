// One daemon, watched over HTTP: what it does on its own account, without jobs.

import { expect, test } from "@jest/globals";
import type { Log, Metrics } from "../../../lib/wiring/index.js";
import { coinOf } from "../../../services/jobmanager/coins/index.js";
import { Daemon } from "../../../services/jobmanager/in-daemon.js";
import { settings } from "../../../services/jobmanager/settings.js";
import { atEnd } from "../../kit/cleanup.js";
import { type Answers, plainAnswers, type Said, startDaemonStandIn } from "../../kit/daemon-stand-in.js";
import { until } from "../../kit/until.js";

interface Request {
  readonly mode?: string;
  readonly longpollid?: string;
}
const template = { ...(plainAnswers.getblocktemplate as object), longpollid: "lp1" };

/** What the stand-in says: the pulse and the proposal can be bent, a long poll is never answered. */
function answersWith(bent: { pulse?: () => Said; proposal?: () => Said }): Answers {
  return (method, params) => {
    if (method === "getbestblockhash" && bent.pulse) return bent.pulse();
    if (method !== "getblocktemplate") return { result: plainAnswers[method] };
    const [{ mode, longpollid } = {}] = params as Request[];
    if (mode === "proposal") return bent.proposal?.() ?? { result: null };
    return longpollid === undefined ? { result: template } : "silence";
  };
}

async function watch(answers: Answers) {
  const polls: string[] = [];
  const proposals: string[] = [];
  const stand = await startDaemonStandIn((method, params) => {
    const [{ mode, longpollid } = {}] = params as Request[];
    if (longpollid !== undefined) polls.push(longpollid);
    if (mode === "proposal") proposals.push(mode);
    return answers(method, params);
  });
  const [own] = settings.parse({
    network: "regtest",
    payout: { script: "51" },
    daemons: [{ name: "d", url: stand.url, user: "u", password: "p" }],
  }).daemons;
  if (!own) throw new Error("the settings have no daemon");
  const states: boolean[] = [];
  const quiet = { info() {}, warn() {} } as unknown as Log;
  const daemon = Daemon.open(own, {
    coin: coinOf("litecoin", "regtest"),
    pace: { pollMs: 20, pulseMs: 20 },
    draft: () => new Uint8Array(81),
    events: { onTemplate: () => {}, onState: (live) => states.push(live), onAnswer: () => {} },
    log: quiet,
    metrics: { count() {}, gauge() {}, timing() {} } as unknown as Metrics,
  });
  atEnd(() => daemon.close());
  daemon.lead(true);
  return { daemon, polls, proposals, states };
}

test("D5 a daemon that calls its own template's block invalid is refused with its word, and never live", async () => {
  const { daemon, proposals, states } = await watch(answersWith({ proposal: () => ({ result: "bad-cb-payee" }) }));
  await until("it is refused", 3_000, () => daemon.status().state === "refused");
  expect(daemon.status().reason).toMatch(/invalid \(bad-cb-payee\)/);
  await until("it was asked again", 3_000, () => proposals.length > 1);
  expect(states).not.toContain(true);
});

test("D5 a daemon proves a template once; one that knows no proposals is believed", async () => {
  let odd = 0;
  const pulse = (): Said => (odd++ % 5 === 4 ? { status: 200, raw: "odd" } : { result: plainAnswers.getbestblockhash });
  const proves = await watch(answersWith({ pulse }));
  await until("it was live twice", 8_000, () => proves.states.filter((live) => live).length > 1);
  expect(proves.proposals).toHaveLength(1);
  const unknown: Said = { error: { code: -8, message: "Invalid mode" } };
  const believed = await watch(answersWith({ proposal: () => unknown }));
  await until("it is live", 3_000, () => believed.daemon.live);
});

test("odd answers to a pulse leave no second long poll at the daemon", async () => {
  let odd = 0;
  const pulse = (): Said => (odd++ % 2 === 0 ? { status: 503, raw: "odd" } : { result: plainAnswers.getbestblockhash });
  const { polls, states } = await watch(answersWith({ pulse }));
  await until("it was refused and live again", 12_000, () => states.filter((live) => live).length > 3);
  expect(polls).toEqual(["lp1"]);
});
