// A connection's difficulty: what it should be, what it was told, and what each share is judged by.
//
// Pure. The difficulty of a connection moves (vardiff, wishes), but a miner learns of it only with the next notice. So:
//
//   difficulty  what the connection should have
//   announced   what it was told last: holds for every notice that is not in `bound`
//   bound       notices that were told with an earlier difficulty
//
//   S2. A notice keeps the difficulty it was told with. Telling the same job at another difficulty gives it another name.
//   D1. set_difficulty goes out right before a notify, one at a time: cgminer puts a second one off by one more notify.
//   D2. No share is harder than the block: announced = min(difficulty, the network's).

import type { Difficulty } from "../../lib/contracts/index.js";
import { type JobBook, type KnownJob, later, NOTICES_MAX } from "./jobs.js";
import { type Limits, limitsOf, within } from "./limits.js";
import * as encode from "./protocol/encode.js";
import type { Context, Effect, Mining, Step } from "./session.js";
import type { Bound } from "./snapshot.js";
import { credit, due, nextWindow, openWindow, retarget } from "./vardiff.js";

/** A connection this many times too fast gets its new difficulty at once, not with the next notice. */
const URGENT_FACTOR = 2;

export function limitsOfSession(session: Pick<Mining, "agent" | "minimum" | "wish">, context: Context): Limits {
  const limits = limitsOf(context.rules, session.agent);
  const least = Math.max(session.minimum, session.wish);
  return least > limits.floor ? { ...limits, floor: within(limits, least) } : limits;
}

/** D2 */
export const effective = (difficulty: Difficulty, known: KnownJob): Difficulty =>
  Math.min(difficulty, known.networkDifficulty) as Difficulty;

/** S2: the difficulty that the miner had been told when this notice reached it. */
export function difficultyOf(session: Mining, notice: string, known: KnownJob, book: JobBook): Difficulty {
  const told = session.bound.find((bound) => bound.notice === notice)?.difficulty ?? unbound(session, notice, book);
  return effective(told, known);
}

function unbound({ announced, inherited, lastNotice, difficulty }: Mining, notice: string, book: JobBook): Difficulty {
  // Notices that an earlier instance told are in nobody's list here; they had what the connection came with.
  if (inherited !== undefined && notice !== lastNotice && !book.notices.some(({ id }) => id === notice))
    return inherited;
  return announced ?? difficulty;
}

/**
 * Tells this connection alone the current job, with the right difficulty; nothing when there is no job yet.
 *
 * @param perhaps A name under which it was told before, perhaps: it gets another one, so that no work is done twice.
 */
export function tell(session: Mining, context: Context, clean: boolean, perhaps?: string): Step<Mining> {
  const { book } = context;
  const known = book.current;
  let notice = book.notice;
  if (!known || !notice) return { session, effects: [] };
  const tuned = announce(session, effective(session.difficulty, known), book, undefined);
  const taken = (name: string) => name === perhaps || tuned.bound.some((bound) => bound.notice === name);
  while (taken(notice.id)) {
    const next = later(notice, context.seconds); // S2: another difficulty, another name.
    if (!next) return { session, effects: [] }; // It must wait for the next job.
    notice = next;
  }
  const text = encode.setDifficulty(tuned.announced ?? tuned.difficulty) + encode.notify(notice, clean);
  return { session: { ...tuned, lastNotice: notice.id }, effects: [{ kind: "say", text }, { kind: "save" }] };
}

/** What one connection is told right before the newest notice is broadcast to all. Mostly nothing. */
export function beforeBroadcast(session: Mining, context: Context, maskBefore: number): Step<Mining> {
  const { book, nowMs } = context;
  const known = book.current;
  const notice = book.notice;
  if (!known || !notice) return { session, effects: [] };
  const effects: Effect[] = [];
  const mask = session.versionMask & known.job.versionMask;
  if (session.versionMask !== 0 && mask !== (session.versionMask & maskBefore))
    effects.push({ kind: "say", text: encode.setVersionMask(mask) });
  const retuned = retune(session, context, nowMs);
  const next = announce(retuned, effective(retuned.difficulty, known), book, notice.id);
  if (next.announced !== undefined && next.announced !== session.announced)
    effects.push({ kind: "say", text: encode.setDifficulty(next.announced) }, { kind: "save" }); // D1
  return { session: next, effects };
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

/** From here on `difficulty` is what the miner knows; all it was told before, but `fresh`, stays bound to the old one. */
function announce(session: Mining, difficulty: Difficulty, book: JobBook, fresh: string | undefined): Mining {
  const { announced, bound, lastNotice } = session;
  if (announced === difficulty) return session;
  if (announced === undefined) return { ...session, announced: difficulty };
  const names = new Set([...book.notices.map(({ id }) => id), ...(lastNotice === "" ? [] : [lastNotice])]);
  if (fresh !== undefined) names.delete(fresh);
  for (const { notice } of bound) names.delete(notice);
  const added: Bound[] = [...names].map((notice) => ({ notice, difficulty: announced }));
  return { ...session, announced: difficulty, bound: [...bound, ...added].slice(-NOTICES_MAX) };
}
