// Which daemon to believe: several of them, each with a tip and a moment at which it was seen.
//
//   F1. A higher tip wins at once, whoever has it first.
//   F2. The tip in use stays in use while any live daemon holds it at the greatest height: two daemons that disagree do not
//       make miners go back and forth.
//   F3. Within a tip the daemon in use stays; a preferred one takes over again when it has been live for a while, so that one
//       which comes and goes does not change anybody's work.

export interface Tip {
  /** Of the block that the daemon builds on, display hex. */
  readonly previousHash: string;
  /** Of the block to be found. */
  readonly height: number;
}

export interface View {
  /** Since when, on a monotonic clock. Undefined: not live. */
  readonly liveSinceMs: number | undefined;
  readonly tip: Tip | undefined;
  /** When it came to this tip, on the same clock. */
  readonly tipAtMs: number;
}

export interface Choice {
  /** Of the daemon, in configured order. */
  readonly index: number;
  readonly tip: Tip;
}

interface Candidate extends Choice {
  readonly liveSinceMs: number;
  readonly tipAtMs: number;
}

/** Undefined when no daemon is live. */
export function choose(
  views: readonly View[],
  inUse: Choice | undefined,
  nowMs: number,
  steadyMs: number,
): Choice | undefined {
  const highest = highestOf(candidatesOf(views));
  const onTip = inUse ? highest.filter(({ tip }) => tip.previousHash === inUse.tip.previousHash) : [];
  const [first] = onTip;
  if (!first || !inUse) return earliest(highest); // F1; F2 when the tip in use has no holder left.
  const steady = onTip.find(({ index, liveSinceMs }) => index < inUse.index && nowMs - liveSinceMs >= steadyMs); // F3
  return steady ?? onTip.find(({ index }) => index === inUse.index) ?? first;
}

const candidatesOf = (views: readonly View[]): Candidate[] =>
  views.flatMap(({ liveSinceMs, tip, tipAtMs }, index) =>
    liveSinceMs === undefined || !tip ? [] : [{ index, tip, liveSinceMs, tipAtMs }],
  );

function highestOf(candidates: readonly Candidate[]): Candidate[] {
  const height = Math.max(0, ...candidates.map(({ tip }) => tip.height));
  return candidates.filter(({ tip }) => tip.height === height);
}

/** Ties go to the one configured first. */
const earliest = (candidates: readonly Candidate[]): Candidate | undefined =>
  candidates.reduce<Candidate | undefined>((best, it) => (best && best.tipAtMs <= it.tipAtMs ? best : it), undefined);
