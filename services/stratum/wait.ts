// Waiting that ends.

/** Ends early when aborted; never rejects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/** Resolves when `done` does, or after ms. A rejection counts as done. */
export async function atMost(ms: number, done: Promise<unknown>): Promise<void> {
  const enough = new AbortController();
  await Promise.race([done.catch(() => {}), pause(Math.max(0, ms), enough.signal)]);
  enough.abort();
}

/** @throws {Error} as it does, or after ms. */
export async function orLate<T>(doing: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${Math.round(ms)} ms`)), ms);
  });
  try {
    return await Promise.race([doing, late]);
  } finally {
    clearTimeout(timer);
  }
}
