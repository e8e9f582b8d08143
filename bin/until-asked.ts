// Until somebody asks to stop: Ctrl-C or SIGTERM, for commands that go on for ever.

/** Aborted by the first signal; a second one ends the process as always. */
export function untilAsked(): AbortSignal {
  const asked = new AbortController();
  const stop = () => asked.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  // Whoever read our lines has left (`| head`): there is nobody to go on for.
  process.stdout.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    stop();
  });
  return asked.signal;
}
