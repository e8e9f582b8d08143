// Numbers for what is under way.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Slots } from "../../../lib/wiring/rpc/slots.js";

test("each thing is found once by its id, whatever comes and goes, and no two share one", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3 }), { maxLength: 600 }), (steps) => {
      const slots = new Slots<{ n: number }>();
      const model = new Map<number, { n: number }>();
      for (const [n, step] of steps.entries()) {
        const oldest = model.keys().next().value;
        if (step > 0 || oldest === undefined) {
          const item = { n };
          const id = slots.add(item);
          expect(id).toBeGreaterThan(0);
          expect(model.has(id)).toBe(false);
          model.set(id, item);
        } else {
          expect(slots.take(oldest)).toBe(model.get(oldest));
          expect(slots.take(oldest)).toBeUndefined();
          model.delete(oldest);
        }
      }
      expect(new Set(slots.all())).toEqual(new Set(model.values()));
      expect(slots.take(0)).toBeUndefined();
    }),
  );
});

test("one that stays is passed over by the others' ids", () => {
  const slots = new Slots<string>();
  const stays = slots.add("stays");
  for (let i = 0; i < 1_000; i++) expect(slots.take(slots.add("goes"))).toBe("goes");
  expect(slots.take(stays)).toBe("stays");
});
