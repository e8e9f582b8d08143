// rpc: a typed call with validation, deadline and errors on, 100-byte payload, one client and one server in two processes, against
// bare sockets and the peers. All contenders live at once and are measured in turn, so that whatever the machine does meanwhile
// happens to all of them.

import { Crew, type Member } from "./kit/crew.js";
import { type Load, median } from "./kit/load.js";
import { type NatsServer, peerProgram, startNats } from "./kit/peers.js";
import { type Benchmark, type Floor, percent, type Report, type Row, type RunOptions } from "./kit/report.js";

const OUTSTANDING = [1, 64, 1_000] as const;
/** Of the plot. */
const CURVE = [1, 4, 16, 64, 256, 1_000, 4_000] as const;
const CURVE_CONTENDERS: ReadonlySet<string> = new Set(["headframe", "raw"]);
const WARM_MS = 300;
const MOLECULER_FACTOR = 3;

interface Pair {
  readonly name: string;
  readonly server: Member;
  readonly client: Member;
}

interface Round extends Load {
  /** Of both processes. */
  readonly bothCpuUs: number;
  readonly bothRssBytes: number;
}

type Found = Map<string, Map<number, Round[]>>;

export const rpc: Benchmark = async (options) => {
  const crew = new Crew();
  const nats = await startNats();
  const notes: string[] = [];
  try {
    const pairs = await openPairs(crew, nats, options, notes);
    const found = await measureInTurn(pairs, OUTSTANDING, options);
    const curve = await measureInTurn(
      pairs.filter(({ name }) => CURVE_CONTENDERS.has(name)),
      CURVE,
      { ...options, rounds: Math.ceil(options.rounds / 2) },
    );
    const rows = rowsOf(found);
    const profile = await profileOf(pairs, options);
    return { ...report(rows, profile), plots: plotsOf(curve), notes: [...notes, ...transportNote(rows)] };
  } finally {
    await crew.close();
    await nats?.close();
  }
};

async function openPairs(
  crew: Crew,
  nats: NatsServer | undefined,
  { only, tell }: RunOptions,
  notes: string[],
): Promise<Pair[]> {
  const programs: [string, URL | undefined][] = [
    ["headframe", new URL("./rpc/headframe.js", import.meta.url)],
    ["raw", new URL("./rpc/raw.js", import.meta.url)],
    ["zeromq", new URL("./rpc/zeromq.js", import.meta.url)],
    ["moleculer", peerProgram("rpc-moleculer")],
    ["nats", nats && peerProgram("rpc-nats")],
    ["grpc-js", peerProgram("rpc-grpc")],
    ["cote", peerProgram("rpc-cote")],
    ["fastify", peerProgram("rpc-fastify")],
  ];
  const pairs: Pair[] = [];
  for (const [name, program] of programs) {
    if (only && !only.includes(name)) continue;
    if (!program) {
      notes.push(
        `${name} is left out: ${name === "nats" && !nats ? "nats-server is" : "its packages are"} not installed.`,
      );
      continue;
    }
    tell(`rpc: starting ${name}`);
    const env = nats ? { BENCH_NATS: nats.url } : {};
    const [server, client] = [await crew.start(program, ["serve"], env), await crew.start(program, ["call"], env)];
    await client.ask("connect", await server.ask("open"));
    await client.ask("load", { outstanding: 64, ms: WARM_MS });
    pairs.push({ name, server, client });
  }
  return pairs;
}

async function measureInTurn(
  pairs: readonly Pair[],
  loads: readonly number[],
  { rounds, ms, tell, signal }: Pick<RunOptions, "rounds" | "ms" | "tell" | "signal">,
): Promise<Found> {
  const found: Found = new Map(pairs.map(({ name }) => [name, new Map(loads.map((load) => [load, []]))]));
  for (let round = 0; round < rounds; round++) {
    tell(`rpc: round ${round + 1} of ${rounds}, ${loads.join(" / ")} outstanding`);
    for (const outstanding of loads) {
      for (const pair of pairs) {
        signal.throwIfAborted();
        found
          .get(pair.name)
          ?.get(outstanding)
          ?.push(await oneRound(pair, outstanding, ms));
      }
    }
  }
  return found;
}

async function oneRound({ server, client }: Pair, outstanding: number, ms: number): Promise<Round> {
  const before = await server.usage();
  const load = await client.ask<Load>("load", { outstanding, ms });
  const after = await server.usage();
  return {
    ...load,
    bothCpuUs: load.cpuUs + after.cpuUs - before.cpuUs,
    bothRssBytes: load.rssBytes + after.rssBytes,
  };
}

