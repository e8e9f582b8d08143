// The kinds of fault: what each may cost a client, and what it must not meet.
//
// `stallMaxMs` is the promise: C1 (1 s while an instance of every kind lives), C2 (2 s for an edge that is killed).

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
  /** Nobody can be served while it lasts: its whole time is added to stallMaxMs. */
  readonly lasting: boolean;
  /** Redis answers nobody while it lasts. */
  readonly redisAway: boolean;
  /** It may take questions with it, which then get no answer (C2: only the killing of an edge). */
  readonly losesLines: boolean;
}

const C1_MS = 1_000;
const C2_MS = 2_000;
/** Where nothing could be kept: Redis, reporter and stratum ask again within a second each, one after the other. */
const ASKED_AGAIN_MS = 4_000;

const brief = (name: string, family: Family): Kind => ({
  ...{ name, family, also: [], forMs: [0, 0], stallMaxMs: C1_MS, lasting: false, redisAway: false, losesLines: false },
});
const long = (name: string, family: Family, fromMs: number, toMs: number): Kind => ({
  ...brief(name, family),
  forMs: [fromMs, toMs],
});

const services = ["stratum", "jobmanager", "reporter"] as const;

export const KINDS: readonly Kind[] = [
  ...services.map((service) => brief(`kill-${service}`, service)),
  ...services.map((service) => brief(`stop-${service}`, service)),
  ...services.map((service) => brief(`swap-${service}`, service)),
  ...services.map((service) => brief(`drain-${service}`, service)),
  ...services.map((service) => long(`freeze-${service}`, service, 1_000, 6_000)),
  { ...brief("kill-edge", "edge"), stallMaxMs: C2_MS, losesLines: true },
  brief("kill-standby", "edge"),
  // Two deaths at once: nobody stands by any more, and a process has to start.
  { ...brief("kill-edges", "edge"), stallMaxMs: 2 * C2_MS, losesLines: true },
  { ...long("freeze-edge", "edge", 500, 3_000), lasting: true },
  brief("handover-edge", "edge"),
  brief("swap-keeper", "edge"),
  brief("reload-haproxy", "haproxy"),
  brief("kill-controller", "haproxy"),
  brief("restart-redis", "redis"),
  brief("kill-redis", "redis"),
  { ...long("outage-redis", "redis", 2_000, 30_000), redisAway: true },
  { ...long("freeze-redis", "redis", 1_000, 10_000), redisAway: true },
  long("slow-redis", "redis", 3_000, 10_000),
  { ...long("cut-redis", "redis", 1_000, 10_000), redisAway: true },
  // Redis away and no room for shares: nobody can be answered the truth, and nobody may be let go.
  { ...long("disk-full", "redis", 2_000, 6_000), stallMaxMs: ASKED_AGAIN_MS, lasting: true, redisAway: true },
  { ...long("cut-network", "network", 1_000, 8_000), also: services },
  { ...long("slow-network", "network", 2_000, 8_000), also: services },
  long("kill-daemon", "daemon", 2_000, 10_000),
  long("freeze-daemon", "daemon", 2_000, 10_000),
];

export type KindName = string;

export const kindOf = (name: KindName): Kind | undefined => KINDS.find((kind) => kind.name === name);
