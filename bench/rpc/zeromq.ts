// ZeroMQ alone, as Headframe uses it: DEALER and ROUTER, everything of one tick in one frame, and nothing in it that is looked at but the
// answers' place. The limit of the transport: what a call costs beyond it is Headframe's own doing.
//
//   frame = payload*         all of one size

import { Dealer, Router } from "zeromq";
import { contend, TEXT } from "./contender.js";

const payload = Buffer.from(TEXT);
const SIZE = payload.length;

/** One send at a time: zeromq.js refuses more. */
function sender<Parts>(send: (parts: Parts) => Promise<void>): (parts: Parts) => void {
  let last: Promise<void> = Promise.resolve();
  return (parts) => {
    last = last.then(() => send(parts));
  };
}

contend({
  serve: async () => {
    const socket = new Router({ mandatory: true, sendTimeout: 0, sendHighWaterMark: 0 });
    await socket.bind("tcp://127.0.0.1:*");
    const send = sender<Buffer[]>((parts) => socket.send(parts));
    const serve = async () => {
      for (;;) {
        const parts = await socket.receive();
        setImmediate(() => send(parts));
      }
    };
    void serve();
    return socket.lastEndpoint;
  },
  connect: async (endpoint: string) => {
    const socket = new Dealer({ sendTimeout: 0, sendHighWaterMark: 0 });
    socket.connect(endpoint);
    const send = sender<Buffer>((frame) => socket.send(frame));
    let waiting: (() => void)[] = [];
    let asked = 0;
    const flush = () => {
      send(Buffer.alloc(asked * SIZE, payload));
      asked = 0;
    };
    const take = (frame: Buffer) => {
      if (payload.compare(frame, 0, SIZE) !== 0) throw new Error("a wrong answer");
      const count = frame.length / SIZE;
      const answered = waiting.slice(0, count);
      waiting = waiting.slice(count);
      for (const done of answered) done();
    };
    const listen = async () => {
      for (;;) {
        const [frame] = await socket.receive();
        if (frame) take(frame);
      }
    };
    void listen();
    return (done) => {
      waiting.push(done);
      if (asked++ === 0) setImmediate(flush);
    };
  },
});
