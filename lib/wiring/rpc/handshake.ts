// Handshake: how two processes prove to each other that they belong to the same installation, before anything else is said.
//
//   caller                                                   listener
//     hello      id, nonce, key                     -->
//                                                   <--        challenge   id, nonce, key, proof
//     proof      proof                              -->
//                                                   <--        welcome
//
//   proof = HMAC-SHA256(key, text)      text: every field of the Transcript, a line each
//   key   = secret, or with CURVE HMAC-SHA256(secret, X25519(own secret key, the other's public key))
//
//   H1. The secret is never sent. A proof answers a nonce of the other side's, which is used once: none can be replayed.
//   H2. A proof names its side, so it cannot be sent back to who made it; the cluster and both ids, so it counts nowhere else; and the
//       address that the caller dialled, so a process that took over the port of a dead one cannot pass it on to a living one.
//   H3. Everything negotiated (protocols offered and chosen, windows, what is understood) is in it: nobody on the way can talk the two
//       down.
//   H4. With CURVE both public keys are in it, and each side shows that it has the secret key of its own.
//
// hello, challenge and proof are each alone in their frame, and count in no window.

import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import type { Curve } from "./curve.js";
import { checkFrame, FrameWriter, type KIND, walkFrame } from "./frames.js";
import { decodeZ85, isKey } from "./z85.js";

/** What a process of the installation knows. */
export interface Credentials {
  readonly cluster: string;
  readonly secret: Buffer;
}

export type Side = "caller" | "listener";

/** What one side says of itself. */
export interface Introduction {
  readonly id: string;
  /** Hexadecimal. */
  readonly nonce: string;
  /** Public CURVE key, Z85; empty without CURVE. */
  readonly key: string;
  readonly windowBytes: number;
}

export interface Transcript {
  /** Where the caller found the listener, as discovery has it. */
  readonly endpoint: string;
  readonly understood: number;
  /** The newest protocol that the caller speaks. */
  readonly offered: number;
  /** The one that the listener chose (frames.ts). */
  readonly protocol: number;
  readonly caller: Introduction;
  readonly listener: Introduction;
}

/** Longest frame of a handshake: ids, nonces, keys and proofs have 300 bytes. */
export const HANDSHAKE_BYTES_MAX = 1_024;
/** Longest PeerId accepted, in bytes. */
const PEER_BYTES_MAX = 64;
const NONCE_BYTES = 32;
/** DER around the 32 bytes of an X25519 key (RFC 8410): the curve of CURVE. */
const PKCS8_X25519 = Buffer.from("302e020100300506032b656e04220420", "hex");
const SPKI_X25519 = Buffer.from("302a300506032b656e032100", "hex");

export const nonce = (): string => randomBytes(NONCE_BYTES).toString("hex");

/** @returns undefined when the other side's key is no point of the curve. */
export function proofOf(
  side: Side,
  { cluster, secret }: Credentials,
  transcript: Transcript,
  curve: Curve | undefined,
): Buffer | undefined {
  const { endpoint, understood, offered, protocol, caller, listener } = transcript;
  const lines = ["headframe", offered, protocol, side, cluster, endpoint, understood];
  for (const { id, nonce, key, windowBytes } of [caller, listener]) lines.push(id, nonce, key, windowBytes);
  const common = curve ? shared(curve, transcript) : undefined;
  if (curve && !common) return undefined;
  return hmac(common ? hmac(secret, common) : secret, lines.join("\n"));
}

/** True: it is the other side's proof, made with our secret for this transcript. */
export function proves(given: Buffer, ...made: Parameters<typeof proofOf>): boolean {
  const proof = proofOf(...made);
  return proof !== undefined && given.length === proof.length && timingSafeEqual(given, proof);
}

const hmac = (key: Buffer, data: string | Buffer): Buffer => createHmac("sha256", key).update(data).digest();

/** H4 */
function shared(curve: Curve, { caller, listener }: Transcript): Buffer | undefined {
  const other = caller.key === curve.publicKey ? listener.key : caller.key;
  const der = (prefix: Buffer, key: string) => ({
    key: Buffer.concat([prefix, decodeZ85(key) ?? Buffer.alloc(0)]),
    format: "der" as const,
  });
  try {
    return diffieHellman({
      privateKey: createPrivateKey({ ...der(PKCS8_X25519, curve.secretKey), type: "pkcs8" }),
      publicKey: createPublicKey({ ...der(SPKI_X25519, other), type: "spki" }),
    });
  } catch {
    return undefined; // Absent, or one of the few keys that make any shared secret known: its proof cannot hold.
  }
}

/** `id \n nonce \n key [\n proof]` */
export const introduced = ({ id, nonce, key }: Introduction, proof?: Buffer): Buffer =>
  Buffer.from([id, nonce, key, ...(proof ? [proof.toString("hex")] : [])].join("\n"));

/** @returns undefined when it is none. */
export function readIntroduction(
  text: string,
  windowBytes: number,
): { readonly who: Introduction; readonly proof: Buffer } | undefined {
  const [id = "", nonce = "", key = "", proof = "", ...rest] = text.split("\n");
  const fits =
    /^[\x21-\x7e]+$/.test(id) &&
    id.length <= PEER_BYTES_MAX &&
    nonce.length === 2 * NONCE_BYTES &&
    /^[0-9a-f]+$/.test(nonce + proof) &&
    (key === "" || isKey(key)) &&
    rest.length === 0;
  return fits ? { who: { id, nonce, key, windowBytes }, proof: Buffer.from(proof, "hex") } : undefined;
}

export interface HandshakeMessage {
  readonly kind: number;
  readonly id: number;
  readonly a: number;
  readonly b: number;
  readonly payload: Buffer;
}

/** The first message of a frame of the handshake. @throws {FrameError} */
export function readHandshake(frame: Buffer): HandshakeMessage | undefined {
  checkFrame(frame);
  let first: HandshakeMessage | undefined;
  walkFrame(frame, {
    message: (kind, id, a, b, start, end) => {
      first ??= { kind, id, a, b, payload: frame.subarray(start, end) };
    },
  });
  return first;
}

export function handshakeFrame(
  kind: (typeof KIND)["hello" | "challenge" | "proof" | "goodbye"],
  { id = 0, a = 0, b = 0, payload }: { id?: number; a?: number; b?: number; payload: Uint8Array },
): Buffer {
  const writer = new FrameWriter();
  writer.put(kind, id, a, b, payload);
  return writer.take(performance.now());
}
