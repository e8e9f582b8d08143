// A connection's difficulty: what it should be, and what it was told.
//
// Pure. The difficulty of a connection moves (vardiff, wishes), but a miner learns of it only with the next notice. So:
//
//   difficulty  what the connection should have
//   announced   what it was told last
//
// Which difficulty a share counts with stands in the name that it is submitted under (variant.ts): nothing here decides it.
//
//   D1. set_difficulty goes out right before a notify, one at a time: cgminer puts a second one off by one more notify.
//   D2. No share is harder than the block: announced = min(difficulty, the network's).

import type { Difficulty } from "../../lib/contracts/index.js";
import type { KnownJob } from "./jobs.js";
import { type Limits, limitsOf, within } from "./limits.js";
import * as encode from "./protocol/encode.js";
import { type Context, type Effect, type Mining, type Step, toldOf } from "./session-state.js";
import { credit, due, nextWindow, openWindow, retarget } from "./vardiff.js";
import { encodeVariant, quantized } from "./variant.js";

/** A connection this many times too fast gets its new difficulty at once, not with the next notice. */
const URGENT_FACTOR = 2;

export function limitsOfSession(session: Pick<Mining, "agent" | "minimum" | "wish">, context: Context): Limits {
  const limits = limitsOf(context.rules, session.agent);
  const least = Math.max(session.minimum, session.wish);
  return least > limits.floor ? { ...limits, floor: within(limits, least) } : limits;
}

/** D2 */
export const effective = (
  difficulty: Difficulty,
  { networkDifficulty }: Pick<KnownJob, "networkDifficulty">,
): Difficulty => quantized(Math.min(difficulty, networkDifficulty));

/**
 * Tells this connection alone the current job, with the right difficulty, under a name that nobody else is told: whatever it was told
 * before, this is other work. Nothing when there is no job yet.
 *
 * @param clean The miner shall throw away what it works on: only when that is of another tip.
 */
export function tell(session: Mining, context: Context, clean: boolean): Step<Mining> {
  const { current: known, notice } = context.book;
  if (!known || !notice) return { session, effects: [] };
  const announced = effective(session.difficulty, known);
  const variant = encodeVariant(announced, context.salt());
  const text = encode.setDifficulty(announced) + encode.notify(notice, variant, clean);
  return {
    session: { ...session, announced, told: toldOf(notice.job) },
    effects: [{ kind: "say", text }, { kind: "told" }, { kind: "save" }],
  };
}

/** What one connection is told right before the newest notice is broadcast to all. Mostly nothing. */
export function beforeBroadcast(session: Mining, context: Context, maskBefore: number): Step<Mining> {
  const { book, nowMs } = context;
  const known = book.current;
  if (!known) return { session, effects: [] };
  const effects: Effect[] = [];
  const mask = session.versionMask & known.job.versionMask;
  if (session.versionMask !== 0 && mask !== (session.versionMask & maskBefore))
    effects.push({ kind: "say", text: encode.setVersionMask(mask) });
  const retuned = retune(session, context, nowMs);
  const announced = effective(retuned.difficulty, known);
  if (announced !== session.announced)
    effects.push({ kind: "say", text: encode.setDifficulty(announced) }, { kind: "save" }); // D1
  return { session: { ...retuned, announced }, effects };
}

/** A share was counted: the connection's speed is known a little better. */
export function credited(session: Mining, difficulty: Difficulty, context: Context): Step<Mining> {
  const counted = { ...session, window: credit(session.window, difficulty) };
  const next = retune(counted, context, context.nowMs);
  const known = context.book.current;
  if (next.difficulty === session.difficulty || !known) return { session: next, effects: [] };
  const urgent = effective(next.difficulty, known) >= URGENT_FACTOR * (next.announced ?? next.difficulty);
  return urgent ? tell(next, context, false) : { session: next, effects: [] };
}

/** The miner asked for a difficulty: within the limits it gets it, now if it has work already. */
export function wished(session: Mining, context: Context): Step<Mining> {
  const difficulty = within(limitsOfSession(session, context), session.wish || session.difficulty);
  const next = { ...session, difficulty, window: openWindow(context.nowMs) };
  const known = context.book.current;
  const differs = known && session.announced !== undefined && effective(difficulty, known) !== session.announced;
  const told = differs ? tell(next, context, false) : { session: next, effects: [] };
  return { session: told.session, effects: [...told.effects, { kind: "save" }] };
}

function retune(session: Mining, context: Context, nowMs: number): Mining {
  const { vardiff } = context.rules;
  if (!due(vardiff, session.window, nowMs)) return session;
  const limits = limitsOfSession(session, context);
  const difficulty = retarget(vardiff, limits, session.difficulty, session.window, nowMs);
  return { ...session, difficulty, window: nextWindow(session.window, nowMs) };
}
