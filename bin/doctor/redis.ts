// Redis, looked at for what would lose data: eviction, no persistence, writes that fail, a clock that is off.
//
//   INFO, CONFIG GET, TIME --> facts --judgeRedis (pure)--> findings

import type { Redis } from "ioredis";
import { bad, type Finding, good, warning } from "./finding.js";

/** Rounds, windows and heartbeats compare Redis' clock with ours. */
export const SKEW_WARN_MS = 1_000;
export const SKEW_BAD_MS = 5_000;

export interface RedisFacts {
  /** As INFO says it. */
  readonly info: Readonly<Record<string, string>>;
  /** `save` and `appendfsync`; undefined: CONFIG is forbidden there. */
  readonly save: string | undefined;
  readonly appendfsync: string | undefined;
  /** Redis' clock minus ours, and how long the question took. */
  readonly skewMs: number;
  readonly roundTripMs: number;
}

export async function askRedis(redis: Redis): Promise<RedisFacts> {
  const info = parseInfo(await redis.info());
  const from = Date.now();
  const [seconds = 0, micros = 0] = (await redis.time()).map(Number);
  const to = Date.now();
  const setting = async (name: string) => {
    try {
      const [, value] = (await redis.config("GET", name)) as string[];
      return value;
    } catch {
      return undefined; // Hosted Redis often forbids it: INFO says most of it.
    }
  };
  const [save, appendfsync] = [await setting("save"), await setting("appendfsync")];
  return {
    info,
    save,
    appendfsync,
    skewMs: seconds * 1_000 + micros / 1_000 - (from + to) / 2,
    roundTripMs: to - from,
  };
}

export const parseInfo = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name = "", value = ""]) => [name, value]));

export function judgeRedis(what: string, facts: RedisFacts): Finding[] {
  const { info } = facts;
  const version = good(what, `version ${info.redis_version ?? "unknown"}, answers in ${facts.roundTripMs} ms`);
  return [version, eviction(what, info), persistence(what, facts), ...writing(what, info), skew(what, facts)];
}

function eviction(
  what: string,
  { maxmemory = "0", maxmemory_policy = "noeviction", used_memory = "0" }: Facts,
): Finding {
  if (maxmemory_policy !== "noeviction") {
    const text = `maxmemory-policy is ${maxmemory_policy}: when memory is short Redis evicts shares and sessions`;
    const how = "redis-cli CONFIG SET maxmemory-policy noeviction && redis-cli CONFIG REWRITE";
    return maxmemory === "0" ? warning(what, `${text} (once maxmemory is set)`, how) : bad(what, text, how);
  }
  const part = Number(maxmemory) > 0 ? Number(used_memory) / Number(maxmemory) : 0;
  if (part <= FULL) return good(what, "maxmemory-policy is noeviction");
  const text = `${Math.round(part * 100)} % of maxmemory is used; when it is full, no share is recorded`;
  return warning(what, text, `redis-cli CONFIG SET maxmemory ${2 * Number(maxmemory)}`);
}

type Facts = Readonly<Record<string, string>>;
/** So much of maxmemory. */
const FULL = 0.8;

function persistence(what: string, { info, save, appendfsync }: RedisFacts): Finding {
  const how = "redis-cli CONFIG SET appendonly yes && redis-cli CONFIG REWRITE";
  if (info.aof_enabled === "1") {
    if (appendfsync !== "no")
      return good(what, `writes every change to disk (appendfsync ${appendfsync ?? "unknown"})`);
    const text = "appendfsync is no: a machine crash loses what the kernel had not written, often 30 s of shares";
    return warning(what, text, "redis-cli CONFIG SET appendfsync everysec && redis-cli CONFIG REWRITE");
  }
  if (save === "") return bad(what, "has no persistence: a restart loses the share log", how);
  if (save === undefined)
    return warning(what, "has no append-only file, and CONFIG is not permitted, so snapshots are unknown", how);
  return warning(what, `saves snapshots only (save ${save}): a crash loses all shares since the last one`, how);
}

function writing(what: string, info: Facts): Finding[] {
  const findings: Finding[] = [];
  if (info.rdb_last_bgsave_status === "err" || info.aof_last_write_status === "err") {
    findings.push(bad(what, "its last write to disk failed", "see its log; free disk space: df -h"));
  }
  if (info.role === "slave") {
    findings.push(
      bad(what, "is a replica: it takes no writes", "name the master in redis.url, or use redis.sentinels"),
    );
  }
  return findings;
}

function skew(what: string, { skewMs, roundTripMs }: RedisFacts): Finding {
  const off = Math.max(0, Math.abs(skewMs) - roundTripMs / 2);
  return judgeClock(what, off, Math.sign(skewMs));
}

/** @param offMs What is certain of the difference. */
export function judgeClock(what: string, offMs: number, sign: number): Finding {
  const text = `its clock is ${(offMs / 1_000).toFixed(1)} s ${sign < 0 ? "behind" : "ahead of"} this machine's`;
  const how = "timedatectl set-ntp true    (on both machines)";
  if (offMs >= SKEW_BAD_MS) return bad(what, text, how);
  return offMs >= SKEW_WARN_MS ? warning(what, text, how) : good(what, "its clock agrees with this machine's");
}
