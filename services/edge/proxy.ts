// proxy: decodes the PROXY protocol's header, versions 1 and 2, with which HAProxy says whose connection this is.
//
//   first bytes of a connection --decodeProxy--> { bytes, facts } | more | bad
//
// Source: https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt (sections 2.1, 2.2 and 2.2.1 to 2.2.5).
//
//   R1. Pure and bounded: a header longer than PROXY_BYTES_MAX is bad, and no byte behind the header is looked at.
//   R2. Never throws, whatever the bytes. A source that may not send a header must not be decoded at all: that is the caller's.

export interface ProxyFacts {
  /** The proxy itself (a health check), not a client. */
  readonly local: boolean;
  /** The client; absent when local, or of a family without addresses (UNKNOWN, unix). */
  readonly source?: { readonly address: string; readonly port: number };
  /** TLV 0x05, as sent. */
  readonly uniqueId?: string;
  /** TLV 0x20 says that the client came over TLS. */
  readonly secure: boolean;
}

export type ProxyResult =
  | { readonly kind: "more" }
  | { readonly kind: "bad"; readonly reason: string }
  | { readonly kind: "header"; readonly bytes: number; readonly facts: ProxyFacts };

/** HAProxy's own headers have less than 300 bytes; certificates in a TLV may need more, and nobody asked for those. */
export const PROXY_BYTES_MAX = 2_048;

const V1_START = Buffer.from("PROXY ");
/** The longest version 1 header, its line end included (section 2.1). */
const V1_BYTES_MAX = 107;
const V2_SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const V2_FIXED_BYTES = 16;
const TLV_UNIQUE_ID = 0x05;
/** Section 2.2.5. */
const UNIQUE_ID_BYTES_MAX = 128;
const TLV_SSL = 0x20;
const CLIENT_SSL = 0x01;
const MORE: ProxyResult = { kind: "more" };
const LOCAL: ProxyFacts = { local: true, secure: false };

/** @param input What the connection has said so far, from its first byte. */
export function decodeProxy(input: Uint8Array): ProxyResult {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.length);
  if (startsAlike(bytes, V2_SIGNATURE)) return bytes.length < V2_FIXED_BYTES ? MORE : decodeV2(bytes);
  if (startsAlike(bytes, V1_START)) return decodeV1(bytes);
  return bad("the connection does not begin with a PROXY header");
}

function startsAlike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function bad(reason: string): ProxyResult {
  return { kind: "bad", reason };
}

function decodeV1(bytes: Buffer): ProxyResult {
  const end = bytes.subarray(0, V1_BYTES_MAX).indexOf("\r\n");
  if (end < 0)
    return bytes.length < V1_BYTES_MAX ? MORE : bad(`version 1 header without an end in ${V1_BYTES_MAX} bytes`);
  const [, family, address, , port] = bytes.toString("latin1", 0, end).split(" ");
  const header = (facts: ProxyFacts): ProxyResult => ({ kind: "header", bytes: end + 2, facts });
  if (family === "UNKNOWN") return header({ local: false, secure: false });
  if (family !== "TCP4" && family !== "TCP6") return bad("version 1 header of an unknown family");
  if (!address || !/^[0-9a-fA-F:.]{2,45}$/.test(address) || !port || !isPort(port)) {
    return bad("version 1 header with a wrong address or port");
  }
  return header({ local: false, secure: false, source: { address: address.toLowerCase(), port: Number(port) } });
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 0xffff;
}

function decodeV2(bytes: Buffer): ProxyResult {
  const versionAndCommand = bytes.readUInt8(12);
  const end = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if (versionAndCommand !== 0x20 && versionAndCommand !== 0x21)
    return bad("version 2 header with an unknown version or command");
  if (end > PROXY_BYTES_MAX) return bad(`version 2 header of ${end} bytes; at most ${PROXY_BYTES_MAX} are taken`);
  if (bytes.length < end) return MORE;
  if (versionAndCommand === 0x20) return { kind: "header", bytes: end, facts: LOCAL };

  const body = bytes.subarray(V2_FIXED_BYTES, end);
  const family = bytes.readUInt8(13) >> 4;
  const addressBytes = { 0: 0, 1: 12, 2: 36, 3: 216 }[family];
  if (addressBytes === undefined) return bad("version 2 header of an unknown family");
  if (body.length < addressBytes) return bad("version 2 header too short for its addresses");
  // Section 2.2: of an unspecified family the receiver ignores what it does not understand.
  const tlvs = readTlvs(body.subarray(addressBytes)) ?? (family === 0 ? { secure: false } : undefined);
  if (!tlvs) return bad("version 2 header with a broken extension (TLV)");
  const source = sourceOf(family, body);
  return { kind: "header", bytes: end, facts: { local: false, ...tlvs, ...(source && { source }) } };
}

function sourceOf(family: number, body: Buffer): ProxyFacts["source"] {
  if (family === 1) return { address: body.subarray(0, 4).join("."), port: body.readUInt16BE(8) };
  if (family === 2) return { address: ipv6(body.subarray(0, 16)), port: body.readUInt16BE(32) };
  return undefined;
}

/** Undefined: a length points past the end. */
function readTlvs(bytes: Buffer): { uniqueId?: string; secure: boolean } | undefined {
  let uniqueId: string | undefined;
  let secure = false;
  let at = 0;
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return undefined;
    const end = at + 3 + bytes.readUInt16BE(at + 1);
    if (end > bytes.length) return undefined;
    const type = bytes.readUInt8(at);
    const value = bytes.subarray(at + 3, end);
    if (type === TLV_UNIQUE_ID && value.length <= UNIQUE_ID_BYTES_MAX) uniqueId = value.toString("utf8");
    if (type === TLV_SSL && value.length > 0) secure = (value.readUInt8(0) & CLIENT_SSL) !== 0;
    at = end;
  }
  return uniqueId === undefined ? { secure } : { uniqueId, secure };
}

/** As RFC 5952 writes it: lower case, the longest run of zero groups as `::`; an IPv4-mapped address as IPv4. */
function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return bytes.subarray(12).join(".");
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (best.length < 2) return hex(groups);
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`;
}
