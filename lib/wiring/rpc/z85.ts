// Z85: 32 bytes of a key as 40 printable characters, as ZeroMQ writes keys.
//
// Source: https://rfc.zeromq.org/spec/32/ . Four bytes, most significant first, are five digits of base 85.

const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
const VALUE_OF: ReadonlyMap<string, number> = new Map([...DIGITS].map((digit, value) => [digit, value]));
const BASE = 85;
const FRAME_BYTES = 4;
const FRAME_DIGITS = 5;

/** A public or secret key in text form. */
export const KEY_CHARACTERS = 40;

/** @param bytes Their number is a multiple of four. */
export function encodeZ85(bytes: Uint8Array): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let text = "";
  for (let at = 0; at + FRAME_BYTES <= view.length; at += FRAME_BYTES) {
    let value = view.readUInt32BE(at);
    let frame = "";
    for (let i = 0; i < FRAME_DIGITS; i++) {
      frame = DIGITS.charAt(value % BASE) + frame;
      value = Math.floor(value / BASE);
    }
    text += frame;
  }
  return text;
}

/** Undefined: it is no Z85 text. */
export function decodeZ85(text: string): Buffer | undefined {
  if (text.length % FRAME_DIGITS !== 0) return undefined;
  const bytes = Buffer.alloc((text.length / FRAME_DIGITS) * FRAME_BYTES);
  for (let frame = 0; frame * FRAME_DIGITS < text.length; frame++) {
    let value = 0;
    for (const digit of text.slice(frame * FRAME_DIGITS, (frame + 1) * FRAME_DIGITS)) {
      const worth = VALUE_OF.get(digit);
      if (worth === undefined) return undefined;
      value = value * BASE + worth;
    }
    if (value > 0xffff_ffff) return undefined;
    bytes.writeUInt32BE(value, frame * FRAME_BYTES);
  }
  return bytes;
}

export function isKey(text: string): boolean {
  return text.length === KEY_CHARACTERS && decodeZ85(text) !== undefined;
}
