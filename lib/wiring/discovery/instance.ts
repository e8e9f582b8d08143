// An instance: one process' share of a service, as discovery describes it.

import { z } from "zod";

export const instanceId = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[a-z0-9-]+$/)
  .brand<"InstanceId">();
/** `<service>-<8 random hex digits>`: unique per process start, so a restarted instance is another instance. */
export type InstanceId = z.output<typeof instanceId>;

/** starting: registered, not callable. ready: callable. draining: finishes what it has, takes nothing new. */
export const instanceState = z.enum(["starting", "ready", "draining"]);
export type InstanceState = z.output<typeof instanceState>;

export const instance = z.object({
  service: z.string().min(1).max(64),
  id: instanceId,
  host: z.string().min(1).max(255),
  pid: z.coerce.number().int().positive(),
  /** Where its ROUTER listens, `tcp://127.0.0.1:40123`. */
  endpoint: z.string().max(255),
  /** Wall clock, milliseconds since the epoch. Seniority: the smallest (startedAt, id) is the senior. */
  startedAt: z.coerce.number().int().nonnegative(),
  /** Of the package that the instance runs. */
  version: z.string().max(64),
  state: instanceState,
  /** CURVE public key (Z85), when peers cross machines. */
  curveKey: z.string().length(40).optional(),
  meta: z.record(z.string().max(64), z.string().max(256)),
});
export type Instance = z.output<typeof instance>;

/** Oldest first; ties broken by id, so that every observer agrees. */
export function bySeniority(a: Instance, b: Instance): number {
  return a.startedAt - b.startedAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
