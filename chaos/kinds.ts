// The kinds of fault: what each may cost a client, and what it must not meet.
//
// `stallMaxMs` is the promise: C1 (1 s while an instance of every kind lives), C2 (2 s for an edge that is killed). No promise speaks of
// waiting for Redis, HAProxy, coin daemons or two deaths at once: what is asked there says its reason.

export type Promised = "C1" | "C2" | "C3" | "C4" | "S1" | "S2" | "J1" | "L1";

/** What a fault befalls. One fault of a family at a time: another instance of it must be alive (C1), unless said otherwise. */
export type Family = "stratum" | "jobmanager" | "reporter" | "edge" | "haproxy" | "redis" | "daemon" | "network";

export interface Kind {
  readonly name: string;
  readonly family: Family;
  /** Families that it befalls as well: none of them meets another fault meanwhile. */
  readonly also: readonly Family[];
  /** How long it lasts, in milliseconds, from and to; 0: it is done when it is done. */
  readonly forMs: readonly [number, number];
  /** Longest wait for an answer while it is felt, beyond the time that it lasts when `lasting`. */
  readonly stallMaxMs: number;
  /** Whose limit that is. */
  readonly promise: Promised;
  /** And why that much, in words for the table. */
  readonly why: string;
  /** Nobody can be served while it lasts: its whole time is added to stallMaxMs. */
  readonly lasting: boolean;
  /** Redis answers nobody while it lasts. */
  readonly redisAway: boolean;
  /** It may take questions with it, which then get no answer (C2: only the death of an edge). */
  readonly losesLines: boolean;
  /** Nobody is left who could serve, so a process has to start. */
  readonly startsAnew: boolean;
}

export const C1_MS = 1_000;
const C2_MS = 2_000;
/** Where nothing could be kept: Redis, reporter and stratum ask again within a second each, one after the other. */
const ASKED_AGAIN_MS = 4_000;

const BACKEND = "a backend lives";

const brief = (name: string, family: Family): Kind => ({
  ...{ name, family, also: [], forMs: [0, 0], stallMaxMs: C1_MS, promise: "C1", why: BACKEND },
  ...{ lasting: false, redisAway: false, losesLines: false, startsAnew: false },
});
const edge = (name: string, why: string, stallMaxMs = C1_MS): Kind => ({
  ...brief(name, "edge"),
  ...{ promise: "C2", stallMaxMs, why },
});
const shared = (kind: Kind, why: string): Kind => ({ ...kind, promise: "C3", why });
const long = (name: string, family: Family, fromMs: number, toMs: number): Kind => ({
  ...brief(name, family),
  forMs: [fromMs, toMs],
});

const SPOOLED = "shares are spooled meanwhile";

const services = ["stratum", "jobmanager", "reporter"] as const;

export const KINDS: readonly Kind[] = [
  ...services.map((service) => brief(`kill-${service}`, service)),
  ...services.map((service) => brief(`stop-${service}`, service)),
  ...services.map((service) => brief(`swap-${service}`, service)),
  ...services.map((service) => brief(`drain-${service}`, service)),
  ...services.map((service) => ({ ...brief(`swap-broken-${service}`, service), why: "the old ones stay" })),
  ...services.map((service) => long(`freeze-${service}`, service, 1_000, 6_000)),
  { ...edge("kill-edge", "an edge was killed", C2_MS), losesLines: true },
  edge("kill-standby", "the edge that serves lives"),
  { ...edge("kill-edges", "nobody stands by: a process starts", 2 * C2_MS), losesLines: true, startsAnew: true },
  { ...edge("freeze-edge", "within 1 s it is killed", C2_MS), forMs: [500, 6_000], losesLines: true },
  edge("handover-edge", "planned: the old one serves meanwhile"),
  { ...edge("kill-handover", "one of the two edges is killed meanwhile", C2_MS), losesLines: true },
  edge("swap-keeper", "planned: the old one serves meanwhile"),
  shared(brief("reload-haproxy", "haproxy"), "connections stay with the old worker"),
  shared(brief("kill-controller", "haproxy"), "HAProxy does without it"),
  shared(brief("restart-redis", "redis"), SPOOLED),
  shared(brief("kill-redis", "redis"), SPOOLED),
  { ...shared(long("outage-redis", "redis", 2_000, 30_000), SPOOLED), redisAway: true },
  { ...shared(long("freeze-redis", "redis", 1_000, 10_000), SPOOLED), redisAway: true },
  shared(long("slow-redis", "redis", 3_000, 10_000), SPOOLED),
  { ...shared(long("cut-redis", "redis", 1_000, 10_000), SPOOLED), redisAway: true },
  // Nobody can be answered the truth, and nobody may be let go.
  {
    ...long("disk-full", "redis", 2_000, 6_000),
    ...{ promise: "S1", why: "no room for shares: its time, and 4 s", stallMaxMs: ASKED_AGAIN_MS },
    ...{ lasting: true, redisAway: true },
  },
  { ...long("cut-network", "network", 1_000, 8_000), also: services },
  { ...long("slow-network", "network", 2_000, 8_000), also: services },
  long("kill-daemon", "daemon", 2_000, 10_000),
  long("freeze-daemon", "daemon", 2_000, 10_000),
];

export type KindName = string;

export const kindOf = (name: KindName): Kind | undefined => KINDS.find((kind) => kind.name === name);
