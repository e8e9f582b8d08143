// A fault as it was carried out, and what clients had of it.

import type { Kind } from "./kinds.js";

export interface Felt {
  readonly number: number;
  readonly kind: Kind;
  readonly target: string;
  readonly fromMs: number;
  /** Undefined: it goes on. */
  untilMs: number | undefined;
}

/** A fault is felt for this long after its end: processes start, connections come back. */
export const FELT_MS = 3_000;

export const feltBetween = (all: readonly Felt[], fromMs: number, untilMs: number, patience: number): Felt[] =>
  all.filter(
    ({ fromMs: begun, untilMs: over }) =>
      begun <= untilMs && (over ?? Number.POSITIVE_INFINITY) + FELT_MS * patience >= fromMs,
  );
