// The share log, read by its end: the newest shares, or what came after one.
//
//   log --pages of PAGE records--> filter --> at most `limit` shares, and the record where the next look begins
//
//   T1. A look reads LOOK_MAX records at most, so that a filter that nothing passes costs Redis little. Who follows the log asks
//       again from `last`, and so misses nothing, also what a live push would have lost.
//   T2. Between two pages there is no snapshot: the log may lose its oldest records meanwhile, which only shortens the answer.

import { z } from "zod";
import { type LoggedShare, loggedShare, type ReporterContract } from "../../lib/contracts/index.js";
import type { ReplyOf, RequestOf } from "../../lib/wiring/index.js";
import { shareKeys } from "./keys.js";
import { available, type SharesRedis } from "./out-redis.js";

const PAGE = 1_000;
/** T1 */
const LOOK_MAX = 20_000;

type Request = RequestOf<ReporterContract, "shares">;
type Entry = [id: string, fields: string[]];

export class ShareTail {
  readonly #log: string;

  constructor(
    private readonly redis: SharesRedis,
    cluster: string,
  ) {
    this.#log = shareKeys(cluster).log;
  }

  /** Oldest first. @throws {WiringError} UNAVAILABLE. */
  shares(request: Request): Promise<ReplyOf<ReporterContract, "shares">> {
    const { after } = request;
    return available("read the share log", after === undefined ? this.#newest(request) : this.#after(after, request));
  }

  async #newest(request: Request) {
    const found: LoggedShare[] = [];
    let last: string | undefined;
    for (let end = "+", looked = 0; looked < LOOK_MAX && found.length < request.limit; looked += PAGE) {
      const page: Entry[] = await this.redis.xrevrange(this.#log, end, "-", "COUNT", pageOf(request));
      last ??= page[0]?.[0];
      found.push(...pick(page, request));
      const oldest = page.at(-1);
      if (!oldest || page.length < pageOf(request)) break;
      end = `(${oldest[0]}`;
    }
    return { shares: found.slice(0, request.limit).reverse(), ...(last !== undefined && { last }) };
  }

  async #after(after: string, request: Request) {
    const shares: LoggedShare[] = [];
    let last = after;
    for (let looked = 0; looked < LOOK_MAX && shares.length < request.limit; looked += PAGE) {
      const page: Entry[] = await this.redis.xrange(this.#log, `(${last}`, "+", "COUNT", pageOf(request));
      for (const entry of page) {
        if (shares.length === request.limit) break;
        shares.push(...pick([entry], request));
        last = entry[0];
      }
      if (page.length < pageOf(request)) break;
    }
    return { shares, last };
  }
}

/** Without a filter no record is read in vain. */
const pageOf = ({ match, connection, limit }: Request): number =>
  match === undefined && connection === undefined ? limit : PAGE;

function pick(entries: readonly Entry[], { match, connection }: Request): LoggedShare[] {
  const wanted = match?.toLowerCase();
  return entries.flatMap((entry) => {
    const share = shareOf(entry);
    if (!share || (wanted !== undefined && !share.worker.toLowerCase().includes(wanted))) return [];
    return connection === undefined || share.connection === connection ? [share] : [];
  });
}

const number = z.coerce.number();
const fieldsOf = loggedShare.extend({
  ...{ difficulty: number.pipe(loggedShare.shape.difficulty), achieved: number.pipe(loggedShare.shape.achieved) },
  ...{ line: number.pipe(loggedShare.shape.line), at: number.pipe(loggedShare.shape.at) },
  height: number.pipe(loggedShare.shape.height),
  block: z.enum(["0", "1"]).transform((it) => it === "1"),
});

/** Undefined: somebody else wrote this into the log. */
function shareOf([record, fields]: Entry): LoggedShare | undefined {
  const facts: Record<string, string> = { record };
  for (let i = 0; i + 1 < fields.length; i += 2) facts[fields[i] ?? ""] = fields[i + 1] ?? "";
  return fieldsOf.safeParse(facts).data;
}
