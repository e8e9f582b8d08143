// What a client may ask, and how each method's params become a typed request.
//
//   parse.ts --(method, params)--> METHODS[method](params) -> Request | Refusal
//
// A new method is one entry here and one case in session.ts. Too many params are no fault (firmware appends its own); too few
// are, where the missing one matters.

import type { Refusal } from "./errors.js";
import * as fields from "./fields.js";

export interface Submit {
  readonly method: "submit";
  readonly worker: string;
  /** As the miner saw it in mining.notify. */
  readonly job: string;
  /** Lower case hex; its exact length depends on the job. */
  readonly extranonce2: string;
  readonly time: number;
  readonly nonce: number;
  /** Absent: the miner did not roll the version. */
  readonly versionBits?: number;
}

export type Request =
  | { readonly method: "subscribe"; readonly agent: string; readonly session?: string }
  | { readonly method: "authorize"; readonly worker: string; readonly password: string }
  | Submit
  | { readonly method: "configure"; readonly extensions: readonly string[]; readonly options: Options }
  | { readonly method: "suggestDifficulty"; readonly difficulty: number }
  | { readonly method: "suggestTarget"; readonly target: bigint }
  /** Answered with a constant. */
  | { readonly method: "constant"; readonly result: unknown };

export type Options = Readonly<Record<string, unknown>>;
type Params = readonly unknown[];
type Reader = (params: Params) => Request | Refusal;

/** Extensions named in one mining.configure; BIP 310 and its neighbours define four. */
const EXTENSIONS_MAX = 16;
const EXTENSION_LENGTH_MAX = 64;

const constant =
  (result: unknown): Reader =>
  () => ({ method: "constant", result });

function subscribe(params: Params): Request {
  const [agent, session] = params;
  const name = fields.optionalText(agent, fields.AGENT_LENGTH_MAX);
  // An unusable session id means a new session, never an error: minerd gives up its id when a subscribe with one fails.
  const known = typeof session === "string" && session.length > 0 && session.length <= fields.SESSION_LENGTH_MAX;
  return known ? { method: "subscribe", agent: name, session } : { method: "subscribe", agent: name };
}

function authorize(params: Params): Request | Refusal {
  const worker = fields.text(params[0], "worker name", fields.WORKER_LENGTH_MAX);
  if (typeof worker !== "string") return worker;
  return { method: "authorize", worker, password: fields.optionalText(params[1], fields.PASSWORD_LENGTH_MAX) };
}

function submit(params: Params): Request | Refusal {
  const worker = fields.text(params[0], "worker name", fields.WORKER_LENGTH_MAX);
  if (typeof worker !== "string") return worker;
  const job = fields.text(params[1], "job id", fields.JOB_LENGTH_MAX);
  if (typeof job !== "string") return job;
  const extranonce2 = fields.hex(params[2], "extranonce2", 2, fields.EXTRANONCE2_DIGITS_MAX);
  if (typeof extranonce2 !== "string") return extranonce2;
  const time = fields.uint32(params[3], "ntime");
  if (typeof time !== "number") return time;
  const nonce = fields.uint32(params[4], "nonce");
  if (typeof nonce !== "number") return nonce;
  const common = { method: "submit", worker, job, extranonce2, time, nonce } as const;
  if (params[5] === undefined || params[5] === null || params[5] === "") return common;
  const versionBits = fields.uint32(params[5], "version bits");
  return typeof versionBits === "number" ? { ...common, versionBits } : versionBits;
}

function configure(params: Params): Request | Refusal {
  const [extensions, options] = params;
  if (!Array.isArray(extensions) || extensions.length > EXTENSIONS_MAX)
    return { reason: "other", text: `Invalid extensions: a list of at most ${EXTENSIONS_MAX} names is needed` };
  const names: string[] = [];
  for (const name of extensions) {
    const checked = fields.text(name, "extension name", EXTENSION_LENGTH_MAX);
    if (typeof checked !== "string") return checked;
    names.push(checked);
  }
  return { method: "configure", extensions: names, options: isObject(options) ? options : {} };
}

function suggestDifficulty(params: Params): Request | Refusal {
  const difficulty = fields.positive(params[0], "difficulty");
  return typeof difficulty === "number" ? { method: "suggestDifficulty", difficulty } : difficulty;
}

function suggestTarget(params: Params): Request | Refusal {
  const digits = fields.hex(params[0], "target", 1, 64);
  if (typeof digits !== "string") return digits;
  return { method: "suggestTarget", target: BigInt(`0x${digits}`) };
}

export const isObject = (value: unknown): value is Options =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What `client.get_version` is answered with when a client asks us. */
export const SERVER_VERSION = "headframe/0.1";

export const METHODS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["mining.subscribe", subscribe],
  ["mining.authorize", authorize],
  ["mining.submit", submit],
  ["mining.configure", configure],
  ["mining.suggest_difficulty", suggestDifficulty],
  ["mining.suggest_target", suggestTarget],
  // Nothing is to be done: the subscription of extranonces holds by itself, and the rest are questions.
  ["mining.extranonce.subscribe", constant(true)],
  ["mining.ping", constant("pong")],
  ["client.ping", constant("pong")],
  ["client.get_version", constant(SERVER_VERSION)],
  ["mining.get_version", constant(SERVER_VERSION)],
  ["mining.multi_version", constant(true)],
  // cgminer asks for a block's transactions to show them; a job does not carry them.
  ["mining.get_transactions", constant([])],
  ["mining.capabilities", constant({})],
]);
