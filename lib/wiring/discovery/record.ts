// Record: an instance as Redis holds it (a flat hash) and as the channel announces it (JSON).
//
// What is read back is somebody else's writing: another version's, or an operator's. It is checked here and nowhere else.

import { z } from "zod";
import { key } from "../state/keys.js";
import { type Instance, instance, instanceId } from "./instance.js";

/** An instance and how often its registration has changed; the higher revision is the newer one. */
export interface Seen {
  readonly instance: Instance;
  readonly revision: number;
}

const META = "meta.";

/** Every key that discovery uses. */
export const discoveryKeys = {
  instance: (cluster: string, service: string, id: string) => key(cluster, "instance", service, id),
  /** Prefix of the above. */
  instances: (cluster: string, service: string) => key(cluster, "instance", service, ""),
  index: (cluster: string, service: string) => key(cluster, "instances", service),
  services: (cluster: string) => key(cluster, "services"),
  generation: (cluster: string, service: string) => key(cluster, "generation", service),
  news: (cluster: string, service: string) => key(cluster, "news", service),
  grave: (cluster: string, id: string) => key(cluster, "gone", id),
  since: (cluster: string) => key(cluster, "since"),
  channel: (cluster: string) => key(cluster, "discovery"),
} as const;

/** Field, value, field, value ...: readable with `redis-cli hgetall`. */
export function toHash({ instance, revision }: Seen): string[] {
  const { meta, ...plain } = instance;
  const fields: string[] = ["revision", String(revision)];
  for (const [name, value] of Object.entries(plain)) if (value !== undefined) fields.push(name, String(value));
  for (const [name, value] of Object.entries(meta)) fields.push(META + name, value);
  return fields;
}

const revision = z.coerce.number().int().nonnegative();

/** @throws {z.ZodError} when it is no instance. */
export function fromHash(flat: readonly string[]): Seen {
  const plain: Record<string, unknown> = {};
  const meta: Record<string, string> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i] ?? "";
    const value = flat[i + 1] ?? "";
    if (name.startsWith(META)) meta[name.slice(META.length)] = value;
    else plain[name] = value;
  }
  return { instance: instance.parse({ ...plain, meta }), revision: revision.parse(plain.revision) };
}

const announcement = z.discriminatedUnion("kind", [
  /** Joined, or changed. */
  z.object({ kind: z.literal("put"), instance, revision, ttlMs: z.number().int().positive() }),
  /** Left (it said so) or died (its process manager said so): never comes back. */
  z.object({ kind: z.literal("gone"), service: z.string(), id: instanceId, why: z.enum(["left", "died"]) }),
]);
export type Announcement = z.output<typeof announcement>;

export function announce(message: Announcement): string {
  return JSON.stringify(message);
}

/** @throws {Error} when it is no announcement. */
export function readAnnouncement(text: string): Announcement {
  return announcement.parse(JSON.parse(text));
}
