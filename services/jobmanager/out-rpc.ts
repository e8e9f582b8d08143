// JSON-RPC to one coin daemon.
//
//   whoever asks --call(method, params, schema)--> keep-alive HTTP --> daemon --> bounded, parsed, checked --> whoever asked
//
//   R1. Every failure says which of five things happened (RpcErrorCode), with the daemon's name and what to do.
//   R2. A call ends after its timeout, whatever the daemon does; an answer has at most ANSWER_BYTES_MAX bytes.
//   R3. Credentials are read from their file at first use and again after a 401: a restarted daemon has a new cookie.
//   R4. A kept connection that the daemon had closed costs nothing: the daemon has not seen the request, so it is sent again.
//   R5. Proxies in front of daemons add what the daemon would not: a byte-order mark is left out, a compressed answer unpacked (out-http).
//
// Source: JSON-RPC 1.0 as Bitcoin Core speaks it, and 2.0, which other daemons and proxies answer with.

import { readFile } from "node:fs/promises";
import * as http from "node:http";
import * as https from "node:https";
import { z } from "zod";
import { type Answer, PostFailure, post } from "./out-http.js";
import { messageOf, reasonOf, shorten } from "./reason.js";

/** A template's transactions are hex, so a little over twice a block; chains with blocks of 32 MB just fit. */
const ANSWER_BYTES_MAX = 72 * 1_048_576;
/** One for templates, one for the pulse, the others for blocks. Daemons have few threads: 4 unless told otherwise. */
const SOCKETS_MAX = 8;
/** Of an answer that is no JSON-RPC, what the reason quotes. */
const QUOTE_CHARACTERS = 80;

const STATES = {
  /** No connection, or it broke. */
  UNREACHABLE: "down",
  /** The daemon does not take our user and password. */
  UNAUTHORISED: "refused",
  /** It took the request and did not answer in time. */
  TIMEOUT: "refused",
  /** It answered with an error of its own: see rpcCode. */
  RPC: "refused",
  /** It answered something that is not what the method answers. */
  NONSENSE: "refused",
} as const;
export type RpcErrorCode = keyof typeof STATES;

/** The daemon starts: it loads its index and answers nothing else. */
const RPC_IN_WARMUP = -28;

export class RpcError extends Error {
  override readonly name = "RpcError";

  constructor(
    readonly code: RpcErrorCode,
    message: string,
    /** The daemon's error number, of an RPC error. */
    readonly rpcCode?: number,
    options?: ErrorOptions,
  ) {
    super(`[${code}] ${message}`, options);
  }

  /** What the failure says about the daemon: it is not there, or it is there and wrong. */
  get state(): "down" | "refused" {
    return this.rpcCode === RPC_IN_WARMUP ? "down" : STATES[this.code];
  }
}

export interface RpcOptions {
  /** What errors call the daemon. */
  readonly name: string;
  readonly url: string;
  /** Of a call that does not say otherwise, milliseconds. */
  readonly timeoutMs: number;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly passwordFile?: string | undefined;
  /** Instead of user and password. */
  readonly cookieFile?: string | undefined;
}

export interface CallOptions {
  /** 0: none, for a long poll whose caller has another way to see that the daemon died. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** JSON-RPC 1.0 has both, 2.0 only the one that applies. */
const envelope = z.object({
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).nullish(),
});

export class DaemonRpc {
  readonly #agent: http.Agent;
  readonly #url: URL;
  #authorization: string | undefined;
  #id = 0;

  constructor(readonly options: RpcOptions) {
    this.#url = new URL(options.url);
    const settings = { keepAlive: true, maxSockets: SOCKETS_MAX, noDelay: true };
    this.#agent = this.#url.protocol === "https:" ? new https.Agent(settings) : new http.Agent(settings);
  }

