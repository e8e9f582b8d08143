// fastify with its schemas on, asked by undici over 32 kept-alive connections.

import { fastify } from "fastify";
import { Pool } from "undici";
import { contend, mustEqual, TEXT } from "../rpc/contender.js";

const CONNECTIONS = 32;
const message = {
  type: "object",
  required: ["text"],
  properties: { text: { type: "string", maxLength: 200 } },
} as const;

contend({
  serve: async () => {
    const server = fastify({ logger: false, keepAliveTimeout: 600_000 });
    server.post<{ Body: { text: string } }>(
      "/echo",
      { schema: { body: message, response: { 200: message } } },
      async ({ body: { text } }) => ({ text }),
    );
    return server.listen({ host: "127.0.0.1", port: 0 });
  },
  connect: async (address: string) => {
    const pool = new Pool(address, { connections: CONNECTIONS, pipelining: 1 });
    const body = JSON.stringify({ text: TEXT });
    const request = { method: "POST", path: "/echo", headers: { "content-type": "application/json" }, body } as const;
    return (done) => {
      void pool
        .request(request)
        .then((response) => response.body.json())
        .then((reply) => {
          mustEqual((reply as { text: unknown }).text);
          done();
        });
    };
  },
});
