// Guard: who may look, and who may act. Pure: decisions over a request's headers.
//
//   any request --Host known?--> look          with the token --> look at addresses and connection ids, too
//   POST --own origin? JSON? token?--> act
//
//   G1. Host must be a name of ours. A page of a stranger whose own name points to 127.0.0.1 (DNS rebinding) has the stranger's name
//       in it, and learns nothing.
//   G2. To act, the token must stand in the Authorization header. No cookie exists, so a browser adds nothing by itself, and a
//       foreign page can neither set that header nor send JSON without asking first (CORS), which is never granted.
//   G3. An Origin, when there is one, must be ours all the same, and Sec-Fetch-Site must not say otherwise.
//   G4. Tokens are compared in constant time. After ATTEMPTS_MAX wrong ones within a minute an address is told to wait (429), whatever
//       it sends; the right token is always heard, from everywhere: nobody can lock the owner out.

import { createHash, timingSafeEqual } from "node:crypto";

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
export const ATTEMPTS_MAX = 10;
const ATTEMPTS_MS = 60_000;
/** Addresses whose wrong tokens are counted; more than that, the oldest is forgotten. */
const ADDRESSES_MAX = 1_024;

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface Refusal {
  readonly status: 401 | 403 | 415 | 421 | 429;
  readonly why: "host" | "origin" | "token" | "attempts" | "type";
  /** For people. */
  readonly error: string;
}

export class Guard {
  /** Times of wrong tokens, by address. */
  readonly #wrong = new Map<string, readonly number[]>();

  constructor(
    private readonly options: {
      /** What the Host header may say, with the port, in lower case. */
      readonly hosts: ReadonlySet<string>;
      readonly token: string;
      nowMs(): number;
    },
  ) {}

  /** G1 */
  look(headers: Headers): Refusal | undefined {
    const host = single(headers.host)?.toLowerCase();
    if (host !== undefined && this.options.hosts.has(host)) return undefined;
    const known = [...this.options.hosts].join(", ");
    const error = `this dashboard is not known as ${host ?? "(no Host header)"}, only as ${known}; names are added with dashboard.hosts`;
    return { status: 421, why: "host", error };
  }

  /** G2 to G4, after look(). @param address Who asks. */
  act(headers: Headers, address: string): Refusal | undefined {
    return this.#foreign(headers) ?? this.#type(headers) ?? this.token(headers, address);
  }

  /** G4. */
  token(headers: Headers, address: string): Refusal | undefined {
    const given = /^bearer +(\S+)$/i.exec(single(headers.authorization) ?? "")?.[1];
    if (given !== undefined && same(given, this.options.token)) return undefined;
    if (given !== undefined && this.#tooMany(address)) {
      return { status: 429, why: "attempts", error: "too many wrong tokens from your address: wait a minute" };
    }
    const what = given === undefined ? "this needs the token" : "this is not the token";
    return {
      status: 401,
      why: "token",
      error: `${what}: Authorization: Bearer TOKEN, from dashboard.token in the folder of the run`,
    };
  }

  /** Counts a wrong token of the address. */
  #tooMany(address: string): boolean {
    const now = this.options.nowMs();
    const recent = (this.#wrong.get(address) ?? []).filter((at) => now - at < ATTEMPTS_MS);
    if (recent.length >= ATTEMPTS_MAX) return true;
    this.#wrong.delete(address); // To the end: the oldest is forgotten first.
    this.#wrong.set(address, [...recent, now]);
    for (const oldest of this.#wrong.keys()) {
      if (this.#wrong.size <= ADDRESSES_MAX) break;
      this.#wrong.delete(oldest);
    }
    return false;
  }

  #foreign(headers: Headers): Refusal | undefined {
    const origin = single(headers.origin);
    const site = single(headers["sec-fetch-site"]);
    const host = origin === undefined ? undefined : hostOf(origin);
    const foreign = origin !== undefined && (host === undefined || !this.options.hosts.has(host));
    if (!foreign && (site === undefined || site === "same-origin" || site === "none")) return undefined;
    const error = `a page of ${origin ?? "another site"} may not act here: use the dashboard's own page, or a program without Origin`;
    return { status: 403, why: "origin", error };
  }

  #type(headers: Headers): Refusal | undefined {
    if (/^application\/json\s*(;|$)/i.test(single(headers["content-type"]) ?? "")) return undefined;
    return { status: 415, why: "type", error: "send JSON, with Content-Type: application/json" };
  }
}

/** Names by which a browser may know a server on this port. */
export function hostNames(hosts: readonly string[], host: string, port: number): ReadonlySet<string> {
  const own = host === "0.0.0.0" || host === "::" ? [] : [host.includes(":") ? `[${host}]` : host];
  const names = [...LOOPBACK, ...own].flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`]));
  return new Set([...names, ...hosts].map((name) => name.toLowerCase()));
}

const single = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === "string" ? value : undefined;

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host.toLowerCase() : undefined; // "null" is no URL.
}

/** G4. Hashes have one length, whatever was given. */
const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
