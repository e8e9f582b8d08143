// push: one publisher to ten subscriber processes, numbered, paced by what the slowest has seen; none may be lost.

import { Crew, type Member } from "./kit/crew.js";
import { median } from "./kit/load.js";
import { peerProgram, startNats } from "./kit/peers.js";
import { type Benchmark, percent, type Row } from "./kit/report.js";
import type { Pushed, Received } from "./push/contender.js";

const SUBSCRIBERS = 10;
/** Before the rounds that count: ten subscribers compile what they run on the few cores there are. Of a round's length, at least WARM_MS. */
const WARM_ROUNDS = 2;
const WARM_MS = 300;
const NATS_FACTOR = 3;

interface Group {
  readonly name: string;
  readonly publisher: Member;
  readonly subscribers: readonly Member[];
  readonly rounds: Round[];
}

interface Round extends Pushed {
  readonly received: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly allCpuUs: number;
  readonly allRssBytes: number;
}

export const push: Benchmark = async ({ rounds, ms, only, scale, signal, tell }) => {
  const crew = new Crew();
  const nats = await startNats();
  const notes: string[] = [];
  const count = Math.max(2, Math.round(SUBSCRIBERS * scale));
  const programs: [string, URL | undefined][] = [
    ["headframe", new URL("./push/headframe.js", import.meta.url)],
    ["raw", new URL("./push/raw.js", import.meta.url)],
    ["nats", nats && peerProgram("push-nats")],
  ];
  try {
    const groups: Group[] = [];
    for (const [name, program] of programs) {
      if (only && !only.includes(name)) continue;
      if (!program) {
        notes.push(`${name} is left out: ${nats ? "its packages are" : "nats-server is"} not installed.`);
        continue;
      }
      tell(`push: starting ${name}`);
      const group = await openGroup(crew, name, program, count, nats ? { BENCH_NATS: nats.url } : {});
      await oneRound(group, Math.max(WARM_MS, WARM_ROUNDS * ms));
      groups.push(group);
    }
    for (let round = 0; round < rounds; round++) {
      tell(`push: round ${round + 1} of ${rounds}`);
      for (const group of groups) {
        signal.throwIfAborted();
        group.rounds.push(await oneRound(group, ms));
      }
    }
    const own = groups.find(({ name }) => name === "headframe");
    const profile = own ? await profileOf(own, ms) : "";
    const rows = groups.map((group) => rowOf(group, groups));
    return {
      ...{ name: "push", title: `One publisher to ${count} subscriber processes, 100-byte messages` },
      rows,
      ...{ floors: floorsOf(rows, profile), plots: [], notes },
    };
  } finally {
    await crew.close();
    await nats?.close();
  }
};

async function openGroup(
  crew: Crew,
  name: string,
  program: URL,
  count: number,
  env: Readonly<Record<string, string>>,
): Promise<Group> {
  const publisher = await crew.start(program, ["publish"], env);
  const address = await publisher.ask("open");
  const subscribers: Member[] = [];
  for (let i = 0; i < count; i++) {
    const subscriber = await crew.start(program, ["subscribe"], env);
    await subscriber.ask("join", { address, name: `s${i}` });
    subscribers.push(subscriber);
  }
  return { name, publisher, subscribers, rounds: [] };
}

async function oneRound({ name, publisher, subscribers }: Group, ms: number): Promise<Round> {
  const usages = () => Promise.all(subscribers.map((it) => it.usage()));
  const before = await usages();
  const pushed = await publisher.ask<Pushed>("publish", { ms, subscribers: subscribers.length });
  const after = await usages();
  const received = await Promise.all(subscribers.map((it) => it.ask<Received>("received")));
  for (const { messages, holes } of received) {
    if (messages !== pushed.messages || holes > 0)
      throw new Error(`${name}: ${messages} of ${pushed.messages} messages came, with ${holes} holes`);
  }
  const sum = (figure: (i: number) => number) => subscribers.reduce((total, _, i) => total + figure(i), 0);
  return {
    ...pushed,
    received: sum((i) => received[i]?.messages ?? 0),
    ...{ p50: median(received.map(({ p50 }) => p50)), p99: median(received.map(({ p99 }) => p99)) },
    p999: median(received.map(({ p999 }) => p999)),
    allCpuUs: pushed.cpuUs + sum((i) => (after[i]?.cpuUs ?? 0) - (before[i]?.cpuUs ?? 0)),
    allRssBytes: pushed.rssBytes + sum((i) => after[i]?.rssBytes ?? 0),
  };
}

function rowOf({ name, rounds }: Group, groups: readonly Group[]): Row {
  const of = (figure: (round: Round) => number) => median(rounds.map(figure));
  const raw = groups.find((group) => group.name === "raw");
  const reference = raw && median(raw.rounds.map(({ rate }) => rate));
  return {
    what: name,
    n: rounds.reduce((sum, { received }) => sum + received, 0),
    ...{ p50: of(({ p50 }) => p50), p99: of(({ p99 }) => p99), p999: of(({ p999 }) => p999) },
    rate: of(({ rate }) => rate),
    cpuUs: of(({ allCpuUs, received }) => allCpuUs / received),
    memoryMb: of(({ allRssBytes }) => allRssBytes / 2 ** 20),
    ...(reference === undefined ? {} : { ratio: of(({ rate }) => rate) / reference, to: "raw" }),
  };
}

function floorsOf(rows: readonly Row[], profile: string) {
  const rate = (name: string) => rows.find(({ what }) => what === name)?.rate ?? Number.NaN;
  const common = { what: "messages a second at each subscriber", sense: "at least", profile } as const;
  return [
    { ...common, limit: 0.6, found: rate("headframe") / rate("raw"), unit: "x raw" },
    { ...common, limit: NATS_FACTOR, found: rate("headframe") / rate("nats"), unit: "x NATS" },
  ].filter(({ found }) => Number.isFinite(found));
}

async function profileOf(group: Group, ms: number): Promise<string> {
  const [first] = group.subscribers;
  if (!first) return "";
  const spots = async (member: Member) => {
    const found = await member.profile(() => oneRound(group, ms));
    return found
      .slice(0, 6)
      .map(({ where, part }) => `${where} ${percent(part)}`)
      .join(", ");
  };
  return `publisher: ${await spots(group.publisher)}; subscriber: ${await spots(first)}`;
}
