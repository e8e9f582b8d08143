// What the switchboard is given: its bounds, and the way to its surroundings.

import type { InstanceId } from "../../lib/wiring/index.js";
import type { Connection, HeldLine } from "./connection.js";
import type { MetricName } from "./metrics.js";

export interface SwitchboardLimits {
  readonly linesMax: number;
  readonly bytesMax: number;
  readonly heldBytesMax: number;
  readonly drainMs: number;
  readonly suspectMs: number;
  /** A backend of which nothing was heard for so many ticks loses its connections, where another one is heard. */
  readonly silenceTicks: number;
  /** Connections moved from the most to the least loaded backend at each tick; 0: never. */
  readonly rebalancePerTick: number;
}

export interface SwitchboardHooks {
  /** There are events for this backend. */
  wake(id: InstanceId): void;
  /** Anything at all must be heard of this backend: have it answer something. */
  probe(id: InstanceId): void;
  /** A line came and has its number; for the log. */
  numbered?(connection: Connection, line: HeldLine): void;
  /** S6, for the log. Its oldest line is the one; it has none: its state, or that it came. */
  expelled(connection: Connection, why: "died" | "threw"): void;
  count(name: MetricName, by?: number): void;
  nowMs(): number;
}
