// How a process ended, for programs and for people.

import { constants } from "node:os";

export interface Exit {
  /** null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** For people. */
export function howEnded({ exitCode, signal }: Exit): string {
  return signal === null ? `exit code ${exitCode}` : `signal ${signal}`;
}

/** As Circus's `reap` event has it: a death by signal is negative. */
export function eventCode(exit: Exit): number {
  return exit.signal === null ? (exit.exitCode ?? -1) : -constants.signals[exit.signal];
}
