// writes: carries out what a backend says to one of its connections. Pure.
//
//   Switchboard.apply --write--> Writes: state, acknowledgements, groups, bytes, close --> the connection and its port
//
//   W1. Only the present owner's writes count (S2 of switchboard.ts).
//   W2. One connection is in at most GROUPS_MAX groups.

import type { Out } from "../../lib/contracts/index.js";
import type { Backend } from "./backend.js";
import { type Connection, GROUPS_MAX } from "./connection.js";
import type { SwitchboardHooks } from "./ports.js";
import type { Room } from "./room.js";

export class Writes {
  constructor(
    private readonly room: Room,
    private readonly hooks: Pick<SwitchboardHooks, "count">,
    /** Lines of it were acknowledged. */
    private readonly settled: (connection: Connection) => void,
  ) {}

  /** Whom it was for; undefined: W1. */
  carryOut(backend: Backend, out: Extract<Out, { kind: "write" }>): Connection | undefined {
    const connection = backend.connections.get(out.handle);
    if (!connection) {
      this.hooks.count("edge.lateWrites"); // W1
      return undefined;
    }
    const { port } = connection;
    if (out.state) {
      connection.state = out.state;
      connection.adopted = false;
      port.stated(out.state);
    }
    if (out.acknowledges) {
      this.room.free(connection.acknowledge(out.acknowledges));
      this.settled(connection);
    }
    if (out.leave !== undefined) backend.leave(connection, out.leave);
    if (out.join !== undefined) this.#join(backend, connection, out.join);
    if (out.bytes) port.write(out.bytes);
    if (out.heard !== undefined) connection.heard = out.heard;
    if (out.close !== undefined) port.end("asked", out.close);
    if (connection.waiting && out.acknowledges) port.relieved();
    return connection;
  }

  /** W2 */
  #join(backend: Backend, connection: Connection, group: string): void {
    if (connection.groups.length < GROUPS_MAX || connection.groups.includes(group)) backend.join(connection, group);
    else this.hooks.count("edge.groupsRefused");
  }
}
