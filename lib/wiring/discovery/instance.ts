// An instance: one process' share of a service, as discovery describes it.

import { z } from "zod";
import { PROCESS_MARK_MAX } from "../../process-mark.js";
import { INSTANCE_ID_MAX, serviceName } from "../contract.js";
import { explain } from "../rpc/validate.js";

export const instanceId = z
  .string()
  .min(1)
  .max(INSTANCE_ID_MAX)
  .regex(/^[a-z0-9-]+$/)
  .brand<"InstanceId">();
/** `<service>-<8 random hex digits>`: unique per process start, so a restarted instance is another instance. */
export type InstanceId = z.output<typeof instanceId>;

/** starting: registered, not callable. ready: callable. draining: finishes what it has, takes nothing new. */
export const instanceState = z.enum(["starting", "ready", "draining"]);
export type InstanceState = z.output<typeof instanceState>;

/** Fields of a description: what `headframe ps` shows in a line. */
const META_FIELDS_MAX = 32;

const meta = z
  .record(z.string().min(1).max(64), z.string().max(256))
  .refine((fields) => Object.keys(fields).length <= META_FIELDS_MAX, `expected at most ${META_FIELDS_MAX} fields`);

export const instance = z.object({
  service: serviceName,
  id: instanceId,
  host: z.string().min(1).max(255),
  pid: z.coerce.number().int().positive(),
  /** Which process it is, on whatever machine (lib/process-mark.ts): what a death certificate names. Absent where the system does not say. */
  process: z.string().min(1).max(PROCESS_MARK_MAX).optional(),
  /** Where its ROUTER listens, `tcp://127.0.0.1:40123`. */
  endpoint: z.string().max(255),
  /** Wall clock, milliseconds since the epoch. Seniority: the smallest (startedAt, id) is the senior. */
  startedAt: z.coerce.number().int().nonnegative(),
  /** Of the package that the instance runs. */
  version: z.string().max(64),
  state: instanceState,
  /** CURVE public key (Z85), when peers cross machines. */
  curveKey: z.string().length(40).optional(),
  meta,
});
export type Instance = z.output<typeof instance>;

/**
 * Whoever describes an instance asks this first: what does not fit the schema is skipped by every reader, and the instance would be
 * invisible without a word.
 *
 * @throws {TypeError} with the field and what is accepted.
 */
export function checkInstance(described: Instance): Instance {
  const read = instance.safeParse(described);
  if (read.success) return described;
  throw new TypeError(`${described.id} cannot be described so to discovery: ${explain(read.error)}`);
}

/** Oldest first; ties broken by id, so that every observer agrees. */
export function bySeniority(a: Instance, b: Instance): number {
  return a.startedAt - b.startedAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
