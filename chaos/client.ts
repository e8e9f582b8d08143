// One scripted client: a miner that finds a share whenever it wants one, and believes nothing.
//
//   opened -> subscribe -> authorize -> a share every `everyMs` -> ...      line(...) checks, and tells what it saw
//
// It has no socket and no clock of its own: clients.ts gives it lines and ticks, a test does the same. What it sees goes to
// the ledger, which judges; here is only what one connection alone can tell: an answer belongs to exactly one question.
//
// While an answer is late it asks a small question (mining.ping), and again each second: when the first one is answered, the pool
// serves again, even if the late one was lost with a killed edge. Real miners do not ask; a thousand that asked more often would be
// most of the load that a pool has to catch up with.

import { attempt, hex32 } from "../demo/miner/grind.js";
import { chain } from "../lib/contracts/index.js";
import type { MadeShare, Seen } from "./seen.js";
import { type Notice, readNotice } from "./work.js";

export interface Hands {
  /** One line, without its end. */
  write(line: string): void;
  see(seen: Seen): void;
  nowMs(): number;
}

export interface Pace {
  /** Between two shares. */
  readonly everyMs: number;
}

interface Question {
  readonly method: string;
  readonly askedMs: number;
  readonly share?: MadeShare;
  /** When a later one was answered. */
  laterMs?: number;
}

const LATE_MS = 250;
const LATE_AGAIN_MS = 1_000;
/** Later ones were answered, and this one not for so long: longer than Redis may be away (30 s). */
const LOST_MS = 45_000;
/** The same at the end of a run, when all is whole again. */
const LOST_AT_END_MS = 15_000;
/** Without answers a client asks no more than so many questions, and no small ones above the second. The edge reads 32 ahead. */
const OPEN_MAX = 64;
const PINGS_OPEN_MAX = 16;
/** More is none that the pool offers. */
const EXTRANONCE2_BYTES_MAX = 8;

interface Message {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

export class Client {
  /** Lines that came. */
  lines = 0;
  readonly #worker: string;
  readonly #questions = new Map<number, Question>();
  /** Given up: an answer that comes all the same is late, and not strange; a `true` must be kept all the same. */
  readonly #givenUp = new Map<number, Question>();
  #nextId = 1;
  #nonce = 0;
  #session: { readonly id: string; readonly extranonce1: string; readonly extranonce2: string } | undefined;
  #authorized = false;
  #notice: Notice | undefined;
  #open = false;
  #asking = true;
  #nextShareMs = 0;
  #lastAskedMs = 0;
  #lastPingMs = 0;

  constructor(
    readonly index: number,
    private readonly hands: Hands,
    private readonly pace: Pace,
  ) {
    this.#worker = `chaos.${index}`;
  }

  /** Questions without an answer. */
  get waiting(): number {
    return this.#questions.size;
  }

  /** Subscribed, authorized, with work. */
  get mining(): boolean {
    return this.#open && this.#authorized && this.#notice !== undefined;
  }

  /** A new connection is there. @param firstShareMs When to begin, so that not all do at once. */
  opened(firstShareMs: number): void {
    this.#open = true;
    this.#nextShareMs = firstShareMs;
    this.#ask("mining.subscribe", this.#session ? ["chaos/1", this.#session.id] : ["chaos/1"]);
  }

  /** No more shares; answers are still awaited. */
  pause(): void {
    this.#asking = false;
  }

