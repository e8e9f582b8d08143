// Error paths: whatever was thrown, its text, its copy and its log line can be made (lib/thrown.ts).

import { describe, expect, test } from "@jest/globals";
import { pino } from "pino";
import { asError, codeOf, errorForLog, messageOf } from "../../lib/thrown.js";
import { hostileValues } from "./wiring/hostile-values.js";

describe("anything may be thrown", () => {
  test.each(Object.entries(hostileValues))(
    "%s has a bounded text, a copy that can be read, and a log line",
    (_, make) => {
      const thrown = make();
      expect(typeof messageOf(thrown)).toBe("string");
      expect(messageOf(thrown).length).toBeLessThanOrEqual(8_192);
      expect(messageOf(thrown, 100).length).toBeLessThanOrEqual(100);
      expect(codeOf(thrown)).toBeUndefined();
      const copy = asError(thrown);
      expect([typeof copy.name, typeof copy.message, typeof copy.stack]).toEqual(["string", "string", "string"]);
      const lines: string[] = [];
      const log = pino({ serializers: { err: errorForLog } }, { write: (line: string) => lines.push(line) });
      log.error({ err: thrown }, "it failed");
      log.error({ err: copy }, "a log without the serializer takes the copy");
      expect(lines.map((line) => JSON.parse(line).msg)).toHaveLength(2);
      expect(lines.every((line) => line.length < 200_000)).toBe(true);
    },
  );

  test("an ordinary error keeps its message, name, code and causes", () => {
    const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", port: 6379 });
    const error = new TypeError("no Redis", { cause });
    expect(messageOf(error)).toBe("no Redis");
    expect(asError(error)).toMatchObject({ name: "TypeError", message: "no Redis", cause: { message: cause.message } });
    expect(errorForLog(cause)).toMatchObject({ type: "Error", code: "ECONNREFUSED", port: 6379 });
    expect(errorForLog(error)).toMatchObject({ type: "TypeError", message: "no Redis: connect ECONNREFUSED" });
    expect(String(errorForLog(error).stack)).toContain("caused by: Error: connect ECONNREFUSED");
  });

  test("an error without a message is told by its code, or else by its name", () => {
    expect(messageOf(Object.assign(new AggregateError([]), { code: "ECONNREFUSED" }))).toBe("ECONNREFUSED");
    expect(messageOf(new RangeError())).toBe("RangeError");
    expect(messageOf({ reason: "no error at all" })).toBe("{ reason: 'no error at all' }");
  });
});
