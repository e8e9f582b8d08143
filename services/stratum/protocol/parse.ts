// A client's line -> what it asks, or what is wrong with it. Never throws, whatever the bytes.
//
//   bytes -> submit-line.ts, or depth -> JSON -> envelope (id, method, params) -> METHODS -> Line
//
//   P1. `id` is echoed as it came: kept as JSON text, since a number read and written again may differ.
//   P2. A line that is no request at all is `garbled` and counts towards letting the client go; a request with wrong params is
//       `refused`, which may happen as often as it likes (an ASIC whose connection closes shows the pool dead).

import type { Refusal } from "./errors.js";
import { refusal } from "./errors.js";
import { isRefusal, printable } from "./fields.js";
import { isObject, METHODS, type Request } from "./requests.js";
import { readSubmitLine } from "./submit-line.js";

export type Line =
  /** `method` as the client wrote it. */
  | { readonly kind: "request"; readonly id: string; readonly method: string; readonly request: Request }
  | { readonly kind: "refused"; readonly id: string; readonly method: string; readonly refusal: Refusal }
  | { readonly kind: "garbled"; readonly id: string; readonly refusal: Refusal }
  /** An empty line, or a client's answer to something we said: nothing is to be done. */
  | { readonly kind: "silence" };

/** Levels of brackets in a line; mining.configure, the deepest request, has three. */
export const DEPTH_MAX = 8;
/** Params of a request; the longest real one has six. */
export const PARAMS_MAX = 64;
/** Characters of an id that is a string. */
export const ID_LENGTH_MAX = 64;
const METHOD_LENGTH_MAX = 64;

/** The longest that submit-line.ts reads. */
const SUBMIT_LENGTH_MAX = 448;

const NO_ID = "null";
const garbled = (text: string, id = NO_ID): Line => ({ kind: "garbled", id, refusal: refusal("other", text) });

const NOT_A_REQUEST = garbled("Not a request: each line must be one JSON object");
const BRACKET = 0x5b;
const BRACE = 0x7b;
const BRACE_END = 0x7d;

export function parseLine(bytes: Uint8Array): Line {
  const line = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const submit = line.length <= SUBMIT_LENGTH_MAX ? readSubmitLine(line.toString("latin1")) : undefined;
  if (submit) return { kind: "request", id: submit.id, method: "mining.submit", request: submit.request };
  return parseAny(line);
}

/** Any line, without the short cut. */
export function parseAny(bytes: Uint8Array): Line {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8").trim();
  if (text === "") return { kind: "silence" };
  const first = text.charCodeAt(0);
  if (first !== BRACE && first !== BRACKET) return NOT_A_REQUEST; // Most garbage: neither walked through nor parsed.
  if (tooDeep(text)) return garbled(`Too deep: at most ${DEPTH_MAX} levels of brackets are accepted`);
  const value = fromJson(text);
  if (!isObject(value)) return NOT_A_REQUEST;
  return readEnvelope(value, text);
}

function readEnvelope(value: Readonly<Record<string, unknown>>, text: string): Line {
  const id = idText(value.id, text);
  if (id === undefined) return garbled("Invalid id: a number, a string or null is needed");
  const { method, params } = value;
  if (method === undefined && ("result" in value || "error" in value)) return { kind: "silence" };
  if (typeof method !== "string" || method.length === 0 || method.length > METHOD_LENGTH_MAX)
    return garbled("Invalid method: a name is needed", id);
  if (params !== undefined && params !== null && !Array.isArray(params))
    return { kind: "refused", id, method, refusal: refusal("other", "Invalid params: a list is needed") };
  const list: readonly unknown[] = Array.isArray(params) ? params : [];
  if (list.length > PARAMS_MAX)
    return { kind: "refused", id, method, refusal: refusal("other", `Too many params: at most ${PARAMS_MAX}`) };
  return readRequest(id, method, list);
}

function readRequest(id: string, method: string, params: readonly unknown[]): Line {
  const read = METHODS.get(method);
  if (!read) return { kind: "refused", id, method, refusal: refusal("other", `Unknown method ${printable(method)}`) };
  const request = read(params);
  return isRefusal(request)
    ? { kind: "refused", id, method, refusal: request }
    : { kind: "request", id, method, request };
}

/** Undefined: it is none, or no object. What does not end as an object does is not parsed: an error costs more than a line. */
function fromJson(text: string): unknown {
  if (text.charCodeAt(text.length - 1) !== BRACE_END) return undefined;
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0; // Nobody reads where a stranger's JSON broke, and telling it costs the most.
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** P1: the id's own JSON text, or undefined when it is of another type or too long. */
function idText(id: unknown, text: string): string | undefined {
  if (id === undefined || id === null) return NO_ID;
  if (typeof id === "string") return id.length <= ID_LENGTH_MAX ? JSON.stringify(id) : undefined;
  if (typeof id !== "number") return undefined;
  if (Number.isSafeInteger(id)) return String(id);
  // A number that a double cannot hold, or that is no integer: take its digits from the line.
  const raw = /"id"\s*:\s*(-?\d[\d.eE+-]{0,63})(?=\s*[,}])/.exec(text)?.[1];
  if (raw !== undefined && Number(raw) === id) return raw;
  return Number.isFinite(id) ? String(id) : undefined;
}

/** Whether brackets nest deeper than allowed; strings are not looked into. */
function tooDeep(text: string): boolean {
  // A line with few brackets, wherever they stand, needs no closer look: all that real miners send.
  return opensMoreThan(text, DEPTH_MAX) && depthOf(text) > DEPTH_MAX;
}

function opensMoreThan(text: string, most: number): boolean {
  let count = 0;
  for (const bracket of ["[", "{"]) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) if (++count > most) return true;
  }
  return false;
}

/** Deepest nesting of brackets outside strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (quoted) {
      if (code === 0x5c) i++;
      else if (code === 0x22) quoted = false;
    } else if (code === 0x22) quoted = true;
    else if (code === 0x5b || code === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x5d || code === 0x7d) depth--;
  }
  return deepest;
}