  ended(by: "us" | "pool", why: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#authorized = false;
    this.#notice = undefined;
    const { index: client } = this;
    for (const { method, askedMs, share, laterMs } of this.#questions.values())
      this.hands.see({ kind: "silence", client, method, askedMs, share, laterMs });
    this.#questions.clear();
    this.#givenUp.clear();
    this.hands.see({ kind: "end", client, atMs: this.hands.nowMs(), by, why });
  }

  /** To be called every few tens of milliseconds. */
  tick(nowMs: number): void {
    if (!this.#open) return;
    this.#giveUp(nowMs);
    if (this.#late(nowMs)) {
      this.#lastPingMs = nowMs;
      this.#ask("mining.ping", []);
    }
    if (!this.#asking || !this.mining || nowMs < this.#nextShareMs || this.waiting >= OPEN_MAX) return;
    const next = this.#nextShareMs + this.pace.everyMs;
    this.#nextShareMs = next > nowMs ? next : nowMs + this.pace.everyMs; // What was missed is not made up for.
    this.#submit();
  }

  line(text: string): void {
    this.lines += 1;
    const message = parse(text);
    if (!message) this.#strange(text, "it is no JSON object");
    else if (typeof message.method === "string") this.#told(message.method, message.params, text);
    else this.#answered(message, text);
  }

  /** Questions that no answer can be hoped for any more. */
  #giveUp(nowMs: number): void {
    for (const [id, { method, askedMs, share, laterMs }] of this.#questions) {
      if (laterMs === undefined || nowMs - askedMs < (this.#asking ? LOST_MS : LOST_AT_END_MS)) continue;
      this.#questions.delete(id);
      this.#givenUp.set(id, { method, askedMs, ...(share && { share }) });
      this.hands.see({ kind: "silence", client: this.index, method, askedMs, share, laterMs });
    }
  }

  #late(nowMs: number): boolean {
    if (nowMs - this.#lastAskedMs < LATE_MS || nowMs - this.#lastPingMs < LATE_AGAIN_MS) return false;
    if (this.waiting >= PINGS_OPEN_MAX) return false;
    for (const { askedMs, laterMs } of this.#questions.values()) {
      if (laterMs === undefined) return nowMs - askedMs >= LATE_MS; // The oldest comes first.
    }
    return false;
  }

  #ask(method: string, params: readonly unknown[], share?: MadeShare): void {
    const id = this.#nextId++;
    const askedMs = this.hands.nowMs();
    this.#lastAskedMs = askedMs;
    this.#questions.set(id, share ? { method, askedMs, share } : { method, askedMs });
    this.hands.write(JSON.stringify({ id, method, params }));
  }

  #submit(): void {
    const notice = this.#notice;
    if (!notice || !this.#session) return;
    const nonce = this.#nonce++;
    const { extranonce1, extranonce2 } = this.#session;
    const { header, jobId, time } = attempt(notice, extranonce1, extranonce2, nonce);
    const identity = Buffer.from(chain.headerId(header)).toString("hex");
    const params = [this.#worker, jobId, extranonce2, time, hex32(nonce)];
    this.#ask("mining.submit", params, { identity, height: notice.height });
  }

  #told(method: string, params: unknown, text: string): void {
    if (method !== "mining.notify") {
      if (!NOTIFICATIONS.has(method)) this.#strange(text, "a notification that no miner knows");
      return;
    }
    const notice = readNotice(params);
    if (!notice) {
      this.#strange(text, "work that no miner can read");
      return;
    }
    this.#notice = notice;
    const { jobId: job, height } = notice;
    this.hands.see({ kind: "job", client: this.index, atMs: this.hands.nowMs(), job, height });
  }

  #answered(message: Message, text: string): void {
    const id = typeof message.id === "number" ? message.id : -1;
    const question = this.#questions.get(id) ?? this.#givenUp.get(id);
    if (!question) {
      this.#strange(text, "it answers no question");
      return;
    }
    const atMs = this.hands.nowMs();
    this.#questions.delete(id);
    this.#givenUp.delete(id);
    for (const earlier of this.#questions.values()) {
      if (earlier.askedMs >= question.askedMs) break;
      earlier.laterMs ??= atMs;
    }
    const { method, askedMs, share } = question;
    const refused = refusalOf(message.error);
    const common = { kind: "answer", client: this.index, method, askedMs, atMs, share } as const;
    this.hands.see(refused ? { ...common, refused } : common);
    if (refused) return;
    if (!this.#take(method, message.result)) this.#strange(text, `it is no answer to ${method}`);
  }

  /** False: the result makes no sense. */
  #take(method: string, result: unknown): boolean {
    if (method === "mining.subscribe") return this.#subscribed(result);
    if (method === "mining.ping") return result === "pong";
    if (method === "mining.authorize") this.#authorized = result === true;
    return result === true;
  }

  #subscribed(result: unknown): boolean {
    if (!Array.isArray(result)) return false;
    const [pairs, extranonce1, extranonce2Size] = result as unknown[];
    const session = Array.isArray(pairs) ? pairs.flat().at(-1) : undefined;
    if (typeof session !== "string" || typeof extranonce1 !== "string") return false;
    if (typeof extranonce2Size !== "number" || !(extranonce2Size > 0 && extranonce2Size <= EXTRANONCE2_BYTES_MAX))
      return false;
    const before = this.#session?.extranonce1;
    this.#session = { id: session, extranonce1, extranonce2: "00".repeat(extranonce2Size) };
    const atMs = this.hands.nowMs();
    this.hands.see({ kind: "session", client: this.index, atMs, session, extranonce1, before });
    this.#ask("mining.authorize", [this.#worker, "x"]);
    return true;
  }

  #strange(line: string, why: string): void {
    this.hands.see({ kind: "strange", client: this.index, atMs: this.hands.nowMs(), line: line.slice(0, 300), why });
  }
}

const NOTIFICATIONS: ReadonlySet<string> = new Set([
  "mining.set_difficulty",
  "mining.set_extranonce",
  "mining.set_version_mask",
  "client.show_message",
]);

function refusalOf(error: unknown): { code: number; text: string } | undefined {
  if (error === null || error === undefined) return undefined;
  const [code, text] = Array.isArray(error) ? (error as unknown[]) : [];
  return { code: typeof code === "number" ? code : Number.NaN, text: String(text).slice(0, 200) };
}

/** A broadcast is the same line for every client: it is parsed once. */
let last: { readonly text: string; readonly message: Message | undefined } = { text: "", message: undefined };

function parse(text: string): Message | undefined {
  if (text !== last.text) last = { text, message: parseFresh(text) };
  return last.message;
}

function parseFresh(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
