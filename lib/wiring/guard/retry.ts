// Retry: what follows when an attempt of a call failed. Pure: dispatch.ts does it.
//
//   R1. Nothing is repeated that may have run, unless its method is idempotent.
//   R2. Nothing is repeated whose failure would be the same again (REMOTE, INVALID_*, CANCELLED, EXPIRED, CLOSED).
//   R3. Another instance is asked at once; the same ones again only after a pause with jitter, so that callers that failed
//       together do not come back together.
//   R4. A call that names its instance (`to`) is attempted once: its caller relies on the order of calls to that instance,
//       and a retry would come after younger ones.
//
// The budget needs no rule here: a call's deadline stands, whatever its attempts do.

import { ExponentialBackoff, type IBackoff } from "cockatiel";
import type { WiringError } from "../errors.js";

export type RetryPlan =
  /** Tell the caller. */
  | { readonly kind: "never" }
  /** Another instance, at once. */
  | { readonly kind: "elsewhere" }
  /** When an instance appears or becomes ready. */
  | { readonly kind: "on-change" }
  | { readonly kind: "after"; readonly delayMs: number };

/** Of a pause; the library adds the jitter. The cap keeps a call with a long budget lively. */
const BACKOFF = new ExponentialBackoff({ initialDelay: 10, maxDelay: 500 });

/** Instances that may leave under one call before it pauses. */
const GONE_MAX = 8;

const NEVER: RetryPlan = { kind: "never" };
const ELSEWHERE: RetryPlan = { kind: "elsewhere" };
const ON_CHANGE: RetryPlan = { kind: "on-change" };

export interface Attempted {
  readonly failure: WiringError;
  readonly idempotent: boolean;
  /** The caller named the instance. */
  readonly pinned: boolean;
  /** Attempts so far, this one included. */
  readonly tries: number;
  /** Instances that could take the call now. */
  readonly callable: number;
}

export function retryPlan({ failure, idempotent, pinned, tries, callable }: Attempted): RetryPlan {
  if (pinned) return NEVER; // R4
  if (!failure.retryable) return NEVER; // R2
  if (failure.sent && !idempotent) return NEVER; // R1
  if (callable === 0) return ON_CHANGE;
  if (failure.code === "BROKEN") return { kind: "after", delayMs: pauseMs(0) };
  // An instance that drains or died is not among the callable ones any more: whoever is left has not been asked.
  const gone = failure.code === "DRAINING" || failure.code === "DISCONNECTED";
  if (tries < callable || (gone && tries < callable + GONE_MAX)) return ELSEWHERE;
  return { kind: "after", delayMs: pauseMs(tries - callable) }; // R3
}

function pauseMs(round: number): number {
  let backoff: IBackoff<unknown> = BACKOFF.next();
  for (let i = 0; i < Math.min(round, 8); i += 1) backoff = backoff.next(undefined);
  return backoff.duration;
}
