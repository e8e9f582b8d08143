// The properties of a command, read and checked: the only door for what comes over the control endpoint.

import { z } from "zod";
import type { Arbiter } from "./arbiter.js";
import { CircusError } from "./errors.js";
import type { Watcher } from "./watcher.js";

/** `now` is answered in any case; `later` is waited for when the client asked to wait, and its fields are added. */
export interface Outcome {
  readonly now?: object;
  readonly later?: () => Promise<object | undefined>;
}

export type Command = (arbiter: Arbiter, properties: Readonly<Record<string, unknown>>) => Outcome;

export const name = z.string().min(1).max(64);
export const pid = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.number().int().positive());
export const named = z.object({ name });
export const maybeNamed = z.object({ name: name.optional() });

/** @throws {CircusError} BAD_MESSAGE naming the property. */
export function read<Shape extends z.ZodType>(shape: Shape, properties: unknown): z.output<Shape> {
  const result = shape.safeParse(properties);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = issue?.path.join(".") ?? "";
  const missing = issue?.code === "invalid_type" && issue.message.includes("undefined");
  throw new CircusError(
    "BAD_MESSAGE",
    `message invalid: '${key}' ${missing ? "is missing" : `is wrong: ${issue?.message}`}`,
  );
}

/** @throws {CircusError} NOT_FOUND. */
export function find(arbiter: Arbiter, wanted: string): Watcher {
  const watcher = arbiter.watcher(wanted);
  if (watcher === undefined) throw new CircusError("NOT_FOUND", `program ${wanted} not found`);
  return watcher;
}
