// Patience: whatever takes longer than a second says what it waits for, and for how long, until it is done.
//
// On stderr, in one line that vanishes: stdout is for programs, and a program that reads stderr is told only what went wrong.

const AFTER_MS = 1_000;

/** @param what Completes "waiting for ...". */
export async function patiently<T>(what: string, doing: Promise<T>, stream: NodeJS.WriteStream = process.stderr) {
  if (!stream.isTTY) return doing;
  const from = performance.now();
  let shown = false;
  const timer = setInterval(() => {
    shown = true;
    stream.write(`\r\x1b[Kwaiting for ${what} ... ${Math.round((performance.now() - from) / 1_000)} s`);
  }, AFTER_MS);
  try {
    return await doing;
  } finally {
    clearInterval(timer);
    if (shown) stream.write("\r\x1b[K");
  }
}
