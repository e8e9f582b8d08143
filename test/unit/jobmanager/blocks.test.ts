// Blocks offered to daemons: which answer is believed, when it is given, and what is kept meanwhile.

import { expect, test } from "@jest/globals";
import type {
  ConnectionId,
  DaemonVerdict,
  JobId,
  SubmitBlockRequest,
  WorkerName,
} from "../../../lib/contracts/index.js";
import { Blocks, type Target } from "../../../services/jobmanager/out-blocks.js";
import { type DaemonRpc, RpcError } from "../../../services/jobmanager/out-rpc.js";
import { atEnd } from "../../kit/cleanup.js";

type Method = "submitblock" | "getblockheader";
type Says = (method: Method) => unknown;

const request: SubmitBlockRequest = {
  job: "a1" as JobId,
  header: new Uint8Array(80),
  coinbase: new Uint8Array(60),
  worker: "w.1" as WorkerName,
  connection: "c" as ConnectionId,
};
const away: Says = () => {
  throw new RpcError("UNREACHABLE", "daemon does not answer");
};
const never: Says = () => new Promise(() => {});
const inChain: Says = (method) => (method === "submitblock" ? "duplicate" : { confirmations: 1 });
const outside: Says = (method) => (method === "submitblock" ? "duplicate" : { confirmations: -1 });

function setup(...daemons: Says[]) {
  const says = [...daemons];
  const submits = daemons.map(() => 0);
  const happened: string[] = [];
  const target = (index: number): Target => ({
    name: `d${index}`,
    rpc: {
      call: async (method: Method) => {
        if (method === "submitblock") submits[index] = (submits[index] ?? 0) + 1;
        return says[index]?.(method);
      },
    } as unknown as DaemonRpc,
  });
  const blocks = new Blocks({
    targets: () => says.map((_, index) => target(index)),
    bodyOf: async () => ({ height: 7, count: 0, witness: false, tail: new Uint8Array(0) }),
    pending: {
      hold: async () => happened.push("held") > 0,
      save: async () => void happened.push("saved"),
      forget: async () => void happened.push("forgotten"),
    },
    onJudged: ({ status }) => happened.push(status),
    onVerdict: () => {},
    onAccepted: () => {},
  });
  atEnd(() => blocks.close());
  return { blocks, says, submits, happened };
}

test("S5 a duplicate is accepted only where it stands in the daemon's chain; a stale one is orphaned, whoever sent it", async () => {
  const stands = setup(inChain);
  expect((await stands.blocks.submit(request)).status).toBe("accepted");
  const stale = setup(outside, outside);
  const { status, verdicts } = await stale.blocks.submit(request);
  expect([status, verdicts.map(({ outcome }) => outcome)]).toEqual(["rejected", ["inconclusive", "inconclusive"]]);
  expect(stale.happened).toEqual(["orphaned"]);
});

test("S5 a duplicate whose place the daemon does not tell is not judged", async () => {
  const { blocks, happened } = setup((method) => (method === "submitblock" ? "duplicate" : away(method)));
  expect((await blocks.submit(request)).status).toBe("pending");
  expect(happened).toEqual(["held"]);
});

test("a block that one daemon refuses while the other restarts is kept, and accepted when that one takes it", async () => {
  const { blocks, says, happened } = setup(() => "bad-version", away);
  expect((await blocks.submit(request)).status).toBe("pending");
  says[1] = () => null;
  expect((await blocks.submit(request)).status).toBe("accepted");
  expect(happened).toEqual(["held", "accepted"]);
});

test("a daemon whose clock is behind refuses for now; one whose refusal is for good is not sent the block again", async () => {
  const { blocks, submits } = setup(
    () => "time-too-new",
    () => "bad-version",
  );
  const first = await blocks.offer(new Uint8Array(81), "h");
  expect(first.map(({ outcome }) => outcome)).toEqual(["early", "rejected"]);
  const second: DaemonVerdict[] = await blocks.offer(new Uint8Array(81), "h", first);
  expect([second, submits]).toEqual([first, [2, 1]]);
});

test("S2 the answer comes a moment after the first acceptance though another daemon hangs", async () => {
  const { blocks } = setup(() => null, never);
  const begun = performance.now();
  const { status, verdicts } = await blocks.submit(request);
  expect([status, verdicts[1]?.outcome]).toEqual(["accepted", "unreachable"]);
  expect(performance.now() - begun).toBeLessThan(6_000); // A hanging daemon is given 12 s.
});

test("S4 a block that was kept because its verdict was late is forgotten with the verdict", async () => {
  const { blocks, happened } = setup(() => new Promise((resolve) => setTimeout(() => resolve(null), 900)));
  expect((await blocks.submit(request)).status).toBe("accepted");
  expect(happened).toEqual(["saved", "forgotten", "accepted"]);
});
