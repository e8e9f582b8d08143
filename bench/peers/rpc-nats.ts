// NATS: request and reply through nats-server, JSON inside.

import { connect, JSONCodec } from "nats";
import { contend, mustEqual, TEXT } from "../rpc/contender.js";

const codec = JSONCodec<{ text: string }>();
const server = process.env.BENCH_NATS ?? "";

contend({
  serve: async () => {
    const connection = await connect({ servers: server });
    connection.subscribe("echo", {
      callback: (error, message) => {
        if (error) throw error;
        message.respond(codec.encode({ text: codec.decode(message.data).text }));
      },
    });
    await connection.flush();
    return server;
  },
  connect: async (address: string) => {
    const connection = await connect({ servers: address });
    const request = { text: TEXT };
    return (done) => {
      void connection.request("echo", codec.encode(request), { timeout: 5_000 }).then(({ data }) => {
        mustEqual(codec.decode(data).text);
        done();
      });
    };
  },
});
