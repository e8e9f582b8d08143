// grpc-js: one bidirectional stream with numbered messages, its fastest form (a unary call costs several times as much).

import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { contend, mustEqual, TEXT } from "../rpc/contender.js";

interface Message {
  readonly id: number;
  readonly text: string;
}

const PATH = "/bench.Echo/Talk";
const serialize = (message: Message): Buffer => Buffer.from(JSON.stringify(message));
const deserialize = (bytes: Buffer): Message => JSON.parse(bytes.toString()) as Message;
const service: ServiceDefinition = {
  talk: {
    path: PATH,
    requestStream: true,
    responseStream: true,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  },
};

contend({
  serve: () =>
    new Promise((resolve, reject) => {
      const server = new Server();
      server.addService(service, {
        talk: (stream: ServerDuplexStream<Message, Message>) => {
          stream.on("data", (message: Message) => stream.write(message));
          stream.on("end", () => stream.end());
        },
      });
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    }),
  connect: async (port: number) => {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const stream = client.makeBidiStreamRequest<Message, Message>(PATH, serialize, deserialize);
    const waiting = new Map<number, () => void>();
    let lastId = 0;
    stream.on("error", () => {}); // The run ends by killing.
    stream.on("data", ({ id, text }: Message) => {
      const done = waiting.get(id);
      waiting.delete(id);
      mustEqual(text);
      done?.();
    });
    return (done) => {
      const id = ++lastId;
      waiting.set(id, done);
      stream.write({ id, text: TEXT });
    };
  },
});
