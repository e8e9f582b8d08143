// lossy-proxy: stands between two processes of the wiring and loses whole frames, which TCP never does and a bug might.
//
//   const proxy = await startLossyProxy(instance.endpoint);
//   proxy.lose = (frame) => holdsPush(frame);        // each frame that the listener sends is asked about
//
// Source of the framing: ZMTP 3.1 (rfc.zeromq.org/spec/37): a greeting of 64 bytes, then flags, length, body.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { FRAME_HEADER_BYTES, KIND, MESSAGE_HEADER_BYTES } from "../../lib/wiring/rpc/frames.js";
import { atEnd } from "./cleanup.js";

export interface LossyProxy {
  /** `tcp://127.0.0.1:40123` */
  readonly endpoint: string;
  /** True: the frame is lost. Default: none is. */
  lose: (frame: Buffer) => boolean;
}

const GREETING_BYTES = 64;
const [MORE, LONG, COMMAND] = [0x01, 0x02, 0x04];

/** Gone with the test. @param target `tcp://host:port` */
export async function startLossyProxy(target: string): Promise<LossyProxy> {
  const { hostname, port } = new URL(target);
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: Number(port), host: hostname, noDelay: true });
    near.pipe(far);
    far.on(
      "data",
      sieve(near, (frame) => proxy.lose(frame)),
    );
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on("error", () => {}); // Its close says all.
      one.on("close", () => other.destroy());
      atEnd(() => one.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(() => server.close());
  const endpoint = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const proxy: LossyProxy = { endpoint, lose: () => false };
  return proxy;
}

/** Passes on whole frames only. */
function sieve(to: Socket, lost: (frame: Buffer) => boolean): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let greeted = 0;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    if (greeted < GREETING_BYTES) {
      const part = rest.subarray(0, GREETING_BYTES - greeted);
      greeted += part.length;
      to.write(part);
      rest = rest.subarray(part.length);
    }
    for (let frame = firstOf(rest); frame; frame = firstOf(rest)) {
      const flags = frame.whole[0] ?? 0;
      if ((flags & (COMMAND | MORE)) !== 0 || !lost(frame.body)) to.write(frame.whole);
      rest = rest.subarray(frame.whole.length);
    }
  };
}

function firstOf(bytes: Buffer): { readonly whole: Buffer; readonly body: Buffer } | undefined {
  const long = ((bytes[0] ?? 0) & LONG) !== 0;
  const start = long ? 9 : 2;
  if (bytes.length < start) return undefined;
  const end = start + (long ? Number(bytes.readBigUInt64BE(1)) : bytes.readUInt8(1));
  return bytes.length < end ? undefined : { whole: bytes.subarray(0, end), body: bytes.subarray(start, end) };
}

/** Whether a numbered push is in it, which is longer than this. */
export function holdsPush(frame: Buffer, bytesMin = 0): boolean {
  for (let at = FRAME_HEADER_BYTES; at + MESSAGE_HEADER_BYTES <= frame.length; ) {
    const length = frame.readUInt32LE(at + 1);
    if (frame[at] === KIND.push && frame.readUInt32LE(at + 9) > 0 && length > bytesMin) return true;
    at += MESSAGE_HEADER_BYTES + length;
  }
  return false;
}
