import { isIPv6 } from "node:net";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { clientAddress, sourceOf } from "../../lib/contracts/index.js";

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["::FFFF:c000:0207", "192.0.2.7"],
  ["2001:db8:1:2::7", "2001:db8:1:2::/64"],
  ["2001:DB8:0001:0002:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8::/64"],
  ["2001:0:0:1::1", "2001:0:0:1::/64"],
  ["::1", "::/64"],
  ["fe80::1%eth0", "fe80::/64"],
  ["unknown", "unknown"],
  ["", ""],
])("what comes from %j is laid at the door of %j", (address, source) => expect(sourceOf(address)).toBe(source));

test("all addresses of a /64 are one source, which is a range that can be banned, and those of another are not", () => {
  const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
  const groups = (length: number) => fc.array(group, { minLength: length, maxLength: length });
  fc.assert(
    fc.property(groups(4), groups(4), groups(4), (network, one, other) => {
      const at = (host: string[]) => [...network, ...host].join(":");
      fc.pre(isIPv6(at(one)) && network.some((part) => part !== "0"));
      expect(sourceOf(at(one))).toBe(sourceOf(at(other)));
      expect(clientAddress.safeParse(sourceOf(at(one))).success).toBe(true);
      const [first = "0", ...rest] = network;
      const neighbour = [(Number.parseInt(first, 16) ^ 1).toString(16), ...rest, ...one].join(":");
      expect(sourceOf(neighbour)).not.toBe(sourceOf(at(one)));
    }),
  );
});
