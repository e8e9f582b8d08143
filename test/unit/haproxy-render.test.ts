import { expect, test } from "@jest/globals";
import { haproxyPaths, haproxySettings, renderHaproxy } from "../../haproxy/index.js";

const PATHS = haproxyPaths("/run/my pool");
const KEEPERS = [
  { name: "one", at: { path: "/run/k.sock" } },
  { name: "two", at: { host: "::1", port: 9 } },
];
const render = (input: Parameters<typeof haproxySettings.parse>[0]) =>
  renderHaproxy(haproxySettings.parse(input), KEEPERS, PATHS);

test("a listener becomes a frontend with its limits, its first byte and its name in every connection's id", () => {
  const text = render({ listeners: [{ name: "asic", port: 3334, connectionsPerAddress: 7, firstByteMs: 900 }] });
  const lines = text.slice(text.indexOf("frontend from_asic"), text.indexOf("\nbackend")).split("\n");
  expect(lines.map((line) => line.trim()).filter((line) => line !== "")).toEqual([
    "frontend from_asic",
    "bind 0.0.0.0:3334",
    "maxconn 50000",
    "stick-table type ipv6 size 100k expire 10m store conn_cur,conn_rate(10s),gpc0",
    "tcp-request connection reject if { src -f '/run/my pool/haproxy-banned.acl' }",
    "tcp-request connection track-sc0 src,ipmask(32,64)",
    "tcp-request connection reject if { sc0_conn_cur gt 7 }",
    "tcp-request connection reject if { sc0_conn_rate gt 2000 }",
    "tcp-request session set-var(sess.uid) uuid()",
    "unique-id-format asic/%[var(sess.uid)]",
    "tcp-request inspect-delay 900ms",
    "tcp-request content reject unless { req.payload(0,1),hex -m str 7B 09 0A 0D 20 EF }",
    "tcp-request content accept if { req.payload(0,0),hex -m reg '^(EFBBBF)?(09|0A|0D|20)*7B' }",
    "tcp-request content reject if WAIT_END",
    "default_backend keepers",
  ]);
});

test("keepers get the PROXY header with the id, over unix sockets and over TCP", () => {
  const text = render({});
  expect(text).toContain("send-proxy-v2 proxy-v2-options unique-id,ssl\n");
  expect(text).toContain("server one unix@/run/k.sock\n");
  expect(text).toContain("server two [::1]:9\n");
});

test("nothing in it closes clients after a reload or because of a keeper's health", () => {
  const text = render({ peersPort: 1, prometheus: { port: 2 } }).replace(/^#.*$/gm, "");
  expect(text).not.toMatch(/hard-stop-after|mworker-max-reloads|on-marked-down/);
});

test("behind another balancer, bans and limits look at the client's own address", () => {
  const text = render({ listeners: [{ name: "plain", port: 1, acceptProxy: true }] });
  expect(text).toContain("bind 0.0.0.0:1 accept-proxy\n");
  expect(text).toContain("tcp-request session reject if { src -f");
});

test.each([
  [{ listeners: [] }, "listeners"],
  [
    {
      listeners: [
        { name: "a", port: 1 },
        { name: "a", port: 2 },
      ],
    },
    "same name",
  ],
  [{ listeners: [{ name: "A b", port: 1 }] }, "lower-case name"],
  [{ listeners: [{ name: "a", port: 1, firstByte: "{{" }] }, "firstByte"],
  [{ listeners: [{ name: "a", port: 1, tls: { pem: "a\nb" } }] }, "without line ends"],
  [{ extraGlobal: ["a\nb"] }, "one line"],
])("%j is refused", (input, reason) => {
  const result = haproxySettings.safeParse(input);
  expect(result.success ? "" : JSON.stringify(result.error.issues)).toContain(reason);
});

test("without a keeper there is no configuration", () => {
  expect(() => renderHaproxy(haproxySettings.parse({}), [], PATHS)).toThrow("at least one keeper");
});
