// Succession: who serves when nobody does. Pure: a table, every cell of which is a decision.
//
//   keeper.ts --(the edge being started, the edge in reserve)--> what to do
//
// The edge being started is `blind` when it is ready and reaches no backend although its predecessor did (reach.ts).

export const STARTING = ["none", "loading", "blind", "ready"] as const;
export const RESERVE = ["none", "loading", "standing"] as const;
/** `ready`: it is being lent the sockets. */
export type Starting = (typeof STARTING)[number];
export type Reserve = (typeof RESERVE)[number];

/**
 * - `take-over`: the one that is being started serves from now on
 * - `promote`: the one in reserve does; one that is being started goes on starting, and has the clients handed over later
 * - `wait`: one of them is nearly there
 * - `start`: there is none, so one is started after a pause (P4 of keeper.ts)
 */
export type Decision = "take-over" | "promote" | "wait" | "start";

export const SUCCESSION: Readonly<Record<Starting, Readonly<Record<Reserve, Decision>>>> = {
  none: { none: "start", loading: "wait", standing: "promote" },
  loading: { none: "wait", loading: "wait", standing: "promote" },
  // Clients of a blind edge wait for a backend, those of no edge wait for both.
  blind: { none: "take-over", loading: "take-over", standing: "promote" },
  ready: { none: "take-over", loading: "take-over", standing: "take-over" },
};
