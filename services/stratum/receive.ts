// One line of a miner's -> the session's next step. What each method does, in one switch.
//
//   parse.ts -> receive(session, line) -> difficulty.ts (wishes), session.ts (states) -> effects for in-lines.ts
//
// Promises L1 and L2 of session.ts are kept here: a repeated line answers the same, and the answer to a line comes before
// whatever else it causes.

import { chain, type WorkerName, workerName } from "../../lib/contracts/index.js";
import { tell, wished } from "./difficulty.js";
import { difficultyInPassword, limitsOf } from "./limits.js";
import * as encode from "./protocol/encode.js";
import { REFUSALS, type Refusal, refusal } from "./protocol/errors.js";
import { extensionAnswers } from "./protocol/extensions.js";
import type { Line } from "./protocol/parse.js";
import type { Options, Request } from "./protocol/requests.js";
import { subscription } from "./session.js";
import { type Context, type Effect, type Enlisting, type Session, type Step, say } from "./session-state.js";
import { fitsWorker } from "./snapshot.js";

/** One line of the client's. Not to be called while enlisting: its lines wait. */
export function receive(session: Session, line: Line, context: Context): Step {
  switch (line.kind) {
    case "silence":
      return { session, effects: [] };
    case "garbled":
      return garbled(session, line.id, line.refusal, context.settings.garbledLinesMax);
    case "refused":
      return line.method === "mining.submit"
        ? refuse(session, line.id, line.refusal, "")
        : { session, effects: [say(encode.refused(line.id, line.refusal))] };
    case "request":
      return answer(session, line.id, line.request, context);
  }
}

function answer(session: Session, id: string, request: Request, context: Context): Step {
  switch (request.method) {
    case "constant":
      return { session, effects: [say(encode.reply(id, request.result))] };
    case "subscribe":
      if (context.workless) return turnAway(session, id);
      return subscribe(session, id, request, context);
    case "authorize":
      if (context.workless) return turnAway(session, id);
      return authorize(session, id, request, context);
    case "submit":
      if (session.phase !== "mining") return refuse(session, id, REFUSALS.notSubscribed, request.worker);
      return { session, effects: [{ kind: "judge", id, submit: request }] };
    case "configure":
      return configure(session, id, request.extensions, request.options, context);
    case "suggestDifficulty":
      return suggest(session, id, request.difficulty, context);
    case "suggestTarget":
      return suggest(session, id, difficultyOfTarget(request.target, context), context);
  }
}

/** C5: a pool that takes a miner in without work lures it back from the one to which it failed over. */
function turnAway(session: Session, id: string): Step {
  const { noWork } = REFUSALS;
  return {
    session,
    effects: [say(encode.refused(id, noWork)), { kind: "turned-away" }, { kind: "close", text: noWork.text }],
  };
}

function refuse(session: Session, id: string, why: Refusal, worker: string): Step {
  return { session, effects: [say(encode.refused(id, why)), { kind: "reject", worker, reason: why.reason }] };
}

function garbled(session: Session, id: string, why: Refusal, max: number): Step {
  const next = { ...session, garbled: session.garbled + 1 };
  const effects: Effect[] = [say(encode.refused(id, why)), { kind: "garbled" }];
  if (next.garbled >= max) effects.push({ kind: "close", text: `${max} lines that are no requests` });
  return { session: next, effects };
}

function subscribe(session: Session, id: string, request: Request & { method: "subscribe" }, context: Context): Step {
  if (session.phase === "mining") {
    // L1: the same answer. The miner forgot its difficulty and its job, as it does at every subscribe.
    const told = tell(session, context, true);
    return { session: told.session, effects: [say(subscription(session, id, context)), ...told.effects] };
  }
  const next: Enlisting = { ...session, phase: "enlisting", agent: request.agent, id };
  const resume = request.session === undefined ? {} : { resume: request.session };
  return { session: next, effects: [{ kind: "enlist", ...resume }] };
}

function authorize(session: Session, id: string, request: Request & { method: "authorize" }, context: Context): Step {
  const parsed = workerName.safeParse(request.worker);
  const why = parsed.success ? notAdmitted(session, parsed.data, context) : refusal("unauthorized", BAD_NAME);
  if (!parsed.success || why) return { session, effects: [say(encode.refused(id, why ?? REFUSALS.unauthorized))] };
  const known = session.workers.includes(parsed.data);
  const workers = known ? session.workers : [...session.workers, parsed.data];
  const wish = difficultyInPassword(request.password);
  const next: Session = { ...session, workers, wish: wish ?? session.wish };
  const step = wish === undefined || wish === session.wish ? unchanged(next) : changedWish(next, context);
  return { session: step.session, effects: [say(encode.accepted(id)), ...step.effects] };
}

const BAD_NAME = "Invalid worker name: printable characters without spaces are needed";

function notAdmitted(session: Session, worker: WorkerName, { settings, admits }: Context): Refusal | undefined {
  if (!admits(worker)) return refusal("unauthorized", "This worker name may not mine here");
  if (session.workers.includes(worker)) return undefined;
  if (session.workers.length < settings.workersPerConnection && fitsWorker(session.workers, worker)) return undefined;
  return refusal("unauthorized", "Too many workers on this connection: open another one");
}

function suggest(session: Session, id: string, wish: number, context: Context): Step {
  const step = wish === session.wish ? unchanged(session) : changedWish({ ...session, wish }, context);
  return { session: step.session, effects: [say(encode.accepted(id)), ...step.effects] };
}

const unchanged = (session: Session): Step => ({ session, effects: [{ kind: "save" }] });
const changedWish = (session: Session, context: Context): Step =>
  session.phase === "mining" ? wished(session, context) : unchanged(session);

/** Without a job the coin's function is unknown; sha256d's scale is then as good as any. */
const difficultyOfTarget = (target: bigint, { book }: Context): number =>
  chain.targetToDifficulty(book.current?.job.proofOfWork ?? "sha256d", target);

function configure(session: Session, id: string, names: readonly string[], options: Options, context: Context): Step {
  const offered = (context.settings.versionMask & (context.book.current?.job.versionMask ?? 0xffff_ffff)) >>> 0;
  const { ceiling } = limitsOf(context.rules, session.agent);
  const hardest = Math.min(ceiling, context.book.current?.networkDifficulty ?? ceiling);
  const { answers, versionMask, minimum } = extensionAnswers(names, options, { versionMask: offered, hardest });
  const next: Session = {
    ...session,
    versionMask: versionMask ?? session.versionMask,
    minimum: minimum ?? session.minimum,
  };
  const raised = minimum !== undefined && minimum !== session.minimum;
  const step = raised ? changedWish(next, context) : unchanged(next);
  return { session: step.session, effects: [say(encode.reply(id, answers)), ...step.effects] };
}
