import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { decodeProxy, PROXY_BYTES_MAX, type ProxyFacts } from "../../services/edge/proxy.js";

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

function tlv(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(3);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(value.length, 1);
  return Buffer.concat([head, value]);
}

function v2(command: number, family: number, body: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt8(0x20 | command, 0);
  head.writeUInt8(family, 1);
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([SIGNATURE, head, body]);
}

const IPV4 = Buffer.from([203, 0, 113, 7, 127, 0, 0, 1, 0xd4, 0x31, 0x0d, 0x05]);
const ID = tlv(5, Buffer.from("plain/9d0f2a60-aaaa-bbbb-cccc-000000000001"));
const TLS = tlv(0x20, Buffer.from([0x01, 0, 0, 0, 0]));

function factsOf(bytes: Uint8Array): ProxyFacts {
  const result = decodeProxy(bytes);
  if (result.kind !== "header") throw new Error(`no header: ${JSON.stringify(result)}`);
  return result.facts;
}

test("a version 2 header tells the client's address, the connection's id and TLS", () => {
  const bytes = v2(1, 0x11, Buffer.concat([IPV4, tlv(3, Buffer.alloc(4)), ID, TLS]));
  expect(decodeProxy(Buffer.concat([bytes, Buffer.from("{}\n")]))).toEqual({
    kind: "header",
    bytes: bytes.length,
    facts: {
      local: false,
      secure: true,
      source: { address: "203.0.113.7", port: 54321 },
      uniqueId: "plain/9d0f2a60-aaaa-bbbb-cccc-000000000001",
    },
  });
});

test.each([
  ["20010db8000000000000000000000001", "2001:db8::1"],
  ["00000000000000000000000000000000", "::"],
  ["00010002000300040005000600070008", "1:2:3:4:5:6:7:8"],
  ["00000000000000000000ffffc0a80101", "192.168.1.1"],
  ["20010000000000010000000000000001", "2001:0:0:1::1"],
])("an IPv6 address %s is written %s", (hex, text) => {
  const body = Buffer.concat([Buffer.from(hex, "hex"), Buffer.alloc(16), Buffer.from([0x0d, 0x05, 0, 1])]);
  expect(factsOf(v2(1, 0x21, body)).source).toEqual({ address: text, port: 3333 });
});

test("a health check of the proxy is local, whatever it carries", () => {
  expect(factsOf(v2(0, 0, Buffer.alloc(0)))).toEqual({ local: true, secure: false });
  expect(factsOf(v2(0, 0x11, IPV4))).toEqual({ local: true, secure: false });
});

test("a unix client has no address, and the rest is read all the same", () => {
  expect(factsOf(v2(1, 0x31, Buffer.concat([Buffer.alloc(216), ID])))).toEqual({
    local: false,
    secure: false,
    uniqueId: "plain/9d0f2a60-aaaa-bbbb-cccc-000000000001",
  });
});

test("of an unspecified family what cannot be read is ignored, and what can is taken", () => {
  expect(factsOf(v2(1, 0, Buffer.alloc(12, 0x55)))).toEqual({ local: false, secure: false });
  expect(factsOf(v2(1, 0, ID))).toEqual({
    local: false,
    secure: false,
    uniqueId: "plain/9d0f2a60-aaaa-bbbb-cccc-000000000001",
  });
});

test("version 1 headers are understood", () => {
  expect(decodeProxy(Buffer.from("PROXY TCP4 203.0.113.7 127.0.0.1 54321 3333\r\n{"))).toEqual({
    kind: "header",
    bytes: 45,
    facts: { local: false, secure: false, source: { address: "203.0.113.7", port: 54321 } },
  });
  expect(factsOf(Buffer.from("PROXY TCP6 2001:DB8::1 ::1 5 6\r\n")).source?.address).toBe("2001:db8::1");
  expect(factsOf(Buffer.from("PROXY UNKNOWN\r\n"))).toEqual({ local: false, secure: false });
});

test.each([
  ["a line of JSON", Buffer.from('{"id":1}\n')],
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ["a TLS hello", Buffer.from([0x16, 3, 1, 2, 0, 1])],
  ["version 1 without an end", Buffer.from(`PROXY TCP4 ${"1".repeat(200)}`)],
  ["version 1 with a wrong port", Buffer.from("PROXY TCP4 1.2.3.4 1.2.3.4 99999 1\r\n")],
  ["version 1 of another family", Buffer.from("PROXY UDP4 1.2.3.4 1.2.3.4 9 1\r\n")],
  ["version 3", Buffer.concat([SIGNATURE, Buffer.from([0x31, 0x11, 0, 0])])],
  ["an unknown command", v2(2, 0x11, IPV4)],
  ["an unknown family", v2(1, 0x51, IPV4)],
  ["addresses cut short", v2(1, 0x11, IPV4.subarray(0, 11))],
  ["an extension that is longer than the header", v2(1, 0x11, Buffer.concat([IPV4, Buffer.from([5, 0, 9, 1])]))],
  ["an extension without a length", v2(1, 0x11, Buffer.concat([IPV4, Buffer.from([5])]))],
  ["a header longer than the bound", v2(1, 0x11, Buffer.alloc(PROXY_BYTES_MAX))],
])("%s is no PROXY header", (_, bytes) => {
  expect(decodeProxy(bytes).kind).toBe("bad");
});

test("a header may come in any pieces: every beginning of it asks for more", () => {
  for (const whole of [
    v2(1, 0x11, Buffer.concat([IPV4, ID, TLS])),
    Buffer.from("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"),
  ]) {
    for (let length = 0; length < whole.length; length++) {
      expect(decodeProxy(whole.subarray(0, length))).toEqual({ kind: "more" });
    }
    expect(decodeProxy(whole).kind).toBe("header");
  }
});

test("whatever the bytes, decoding never throws and never asks for more than its bound", () => {
  const start = fc.constantFrom(
    Buffer.alloc(0),
    Buffer.from("PROXY "),
    SIGNATURE,
    Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x11])]),
  );
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 300 }), (head, tail) => {
      const result = decodeProxy(Buffer.concat([head, tail]));
      if (result.kind === "header") expect(result.bytes).toBeLessThanOrEqual(head.length + tail.length);
    }),
  );
  expect(decodeProxy(Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x11, 0xff, 0xff])])).kind).toBe("bad");
});
