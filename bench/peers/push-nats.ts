// NATS: one subject through nats-server, JSON inside; what was seen comes back on another subject.

import { connect, JSONCodec } from "nats";
import { contendPush, TEXT } from "../push/contender.js";

const items = JSONCodec<{ n: number; at: number; text: string }>();
const words = JSONCodec<{ name: string; n: number }>();
const server = process.env.BENCH_NATS ?? "";

contendPush({
  publisher: async (seen) => {
    const connection = await connect({ servers: server });
    connection.subscribe("seen", {
      callback: (error, { data }) => {
        if (error) throw error;
        const { name, n } = words.decode(data);
        seen(name, n);
      },
    });
    await connection.flush();
    return { address: server, publish: (n, at) => connection.publish("item", items.encode({ n, at, text: TEXT })) };
  },
  subscriber: async (address: string, name, take) => {
    const connection = await connect({ servers: address });
    connection.subscribe("item", {
      callback: (error, { data }) => {
        if (error) throw error;
        const { n, at, text } = items.decode(data);
        if (text !== TEXT) throw new Error(`a wrong message: ${text}`);
        take(n, at);
      },
    });
    await connection.flush();
    return (n) => connection.publish("seen", words.encode({ name, n }));
  },
});
