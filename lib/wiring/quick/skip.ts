// Skip: where a MessagePack value ends, without reading it.

/** Deeper than any message of a contract; what is deeper is left to the library. */
const DEPTH_MAX = 32;
/** Bytes after the first one, of the kinds with a fixed size from 0xc0 on; -1: not one of those. */
const FIXED = [0, -1, 0, 0, -1, -1, -1, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17] as const;

/** @returns the index after the value at `at`; -1: it does not end before `end`, or is none. */
export function skip(bytes: Buffer, at: number, end: number, depth = 0): number {
  const first = at < end && depth < DEPTH_MAX ? (bytes[at] ?? 0xc1) : 0xc1;
  if (first < 0x80 || first >= 0xe0) return at + 1;
  if (first < 0x90) return skipMany(bytes, at + 1, end, 2 * (first & 15), depth);
  if (first < 0xa0) return skipMany(bytes, at + 1, end, first & 15, depth);
  if (first < 0xc0) return within(at + 1 + (first & 31), end);
  const fixed = FIXED[first - 0xc0] ?? -1;
  if (fixed >= 0) return within(at + 1 + fixed, end);
  return skipSized(bytes, first, at + 1, end, depth);
}

const within = (at: number, end: number): number => (at <= end ? at : -1);

/** Kinds whose length or count follows in 1, 2 or 4 bytes. */
function skipSized(bytes: Buffer, first: number, at: number, end: number, depth: number): number {
  const width = first >= 0xdc || first === 0xda || first === 0xc5 || first === 0xc8 ? 2 : 4;
  const size = first === 0xd9 || first === 0xc4 || first === 0xc7 ? 1 : first === 0xdd || first === 0xdf ? 4 : width;
  if (first === 0xc1 || at + size > end) return -1;
  const count = bytes.readUIntBE(at, size);
  const next = at + size;
  if (first === 0xdc || first === 0xdd) return skipMany(bytes, next, end, count, depth);
  if (first === 0xde || first === 0xdf) return skipMany(bytes, next, end, 2 * count, depth);
  const extension = first >= 0xc7 && first <= 0xc9 ? 1 : 0;
  return within(next + extension + count, end);
}

function skipMany(bytes: Buffer, at: number, end: number, count: number, depth: number): number {
  let next = at;
  for (let i = 0; i < count && next >= 0; i += 1) next = skip(bytes, next, end, depth + 1);
  return next;
}
