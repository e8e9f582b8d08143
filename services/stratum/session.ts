// A session: what one miner's connection is, as a machine without hands. A line and what is known -> the next session and effects.
//
//   greeting --subscribe--> enlisting --enlisted(extranonce1)--> mining
//
// greeting   may configure, authorize, suggest; has no extranonce1, so it gets no work and a share is refused with 25.
// enlisting  its extranonce1 is being claimed or allotted; its lines wait outside (in-lines.ts) until `enlisted`.
// mining     has work. It ends when the connection does.
//
//   L1. Whatever a line causes is idempotent: the same line again, here or at another instance, answers the same.
//   L2. The reply to mining.subscribe is the first thing a connection hears: minerd reads exactly one line and otherwise comes
//       again without its session id. Difficulty and the first job follow in the same write, before any authorize.
//   C4. What must survive is in the snapshot; `save` follows every change of it.

import type { ConnectionId, Difficulty, WorkerName } from "../../lib/contracts/index.js";
import { limitsOfSession, tell } from "./difficulty.js";
import { within } from "./limits.js";
import * as encode from "./protocol/encode.js";
import {
  type Context,
  type Effect,
  type Enlisting,
  type Greeting,
  type Mining,
  type Session,
  type Step,
  say,
  type Told,
  toldOf,
} from "./session-state.js";
import type { Snapshot } from "./snapshot.js";
import { openWindow, SILENT_MAX } from "./vardiff.js";

export const greet = (connection: ConnectionId, nowMs: number): Greeting => ({
  phase: "greeting",
  connection,
  openedAtMs: nowMs,
  agent: "",
  workers: [],
  versionMask: 0,
  minimum: 0,
  wish: 0,
  garbled: 0,
});

export const subscription = ({ connection, extranonce1 }: Mining, id: string, { settings }: Context): string =>
  encode.subscription(id, connection, extranonce1, settings.extranonce2Size);

/** What was found for a connection that subscribes: a number of its own, or a session to go on with. */
export interface Grant {
  /** Hex. */
  readonly extranonce1: string;
  readonly resumed?: Snapshot;
}

export function enlisted(session: Enlisting, grant: Grant, context: Context): Step<Mining> {
  const { id, ...rest } = session;
  const common = {
    ...rest,
    phase: "mining",
    extranonce1: grant.extranonce1,
    window: openWindow(context.nowMs),
  } as const;
  const mining = grant.resumed?.mining ? resume(common, grant.resumed) : begin(common, context);
  const told = tell(mining, context, true);
  return {
    session: told.session,
    // L2: the reply first.
    effects: [
      say(subscription(mining, id, context)),
      { kind: "join" },
      ...narrowed(mining, context),
      ...told.effects,
      { kind: "save" },
    ],
  };
}

/** It configured before there was a job, or in an earlier life: this job lets it roll fewer bits than it was told. */
function narrowed({ versionMask }: Mining, { book }: Context): Effect[] {
  const mask = book.current ? (versionMask & book.current.job.versionMask) >>> 0 : versionMask;
  return mask === versionMask ? [] : [say(encode.setVersionMask(mask))];
}

type Fresh = Omit<Mining, "difficulty" | "announced" | "told">;

function begin(fresh: Fresh, context: Context): Mining {
  const limits = limitsOfSession(fresh, context);
  const difficulty = within(limits, fresh.wish || limits.start);
  return { ...fresh, difficulty, announced: undefined, told: undefined };
}

/** C4: the difficulty comes along; workers authorize again. */
function resume(fresh: Fresh, snapshot: Snapshot): Mining {
  const { mining, versionMask, minimum, wish } = snapshot;
  return {
    ...fresh,
    difficulty: mining?.difficulty ?? (1 as Difficulty),
    announced: undefined, // This connection has heard nothing yet.
    told: undefined,
    // A share made before it came back may have rolled bits.
    versionMask: (fresh.versionMask | versionMask) >>> 0,
    minimum: fresh.minimum || minimum,
    wish: fresh.wish || wish,
  };
}

/**
 * A connection that another instance, or an earlier edge, had: it goes on where its snapshot stands. Promise J3: it hears nothing when
 * it has the present job, and else the present job as work that it was never told before.
 *
 * @param heard What its edge sent it last, however: undefined when the edge does not know, as one that took over from a dead edge.
 */
export function restore(connection: ConnectionId, snapshot: Snapshot, context: Context, heard: Told | undefined): Step {
  const { agent, workers, versionMask, minimum, wish, mining } = snapshot;
  const common = {
    ...greet(connection, context.nowMs),
    agent,
    workers: workers as WorkerName[],
    versionMask,
    minimum,
    wish,
  };
  if (!mining) return { session: common, effects: [] };
  const { silent, ...lasting } = mining;
  const session: Mining = { ...common, ...lasting, phase: "mining", window: openWindow(context.nowMs, silent) };
  const { current } = context.book;
  if (!current || heard?.job === current.job.id) return { session, effects: [{ kind: "join" }] };
  const clean = (heard ?? mining.told)?.tip !== toldOf(current.job).tip;
  const told = tell(session, context, clean);
  return { session: told.session, effects: [{ kind: "join" }, ...told.effects] };
}

/** The part of a session that the next instance needs. */
export function snapshotOf(session: Session): Snapshot {
  const { agent, workers, versionMask, minimum, wish } = session;
  const common = { agent, workers, versionMask, minimum, wish };
  if (session.phase !== "mining") return common;
  const { extranonce1, difficulty, announced, told, window } = session;
  const silent = Math.min(window.silent, SILENT_MAX);
  return { ...common, mining: { extranonce1, difficulty, announced, told, silent } };
}

/** Why this connection must go now, if it must. */
export function overdue(
  session: Session,
  { settings, nowMs }: Pick<Context, "settings" | "nowMs">,
): string | undefined {
  const ageMs = nowMs - session.openedAtMs;
  if (session.phase !== "mining" && ageMs > settings.subscribeTimeoutMs) return "no mining.subscribe in time";
  if (session.workers.length === 0 && ageMs > settings.authorizeTimeoutMs) return "no authorized worker in time";
  return undefined;
}
