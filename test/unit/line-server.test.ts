// examples/line-server: what a client reads has no hole, whenever it comes to an instance.

import { expect, test } from "@jest/globals";
import { Talk } from "../../examples/line-server/talk.js";
import type { ClientEvent, ConnectionId, Handle, Out } from "../../lib/contracts/index.js";
import type { PeerId } from "../../lib/wiring/index.js";
import { until } from "../kit/until.js";

const EDGE = "edge" as PeerId;
const ENTRIES = [1, 2, 3, 4, 5].map((n) => ({ id: `${n}-0`, room: "lobby", text: `line ${n}` }));

/** A client from another instance that has read as far as entry `n`. */
function arrives(handle: number, n: number): ClientEvent {
  const state = Buffer.from(JSON.stringify({ name: "ann", room: "lobby", after: `${n}-0` }));
  const facts = { remoteAddress: "192.0.2.1", remotePort: 1, listener: "default", secure: false, adopted: false };
  return { kind: "open", handle: handle as Handle, connection: `c${handle}` as ConnectionId, state, ...facts };
}

test("who comes while the log is being read for others misses nothing, and hears nothing twice", async () => {
  let release = (): void => {};
  let looks = 0;
  const log = {
    end: "5-0",
    append: async () => {},
    async *since(after: string) {
      looks++;
      const entries = ENTRIES.filter(({ id }) => id > after);
      if (looks === 1) {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      if (entries.length > 0) yield { after, entries };
    },
  };
  const told = new Map<number, string>();
  const talk = new Talk(
    log,
    () => {},
    () => {},
  );
  talk.hosted = {
    pushTo: (_edge: PeerId, _push: "out", { outs }: { outs: Out[] }) => {
      for (const out of outs) {
        if (out.kind === "write") told.set(out.handle, (told.get(out.handle) ?? "") + Buffer.from(out.bytes ?? []));
      }
      return true;
    },
  } as unknown as NonNullable<Talk["hosted"]>;
  talk.hear(EDGE, [arrives(1, 3)]);
  await until("it looks", 1_000, () => looks === 1);
  talk.hear(EDGE, [arrives(2, 1)]); // Behind the page that is on its way.
  release();
  await until("both have read all", 1_000, () => told.get(1) && told.get(2)?.includes("line 5"));
  expect(told.get(1)).toBe("line 4\nline 5\n");
  expect(told.get(2)).toBe("line 2\nline 3\nline 4\nline 5\n");
});