function rowsOf(found: Found): Row[] {
  const rows: Row[] = [];
  for (const outstanding of OUTSTANDING) {
    const reference = medianOf(found, "raw", outstanding, ({ rate }) => rate);
    for (const name of found.keys()) {
      const of = (figure: (round: Round) => number) => medianOf(found, name, outstanding, figure);
      const rounds = found.get(name)?.get(outstanding) ?? [];
      rows.push({
        what: `${name} x${outstanding}`,
        n: rounds.reduce((sum, { n }) => sum + n, 0),
        ...{ p50: of(({ p50 }) => p50), p99: of(({ p99 }) => p99), p999: of(({ p999 }) => p999) },
        rate: of(({ rate }) => rate),
        cpuUs: of(({ bothCpuUs, n }) => bothCpuUs / n),
        memoryMb: of(({ bothRssBytes }) => bothRssBytes / 2 ** 20),
        ...(Number.isNaN(reference) ? {} : { ratio: of(({ rate }) => rate) / reference, to: "raw" }),
      });
    }
  }
  return rows;
}

function medianOf(found: Found, name: string, outstanding: number, figure: (round: Round) => number): number {
  return median((found.get(name)?.get(outstanding) ?? []).map(figure));
}

interface Profiles {
  readonly client: string;
  readonly server: string;
}

/** Of Headframe's own two processes at 1,000 outstanding, where the work of a call is dearest. */
async function profileOf(pairs: readonly Pair[], { ms }: RunOptions): Promise<Profiles> {
  const own = pairs.find(({ name }) => name === "headframe");
  if (!own) return { client: "", server: "" };
  const load = () => own.client.ask("load", { outstanding: 1_000, ms: Math.max(ms, 500) });
  const spots = async (member: Member) =>
    (await member.profile(load))
      .slice(0, 6)
      .map(({ where, part }) => `${where} ${percent(part)}`)
      .join(", ");
  return { client: await spots(own.client), server: await spots(own.server) };
}

/** How much of the distance to bare sockets is the transport's, by this run. */
function transportNote(rows: readonly Row[]): string[] {
  const row = (what: string) => rows.find((it) => it.what === what);
  const times = (own: number | undefined, other: number | undefined) => ((own ?? 0) / (other ?? 0)).toFixed(2);
  const [zeromq, raw] = ["zeromq", "raw"].map((name) => (load: number) => row(`${name} x${load}`));
  if (!zeromq?.(1) || !raw?.(1)) return [];
  const p50 = times(zeromq(1)?.p50, raw(1)?.p50);
  const rates = [64, 1_000].map((load) => `${times(zeromq(load)?.rate, raw(load)?.rate)} x at ${load}`).join(", ");
  return [
    `ZeroMQ alone, one frame a tick, unread: p50 at 1 outstanding ${p50} x raw, rate ${rates} outstanding. A message crosses a thread of ZeroMQ's at either end.`,
  ];
}

function report(rows: readonly Row[], { client, server }: Profiles): Omit<Report, "plots" | "notes"> {
  const row = (what: string) => rows.find((it) => it.what === what);
  const profile = `client: ${client}; server: ${server}`;
  const floors: Floor[] = [];
  const floor = (what: string, sense: Floor["sense"], limit: number, found: number, unit: string) => {
    if (Number.isFinite(found)) floors.push({ what, sense, limit, found, unit, profile });
  };
  const part = (own: number | undefined, other: number | undefined) => (own ?? Number.NaN) / (other ?? Number.NaN);
  const rate = (name: string, outstanding: number) => row(`${name} x${outstanding}`)?.rate;
  floor("rate at 64 outstanding", "at least", 0.3, part(rate("headframe", 64), rate("raw", 64)), "x raw");
  floor("rate at 1,000 outstanding", "at least", 0.25, part(rate("headframe", 1_000), rate("raw", 1_000)), "x raw");
  floor("p50 at 1 outstanding", "at most", 1.8, part(row("headframe x1")?.p50, row("raw x1")?.p50), "x raw");
  const peer = part(rate("headframe", 64), rate("moleculer", 64));
  floor("rate at 64 outstanding", "at least", MOLECULER_FACTOR, peer, "x Moleculer");
  return { name: "rpc", title: "A typed call between two processes, 100-byte payload", rows, floors };
}

function plotsOf(curve: Found): Report["plots"] {
  const of = (name: string, x: number, figure: (round: Round) => number) => medianOf(curve, name, x, figure);
  const names = [...curve.keys()];
  const throughput = names.map((name) => ({
    name,
    points: CURVE.map((x) => [x, of(name, x, ({ rate }) => rate)] as const),
  }));
  const latency = (quantile: "p50" | "p99") =>
    names.map((name) => ({
      name: `${name} ${quantile}`,
      points: CURVE.map((x) => [of(name, x, ({ rate }) => rate), of(name, x, (round) => round[quantile])] as const),
    }));
  const load = "calls/s";
  return [
    ...[
      {
        name: "rpc-throughput",
        title: "Throughput against requests outstanding",
        x: "requests outstanding",
        y: load,
        lines: throughput,
      },
    ],
    ...[
      {
        name: "rpc-latency",
        title: "Latency against load",
        x: load,
        y: "us",
        lines: [...latency("p50"), ...latency("p99")],
      },
    ],
  ];
}
