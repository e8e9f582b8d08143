// Moleculer 0.14 over its TCP transporter (the fastest one by its own documentation), with its validator on and logging off.

import moleculer from "moleculer";
import { contend, mustEqual, TEXT } from "../rpc/contender.js";

const { ServiceBroker } = moleculer;

const ECHO = "echo.echo";
const NODES = { serve: "bench-server", call: "bench-client" } as const;

function brokerOf(nodeID: string, port: number, others: string[]) {
  const transporter = { type: "TCP", options: { udpDiscovery: false, port, urls: others } };
  return new ServiceBroker({ nodeID, transporter, logger: false, metrics: false, tracking: { enabled: false } });
}

contend({
  serve: async () => {
    const port = 20_000 + (process.pid % 20_000);
    const broker = brokerOf(NODES.serve, port, []);
    broker.createService({
      name: "echo",
      actions: {
        echo: { params: { text: { type: "string", max: 200 } }, handler: ({ params: { text } }) => ({ text }) },
      },
    });
    await broker.start();
    return port;
  },
  connect: async (port: number) => {
    const own = 20_000 + (process.pid % 20_000);
    const broker = brokerOf(NODES.call, own, [`127.0.0.1:${port}/${NODES.serve}`]);
    await broker.start();
    await broker.waitForServices("echo");
    const request = { text: TEXT };
    return (done) => {
      void broker.call<{ text: string }, typeof request>(ECHO, request).then(({ text }) => {
        mustEqual(text);
        done();
      });
    };
  },
});
