// Thrown: what a `catch` may hold, turned into a text or into an Error that can be logged.
//
// JavaScript throws anything: undefined, a Proxy, an object whose `message` is a getter that throws, a text of a gigabyte, an error
// that is its own cause. An error path that trusts one of them fails itself, and takes the process along. So nobody reads a caught
// value but the functions here,
// which throw nothing and return something bounded.

import { inspect } from "node:util";

/** Longest text, in UTF-16 units: a screen full, which is more than anybody reads. */
const TEXT_MAX = 8_192;
const STACK_MAX = 16_384;
/** Causes that are followed: a chain may be a circle. */
const CAUSES_MAX = 8;
/** Other fields of an error (`code`, `syscall`, `port`) that a log line shows. */
const FIELDS_MAX = 16;
const UNREADABLE = "a thrown value that cannot be read: looking at it throws";

/** For what is no Error: no getter, no Proxy trap and no inspect function of the value runs. */
const BOUNDED = { depth: 1, maxArrayLength: 8, maxStringLength: 256, breakLength: Number.POSITIVE_INFINITY } as const;

/** What was thrown, as text: an error's message (or its code, or its name), anything else as Node shows it. */
export function messageOf(thrown: unknown, max = TEXT_MAX): string {
  try {
    return shorten(textOf(thrown), max);
  } catch {
    return UNREADABLE;
  }
}

function textOf(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (isObject(thrown)) {
    const { message } = thrown as { readonly message?: unknown };
    if (typeof message === "string" && message !== "") return message;
    if (thrown instanceof Error && (message === "" || message === undefined))
      return codeOf(thrown) ?? String(thrown.name);
  }
  return inspect(thrown, { ...BOUNDED, customInspect: false });
}

/** An error's `code`, such as ENOENT; undefined: it has none that is a text. */
export function codeOf(thrown: unknown): string | undefined {
  try {
    const code: unknown = isObject(thrown) ? (thrown as { readonly code?: unknown }).code : undefined;
    return typeof code === "string" ? shorten(code, TEXT_MAX) : undefined;
  } catch {
    return undefined;
  }
}

/** A copy that is safe to log and to keep: bounded texts, no getters, a chain of causes that ends. */
export function asError(thrown: unknown): Error {
  return copy(thrown, CAUSES_MAX);
}

function copy(thrown: unknown, causesMax: number): Error {
  const error = new Error(messageOf(thrown));
  error.stack = `${error.name}: ${error.message}`; // Where it was copied is of no interest.
  try {
    if (isObject(thrown)) copyFields(thrown, error, causesMax);
  } catch {
    // What has been read so far is what there is to say.
  }
  return error;
}

function copyFields(thrown: object, error: Error, causesMax: number): void {
  const { name, stack, cause } = thrown as { name?: unknown; stack?: unknown; cause?: unknown };
  if (typeof name === "string" && name !== "") error.name = shorten(name, TEXT_MAX);
  if (typeof stack === "string") error.stack = shorten(stack, STACK_MAX);
  if (cause !== undefined && causesMax > 0) error.cause = copy(cause, causesMax - 1);
  if (!(thrown instanceof Error)) return; // A thrown array or buffer may have millions of fields.
  const others = Object.entries(Object.getOwnPropertyDescriptors(thrown)).slice(0, FIELDS_MAX);
  for (const [field, { value, enumerable }] of others) {
    if (!enumerable || field in error || field === "__proto__") continue;
    if (typeof value === "string") Object.assign(error, { [field]: shorten(value, TEXT_MAX) });
    else if (typeof value === "number" || typeof value === "boolean") Object.assign(error, { [field]: value });
  }
}

/** pino's serializer of `err`: its own reads what it is given as it comes, and throws with it. */
export function errorForLog(thrown: unknown): Readonly<Record<string, unknown>> {
  const { name, message, stack, cause, ...fields } = asError(thrown);
  const chain: Error[] = [];
  for (let at = cause; at instanceof Error; at = at.cause) chain.push(at);
  return {
    type: name,
    message: [message, ...chain.map((at) => at.message)].join(": "),
    stack: [stack, ...chain.map((at) => at.stack)].join("\ncaused by: "),
    ...fields,
  };
}

const isObject = (value: unknown): value is object =>
  (typeof value === "object" && value !== null) || typeof value === "function";

/** At most `max` UTF-16 units; what is missing is marked. */
const shorten = (text: string, max: number): string => (text.length <= max ? text : `${text.slice(0, max - 3)}...`);
