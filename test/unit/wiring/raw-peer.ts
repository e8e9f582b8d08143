// A peer with a plain ZeroMQ socket, which says what it is told to: for what no process of ours would say.

import { Dealer } from "zeromq";
import { FrameWriter, KIND, PROTOCOL_VERSION, readFrame } from "../../../lib/wiring/rpc/frames.js";
import {
  type Credentials,
  introduced,
  nonce,
  proofOf,
  readIntroduction,
  type Transcript,
} from "../../../lib/wiring/rpc/handshake.js";
import { atEnd } from "../../kit/cleanup.js";
import { credentials } from "./mill.js";

export type Message = readonly [kind: number, id: number, a: number, b: number, payload: string | Uint8Array];

const WINDOW = 65_536;

export function rawPeer(endpoint: string, routingId = "stranger") {
  const socket = new Dealer({ routingId, linger: 0, receiveTimeout: 2_000 });
  atEnd(() => socket.close());
  socket.connect(endpoint);
  const frame = (...messages: Message[]) => {
    const writer = new FrameWriter();
    for (const [kind, id, a, b, payload] of messages) writer.put(kind, id, a, b, Buffer.from(payload));
    return writer.take(1);
  };
  /** The messages of the next frame; none when nothing comes within the time. */
  const receive = async (ms = 2_000): Promise<Message[]> => {
    socket.receiveTimeout = ms;
    const [bytes] = await socket.receive().catch(() => []);
    const got: Message[] = [];
    if (bytes)
      readFrame(bytes, {
        message: (kind, id, a, b, start, end) => got.push([kind, id, a, b, bytes.subarray(start, end)]),
      });
    return got;
  };
  const kinds = async (ms?: number) => (await receive(ms)).map(([kind, , , , payload]) => `${kind} ${payload}`);
  const say = (...messages: Message[]) => socket.send(frame(...messages));
  const me = { id: "stranger-1", nonce: nonce(), key: "", windowBytes: WINDOW };

  /** Says hello. @returns what a proof must be of, and the listener's. */
  const greet = async (protocol = PROTOCOL_VERSION) => {
    await say([KIND.hello, 0, protocol, WINDOW, introduced(me)]);
    const [challenge] = await receive();
    if (challenge?.[0] !== KIND.challenge) throw new Error(`no challenge came, but ${challenge}`);
    const [, , a, b, payload] = challenge;
    const read = readIntroduction(Buffer.from(payload).toString(), b);
    if (!read) throw new Error("the challenge cannot be read");
    const transcript: Transcript = {
      ...{ endpoint, understood: 0, offered: protocol, protocol: a },
      ...{ caller: me, listener: read.who },
    };
    return { transcript, listenersProof: read.proof };
  };
  const proofBy = (own: Credentials, transcript: Transcript) =>
    proofOf("caller", own, transcript, undefined) ?? Buffer.alloc(0);
  const prove = (proof: Uint8Array) => say([KIND.proof, 0, 0, 0, proof]);
  /** All of it, with the secret of the tests. */
  const enter = async (own = credentials) => {
    await prove(proofBy(own, (await greet()).transcript));
    const [answer] = await kinds();
    if (!answer?.startsWith(`${KIND.welcome} `)) throw new Error(`no welcome came, but ${answer}`);
  };
  return { socket, frame, receive, kinds, say, greet, prove, proofBy, enter };
}
