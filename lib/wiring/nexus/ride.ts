// Ride: one caller's wait for a flight that it shares with others (guard/coalesce.ts): its own deadline, its own signal.

import type { Passenger } from "../guard/coalesce.js";
import { Timed, type TimerWheel } from "../rpc/timer-wheel.js";
import { CallFailure } from "./failure.js";

class Ride extends Timed {
  constructor(
    deadlineMs: number,
    readonly overdue: () => void,
  ) {
    super(deadlineMs);
  }

  override expire(): void {
    this.overdue();
  }
}

/** @param board Joins or begins the flight. */
export function rideAlong(
  wheel: TimerWheel,
  deadlineMs: number,
  signal: AbortSignal | undefined,
  what: string,
  board: () => Passenger,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const passenger = board();
    const giveUp = (failure: Error): void => {
      stop();
      reject(failure);
      passenger.leave();
    };
    const ride = new Ride(deadlineMs, () => {
      const overdue = passenger.overdue();
      if (overdue) giveUp(overdue);
    });
    const cancel = () => giveUp(new CallFailure("CANCELLED", `${what}: the caller aborted it`));
    const stop = (): void => {
      wheel.remove(ride);
      signal?.removeEventListener("abort", cancel);
    };
    wheel.add(ride);
    signal?.addEventListener("abort", cancel, { once: true });
    const settle = (): void => {
      stop();
      passenger.promise.then(resolve, reject);
    };
    passenger.promise.then(settle, settle);
  });
}
