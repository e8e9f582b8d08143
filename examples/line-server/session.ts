// session: one client, as an instance knows it, and what its lines mean. Pure.
//
//   open without state -> greet      open with state -> wake: name, room and how far it has read are those of before

import type { Handle, OpenEvent } from "headframe/contracts";
import type { PeerId } from "headframe/wiring";
import { z } from "zod";

export interface Session {
  /** Names it here: an edge's handle. */
  readonly key: string;
  readonly edge: PeerId;
  readonly handle: Handle;
  readonly connection: string;
  name: string;
  room: string;
  /** The last entry of the log that it was told of, or that is of no interest to it. */
  after: string;
  /** Its lines are appended one after the other. */
  last: Promise<void>;
}

const LOBBY = "lobby";
const NAME = /^[\w-]{1,32}$/;

const state = z.object({ name: z.string(), room: z.string(), after: z.string() });

/** @param after Where the log ends now: what was said before is not its business. */
export function greet(event: OpenEvent, edge: PeerId, after: string): Session {
  return { ...of(event, edge), name: `guest-${event.connection.slice(0, 4)}`, room: LOBBY, after };
}

/** From another instance. */
export function wake(event: OpenEvent, edge: PeerId): Session {
  return { ...of(event, edge), ...state.parse(JSON.parse(Buffer.from(event.state ?? []).toString())) };
}

const of = ({ handle, connection }: OpenEvent, edge: PeerId) => ({
  ...{ key: `${edge}/${handle}`, edge, handle, connection, last: Promise.resolve() },
});

/** What the next instance must know; at most 4 kB. */
export const stateOf = ({ name, room, after }: Session): Uint8Array =>
  Buffer.from(JSON.stringify({ name, room, after }));

export type Meaning =
  | { readonly kind: "said"; readonly text: string }
  | { readonly kind: "command"; readonly answer: string; readonly close?: boolean };

/** What a line means, and does to its session. The same line again does the same. */
export function understand(session: Session, line: string): Meaning {
  const [, command, argument = ""] = /^\/(\w+) ?(.*)$/.exec(line) ?? [];
  const answer = (text: string): Meaning => ({ kind: "command", answer: `* ${text}` });
  switch (command) {
    case undefined:
      return { kind: "said", text: `${session.name}: ${line}` };
    case "name":
      if (!NAME.test(argument)) return answer("a name has 1 to 32 letters, digits, - or _");
      session.name = argument;
      return answer(`you are ${argument}`);
    case "room":
      if (!NAME.test(argument)) return answer("a room's name has 1 to 32 letters, digits, - or _");
      session.room = argument;
      return answer(`you are in ${argument}`);
    case "bye":
      return { kind: "command", answer: "* goodbye", close: true };
    default:
      return answer(`there is no /${command}; there are /name, /room and /bye`);
  }
}
