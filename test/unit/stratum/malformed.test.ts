// Lines as the wild sends them, each with the answer that it must get.

import { describe, expect, test } from "@jest/globals";
import type { ConnectionId } from "../../../lib/contracts/index.js";
import { JobBook } from "../../../services/stratum/jobs.js";
import { DEPTH_MAX, parseLine } from "../../../services/stratum/protocol/parse.js";
import { receive } from "../../../services/stratum/receive.js";
import { greet } from "../../../services/stratum/session.js";
import type { Session } from "../../../services/stratum/session-state.js";
import { settings as schema } from "../../../services/stratum/settings.js";
import { contextOf, craftJob, SENIOR } from "./craft.js";

const bytes = (line: string) => Buffer.from(line, "latin1");
const deep = (levels: number) =>
  `{"id":1,"method":"mining.subscribe","params":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;

/** [what it is, the line, the id that is echoed, the error's code, what its text says] */
const GARBLED: readonly [string, string, string, RegExp][] = [
  ["an HTTP probe", "GET / HTTP/1.1", "null", /one JSON object/],
  ["a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "null", /one JSON object/],
  ["binary", "\x00\xff\xfe\x01{", "null", /one JSON object/],
  ["half a line", '{"id":1,"method":"mining.sub', "null", /one JSON object/],
  ["a number", "42", "null", /one JSON object/],
  ["a string", '"mining.subscribe"', "null", /one JSON object/],
  ["a list", '[1,"mining.subscribe",[]]', "null", /one JSON object/],
  ["null", "null", "null", /one JSON object/],
  ["no method", '{"id":7,"params":[]}', "7", /method/],
  ["a method that is a number", '{"id":7,"method":5,"params":[]}', "7", /method/],
  ["a method that is empty", '{"id":7,"method":"","params":[]}', "7", /method/],
  ["a method that is endless", `{"id":7,"method":"${"x".repeat(65)}","params":[]}`, "7", /method/],
  ["an id that is a list", '{"id":[1],"method":"mining.ping"}', "null", /id/],
  ["an id that is an object", '{"id":{"a":1},"method":"mining.ping"}', "null", /id/],
  ["an id that is true", '{"id":true,"method":"mining.ping"}', "null", /id/],
  ["an id that is endless", `{"id":"${"x".repeat(65)}","method":"mining.ping"}`, "null", /id/],
  ["deep nesting", deep(DEPTH_MAX + 1), "null", /deep/],
  ["very deep nesting", `${"[".repeat(4_000)}${"]".repeat(4_000)}`, "null", /deep/],
];

const submit = (params: unknown) => JSON.stringify({ id: 4, method: "mining.submit", params });
const good = ["w", "a1", "00000001", "655f5c80", "00000000"];
const replaced = (index: number, value: unknown) => good.map((old, i) => (i === index ? value : old));

const REFUSED: readonly [string, string, RegExp][] = [
  ["an unknown method", '{"id":4,"method":"mining.hack","params":[]}', /Unknown method mining.hack/],
  ["an unknown method with escapes", '{"id":4,"method":"a\\u001b[31m\\n","params":[]}', /Unknown method a\?\[31m\?/],
  ["params that are an object", '{"id":4,"method":"mining.submit","params":{"a":1}}', /list/],
  ["params that are a string", '{"id":4,"method":"mining.submit","params":"x"}', /list/],
  ["a huge list of params", submit(Array.from({ length: 65 }, () => 0)), /Too many params/],
  ["a submit without params", '{"id":4,"method":"mining.submit"}', /worker name/],
  ["a submit with two params", submit(["w", "a1"]), /extranonce2/],
  ["a submit with a number as worker", submit(replaced(0, 5)), /worker name/],
  ["a submit with an endless worker", submit(replaced(0, "w".repeat(257))), /worker name/],
  ["a submit with a number as job", submit(replaced(1, 17)), /job id/],
  ["a submit with an endless job", submit(replaced(1, "a".repeat(33))), /job id/],
  ["an extranonce2 that is no hex", submit(replaced(2, "zzzzzzzz")), /extranonce2/],
  ["an extranonce2 that is endless", submit(replaced(2, "00".repeat(9))), /extranonce2/],
  ["an ntime that is a number", submit(replaced(3, 1_700_000_000)), /ntime/],
  ["an empty ntime", submit(replaced(3, "")), /ntime/],
  ["an ntime of more than 32 bits", submit(replaced(3, "1655f5c80")), /ntime: at most 32 bits/],
  ["an endless ntime", submit(replaced(3, "655f5c80".padStart(17, "0"))), /ntime/],
  ["a nonce with 0x", submit(replaced(4, "0x000000")), /nonce/],
  ["a nonce that is null", submit(replaced(4, null)), /nonce/],
  ["a nonce with a sign", submit(replaced(4, "-0000001")), /nonce/],
  ["an extranonce2 padded with spaces", submit(replaced(2, "       1")), /extranonce2/],
  ["version bits that are no hex", submit([...good, "mask"]), /version bits/],
  ["version bits that are a number", submit([...good, 5]), /version bits/],
  ["an authorize without a name", '{"id":4,"method":"mining.authorize","params":[]}', /worker name/],
  ["an authorize with a number", '{"id":4,"method":"mining.authorize","params":[1,2]}', /worker name/],
  ["a configure without a list", '{"id":4,"method":"mining.configure","params":["version-rolling"]}', /extensions/],
  ["a configure with numbers", '{"id":4,"method":"mining.configure","params":[[1],{}]}', /extension name/],
  ["a negative difficulty", '{"id":4,"method":"mining.suggest_difficulty","params":[-1]}', /difficulty/],
  ["a difficulty of zero", '{"id":4,"method":"mining.suggest_difficulty","params":[0]}', /difficulty/],
  ["no difficulty", '{"id":4,"method":"mining.suggest_difficulty","params":[]}', /difficulty/],
  ["an endless difficulty", '{"id":4,"method":"mining.suggest_difficulty","params":[1e999]}', /difficulty/],
  ["a target that is no hex", '{"id":4,"method":"mining.suggest_target","params":["xyz"]}', /target/],
  ["an endless target", `{"id":4,"method":"mining.suggest_target","params":["${"f".repeat(65)}"]}`, /target/],
];

const ask = (line: string, session: Session = greet("l/1" as ConnectionId, 0)) =>
  receive(session, parseLine(bytes(line)), contextOf(new JobBook()));
const answerOf = (line: string) => {
  const [first] = ask(line).effects;
  return first?.kind === "say" ? JSON.parse(first.text) : undefined;
};

describe("a line that is no request gets an error and is counted", () => {
  test.each(GARBLED)("%s", (_, line, id, text) => {
    const { session, effects } = ask(line);
    expect(effects[0]).toMatchObject({ kind: "say" });
    expect(JSON.stringify(answerOf(line).id)).toBe(id);
    expect(answerOf(line)).toMatchObject({ result: null, error: [20, expect.stringMatching(text), null] });
    expect(session.garbled).toBe(1);
  });
});

describe("a request that cannot be understood gets error 20 and keeps its connection", () => {
  test.each(REFUSED)("%s", (_, line, text) => {
    const { session, effects } = ask(line);
    expect(answerOf(line)).toEqual({ id: 4, result: null, error: [20, expect.stringMatching(text), null] });
    expect(effects.some(({ kind }) => kind === "close")).toBe(false);
    expect(session.garbled).toBe(0);
  });
});

describe("a number in hex has no fixed width", () => {
  const request = (params: unknown[]) => {
    const line = parseLine(bytes(submit(params)));
    return line.kind === "request" ? line.request : line;
  };

  test.each([
    ["a nonce without its leading zero", replaced(4, "a9a049c"), { nonce: 0x0a9a049c }],
    ["a nonce of one digit", replaced(4, "7"), { nonce: 7 }],
    ["a nonce padded to 16 digits", replaced(4, "000000000a9a049c"), { nonce: 0x0a9a049c }],
    ["an ntime without its leading zero", replaced(3, "55f5c80"), { time: 0x055f5c80 }],
    ["an ntime padded to 10 digits", replaced(3, "00655f5c80"), { time: 0x655f5c80 }],
    ["short version bits", [...good, "2000"], { versionBits: 0x2000 }],
    ["version bits that are zero", [...good, "0"], { versionBits: 0 }],
  ])("%s", (_, params, read) => expect(request(params)).toMatchObject(read));

  test("version bits that are absent, null or empty mean that none were rolled", () => {
    for (const params of [good, [...good, null], [...good, ""]])
      expect(request(params)).not.toHaveProperty("versionBits");
  });
});

describe("what a line may begin with", () => {
  test.each(["\ufeff", "\r\n", "  ", "\t"])("%j", (start) => {
    const line = parseLine(Buffer.from(`${start}{"id":1,"method":"mining.ping"}`));
    expect(line).toMatchObject({ kind: "request", id: "1" });
  });
});

test("the fifth line that is no request closes the connection, after its answer", () => {
  let session: Session = greet("l/1" as ConnectionId, 0);
  for (let count = 1; count <= 5; count++) {
    const step = ask("GET / HTTP/1.1", session);
    session = step.session;
    expect(step.effects.map(({ kind }) => kind)).toEqual(["say", "garbled", ...(count === 5 ? ["close"] : [])]);
  }
});

describe("the id comes back as it came", () => {
  test.each(["4", "0", "-1", '"abc"', '"\\"é"', "null", "1.5", "12345678901234567890", "1e2"])("%s", (id) => {
    const [first] = receive(
      greet("l/1" as ConnectionId, 0),
      parseLine(Buffer.from(`{"id":${id},"method":"mining.ping"}`)),
      contextOf(new JobBook()),
    ).effects;
    const text = first?.kind === "say" ? first.text : "";
    expect(text).toBe(`{"id":${id === "1e2" ? "100" : id},"result":"pong","error":null}\n`);
  });

  test("a missing id is null", () =>
    expect(answerOf('{"method":"mining.ping"}')).toMatchObject({ id: null, result: "pong" }));
});

describe("what needs no answer gets none", () => {
  test.each(["", "   ", "\r", '{"id":1,"result":true,"error":null}', '{"id":1,"result":"cgminer/4.12"}'])(
    "%j",
    (line) => {
      expect(ask(line)).toMatchObject({ effects: [], session: { garbled: 0 } });
    },
  );
});

describe("every question that miners ask is answered", () => {
  test.each([
    ["mining.extranonce.subscribe", true],
    ["mining.ping", "pong"],
    ["mining.multi_version", true],
    ["mining.get_transactions", []],
    ["mining.capabilities", {}],
    ["client.get_version", expect.stringMatching(/headframe/)],
    ["mining.get_version", expect.stringMatching(/headframe/)],
  ])("%s", (method, result) => {
    expect(answerOf(JSON.stringify({ id: 1, method, params: [] }))).toEqual({ id: 1, result, error: null });
  });

  test("BIP 310 a minimum difficulty that cannot be kept is not agreed to", () => {
    const book = new JobBook();
    book.offer(craftJob(), SENIOR, true, 0); // Its network difficulty is far below 1.
    const context = { ...contextOf(book), settings: schema.parse({}) };
    const configured = (value: unknown, world = context) => {
      const params = [["minimum-difficulty"], { "minimum-difficulty.value": value }];
      const line = parseLine(bytes(JSON.stringify({ id: 1, method: "mining.configure", params })));
      const { session, effects } = receive(greet("l/1" as ConnectionId, 0), line, world);
      const [first] = effects;
      const { result } = first?.kind === "say" ? JSON.parse(first.text) : {};
      return [result?.["minimum-difficulty"], session.minimum];
    };
    expect(configured(1e-9)).toEqual([true, 1e-9]);
    for (const value of [1e30, 1, 0, -5, "abc", null]) expect(configured(value)).toEqual([false, 0]);
    const jobless = { ...context, book: new JobBook() };
    expect(configured(1, jobless)).toEqual([true, 1]);
    expect(configured(1e30, jobless)).toEqual([false, 0]);
  });

  test("mining.configure answers every extension, unknown ones with false", () => {
    const params = [
      ["version-rolling", "minimum-difficulty", "subscribe-extranonce", "info", "__proto__", "made-up"],
      { "version-rolling.mask": "1FFFFFFF", "version-rolling.min-bit-count": 2, "minimum-difficulty.value": 8 },
    ];
    const { result } = answerOf(JSON.stringify({ id: 1, method: "mining.configure", params }));
    expect(JSON.stringify(result)).toBe(
      '{"version-rolling":true,"version-rolling.mask":"1fffe000","minimum-difficulty":true,' +
        '"subscribe-extranonce":true,"info":true,"__proto__":false,"made-up":false}',
    );
  });
});
