// Foreign: the service's own code, as the wiring runs it. It may throw anything, return anything that looks like a promise, or be an
// `async` function where nobody waits for it: nothing of that may reach who calls it here.

import { types } from "node:util";

/** Runs it; `failed` hears of what it throws, at once or, when it is asynchronous, later. */
export function guarded(run: () => unknown, failed: (thrown: unknown) => void): void {
  try {
    const result = run();
    if (result !== undefined) watched(result, failed);
  } catch (thrown) {
    failed(thrown);
  }
}

/** Of what an `async` listener returned: nobody waits for it, so nobody else hears of its failure. */
export function watched(result: unknown, failed: (thrown: unknown) => void): void {
  const settled = settling(result);
  if (isPromise(settled)) settled.then(undefined, failed);
}

/**
 * What a handler returned: a promise when it is to be waited for. Something with a `then` of its own, which may throw or call back twice, is
 * wrapped in one of Node's.
 *
 * @throws what looking at it throws.
 */
export function settling(result: unknown): unknown {
  if (typeof result !== "object" || result === null) return result;
  const { then } = result as { readonly then?: unknown };
  if (typeof then !== "function") return result;
  if (then === Promise.prototype.then && types.isPromise(result)) return result;
  return new Promise((resolve) => resolve(result));
}

/** Of what settling() returned. */
export const isPromise = (settled: unknown): settled is Promise<unknown> => types.isPromise(settled);
