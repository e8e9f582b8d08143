// cote: a Requester and a Responder that find each other by broadcasts on loopback.

import cote from "cote";
import { contend, mustEqual, TEXT } from "../rpc/contender.js";

const READY_MS = 20_000;
const LOOK_MS = 50;
const quietly = { log: false, statusLogsEnabled: false, helloLogsEnabled: false, broadcast: "127.255.255.255" };

contend({
  serve: async () => {
    const key = `bench-${process.pid}`;
    const responder = new cote.Responder({ name: "bench responder", key }, quietly);
    responder.on("echo", ({ text }: { text: string }, answer: (error: null, reply: { text: string }) => void) =>
      answer(null, { text }),
    );
    return key;
  },
  connect: async (key: string) => {
    const requester = new cote.Requester({ name: "bench requester", key }, quietly);
    const untilMs = performance.now() + READY_MS;
    while (requester.sock.socks.length === 0) {
      if (performance.now() > untilMs) throw new Error("cote's two ends did not find each other");
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return (done) => {
      requester.send({ type: "echo", text: TEXT }, (_: unknown, { text }: { text: string }) => {
        mustEqual(text);
        done();
      });
    };
  },
});