  /**
   * Calls one method and checks the result's shape. Only methods that may be repeated (R4).
   *
   * @throws {RpcError} see RpcErrorCode; or the signal's reason when it was aborted.
   */
  async call<T>(method: string, params: readonly unknown[], result: z.ZodType<T>, options?: CallOptions): Promise<T> {
    const body = JSON.stringify({ jsonrpc: "1.0", id: ++this.#id, method, params });
    let answer = await this.#post(method, body, options ?? {});
    if (answer.status === 401 && this.options.cookieFile !== undefined) {
      this.#authorization = undefined; // R3
      answer = await this.#post(method, body, options ?? {});
    }
    const parsed = result.safeParse(this.#resultOf(method, answer));
    if (parsed.success) return parsed.data;
    throw this.#error("NONSENSE", `answers ${method} with nonsense: ${reasonOf(parsed.error)}`);
  }

  /** Breaks calls in flight. */
  close(): void {
    this.#agent.destroy();
  }

  async #post(method: string, body: string, options: CallOptions): Promise<Answer> {
    options.signal?.throwIfAborted();
    this.#authorization ??= await this.#credentials();
    const request = {
      url: this.#url,
      agent: this.#agent,
      headers: { authorization: this.#authorization, "content-type": "application/json" },
      body,
      timeoutMs: options.timeoutMs ?? this.options.timeoutMs,
      answerBytesMax: ANSWER_BYTES_MAX,
      signal: options.signal,
    };
    try {
      return await post(request).catch((error: unknown) => {
        if (error instanceof PostFailure && error.kind === "stale") return post(request); // R4
        throw error;
      });
    } catch (error) {
      throw error instanceof PostFailure ? this.#explain(method, request.timeoutMs, error) : error;
    }
  }

  #resultOf(method: string, { status, body }: Answer): unknown {
    if (status === 401) throw this.#error("UNAUTHORISED", `refuses our credentials: ${this.#whereCredentials()}`);
    if (status === 403) throw this.#error("UNAUTHORISED", "takes no calls from this address: see its -rpcallowip");
    const parsed = envelope.safeParse(parseJson(body));
    if (!parsed.success) {
      const quote = JSON.stringify(body.slice(0, QUOTE_CHARACTERS));
      throw this.#error("NONSENSE", `answers ${method} with something that is not JSON-RPC: HTTP ${status}, ${quote}`);
    }
    const { error, result } = parsed.data;
    if (!error && !("result" in parsed.data)) {
      throw this.#error("NONSENSE", `answers ${method} with neither a result nor an error`);
    }
    if (error)
      throw this.#error("RPC", `answers ${method} with error ${error.code}: ${shorten(error.message)}`, error.code);
    return result;
  }

  #explain(method: string, timeoutMs: number, failure: PostFailure): RpcError {
    switch (failure.kind) {
      case "timeout":
        return this.#error("TIMEOUT", `is too slow: no answer to ${method} within ${timeoutMs} ms`);
      case "oversize":
        return this.#error("NONSENSE", `answers ${method} with more than ${ANSWER_BYTES_MAX} bytes`);
      default:
        return this.#error("UNREACHABLE", `does not answer at ${this.#url.host} (${failure.message}): is it running?`);
    }
  }

  async #credentials(): Promise<string> {
    const { cookieFile, user = "", password = "", passwordFile } = this.options;
    const file = cookieFile ?? passwordFile;
    if (file === undefined) return basic(`${user}:${password}`);
    try {
      const text = (await readFile(file, "utf8")).trim();
      return basic(cookieFile === undefined ? `${user}:${text}` : text);
    } catch (error) {
      throw this.#error("UNAUTHORISED", `cannot be asked, its credentials are not readable: ${messageOf(error)}`);
    }
  }

  #whereCredentials(): string {
    const { cookieFile, passwordFile } = this.options;
    if (cookieFile !== undefined) return `${cookieFile} is not this daemon's cookie file`;
    return passwordFile === undefined ? "check user and password" : `check user and the password in ${passwordFile}`;
  }

  #error(code: RpcErrorCode, what: string, rpcCode?: number): RpcError {
    return new RpcError(code, `daemon ${this.options.name} ${what}`, rpcCode);
  }
}

const basic = (userAndPassword: string): string => `Basic ${Buffer.from(userAndPassword, "utf8").toString("base64")}`;

const BYTE_ORDER_MARK = "\ufeff";

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text); // R5
  } catch {
    return undefined;
  }
}
