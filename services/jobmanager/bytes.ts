// The few encodings that transactions and blocks are made of.
//
// Sources: Bitcoin's developer reference (CompactSize unsigned integers, script), BIP 34 (the height in the coinbase) and the
// daemon's `CScript << n`, which writes 1 to 16 as opcodes.

const OP_0 = 0x00;
const OP_1 = 0x51;
const OP_PUSHDATA1 = 0x4c;
/** A longer push needs another opcode; nothing of ours is longer (a coinbase script has 100 bytes). */
export const PUSH_BYTES_MAX = 255;

/** CompactSize: how a count or a length is written. @throws {RangeError} unless 0 <= n < 2^53. */
export function compactSize(n: number): Buffer {
  if (!Number.isSafeInteger(n) || n < 0)
    throw new RangeError(`${n} is no count: expected an integer from 0 to 2^53 - 1`);
  if (n < 0xfd) return Buffer.from([n]);
  if (n <= 0xffff) return withPrefix(0xfd, 2, (out) => out.writeUInt16LE(n, 1));
  if (n <= 0xffff_ffff) return withPrefix(0xfe, 4, (out) => out.writeUInt32LE(n, 1));
  return withPrefix(0xff, 8, (out) => out.writeBigUInt64LE(BigInt(n), 1));
}

function withPrefix(prefix: number, bytes: number, write: (out: Buffer) => void): Buffer {
  const out = Buffer.alloc(1 + bytes, 0);
  out[0] = prefix;
  write(out);
  return out;
}

/** A number as script writes it: little endian, the sign in the top bit of the last byte. Empty for 0. */
export function scriptNumber(n: number): Buffer {
  const bytes: number[] = [];
  let rest = Math.abs(n);
  for (; rest > 0; rest = Math.floor(rest / 256)) bytes.push(rest % 256);
  const top = bytes.at(-1);
  if (top === undefined) return Buffer.alloc(0);
  if (top & 0x80) bytes.push(n < 0 ? 0x80 : 0);
  else if (n < 0) bytes[bytes.length - 1] = top | 0x80;
  return Buffer.from(bytes);
}

/** The script that pushes a number, in the one form that the BIP 34 check compares with. */
export function pushNumber(n: number): Buffer {
  if (n === 0) return Buffer.from([OP_0]);
  if (n >= 1 && n <= 16) return Buffer.from([OP_1 + n - 1]);
  return pushBytes(scriptNumber(n));
}

/** The script that pushes bytes. @throws {RangeError} above PUSH_BYTES_MAX. */
export function pushBytes(data: Uint8Array): Buffer {
  return Buffer.concat([pushPrefix(data.length), data]);
}

/** What stands before `length` pushed bytes. */
export function pushPrefix(length: number): Buffer {
  if (length > PUSH_BYTES_MAX)
    throw new RangeError(`${length} bytes are too many for one push: at most ${PUSH_BYTES_MAX}`);
  return Buffer.from(length < OP_PUSHDATA1 ? [length] : [OP_PUSHDATA1, length]);
}

export function uint32LE(n: number): Buffer {
  const out = Buffer.allocUnsafe(4);
  out.writeUInt32LE(n >>> 0, 0);
  return out;
}

export function uint64LE(n: number): Buffer {
  const out = Buffer.allocUnsafe(8);
  out.writeBigUInt64LE(BigInt(n), 0);
  return out;
}
