// In: HTTP. The page, the API and the live stream, on one port.
//
//   request --guard: Host--> page file | GET of the API | live stream          --guard: origin, type, token--> swap, drain
//                                           '--without the token: no address, no connection id (public.ts)
//
//   T1. Every answer carries the headers that keep a browser from doing anything that the page does not need.
//   T2. A body is at most BODY_BYTES_MAX, a request's time REQUEST_MS: nobody can make the dashboard work or wait for nothing.
//   T3. An error says what happened, why, and what to do, as JSON; what nobody expected is logged and told without its inside.

import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { z } from "zod";
import type { Log, Metrics } from "../../lib/wiring/index.js";
import type { Guard, Refusal } from "./guard.js";
import type { Page } from "./in-page.js";
import type { Live, Viewer } from "./live.js";
import type { Route } from "./openapi.js";
import { publicly, publicText } from "./public.js";
import { ROUTES } from "./routes.js";

/** A swap or a drain has some fifty. */
const BODY_BYTES_MAX = 4_096;
const REQUEST_MS = 10_000;
const CONNECTIONS_MAX = 512;
/** Tells a browser how long to wait before it comes back. */
const RETRY_MS = 1_000;

/** An answer other than the one asked for. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

type Name = Exclude<keyof typeof ROUTES, "live">;
/** Takes what the route's query and body describe, checked, and whether who asks has the token. */
export type Handlers = Readonly<Record<Name, (input: never, insider: boolean) => unknown>>;

export interface HttpOptions {
  readonly host: string;
  readonly port: number;
  readonly page: Page;
  readonly live: Live;
  readonly handlers: Handlers;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Made when the port is known. */
  guard(port: number): Guard;
}

export class HttpServer {
  #guard: Guard | undefined;
  /** Requests that came with the token. */
  readonly #insiders = new WeakSet<FastifyRequest>();

  private constructor(
    private readonly app: FastifyInstance,
    private readonly options: HttpOptions,
  ) {}

  /** Listens on the port, or on a free one when it is taken. */
  static async open(options: HttpOptions): Promise<HttpServer> {
    const app = fastify({
      ...{ logger: false, bodyLimit: BODY_BYTES_MAX, requestTimeout: REQUEST_MS, forceCloseConnections: true },
      routerOptions: { maxParamLength: 100 },
    });
    const server = new HttpServer(app, options);
    server.#build();
    await server.#listen();
    return server;
  }

  get port(): number {
    const address = this.app.server.address();
    if (typeof address !== "object" || !address) throw new Error("the dashboard listens nowhere");
    return address.port;
  }

  async close(): Promise<void> {
    this.options.live.close();
    await this.app.close();
  }

  async #listen(): Promise<void> {
    const { host, port, log } = this.options;
    this.app.server.maxConnections = CONNECTIONS_MAX;
    try {
      await this.app.listen({ host, port });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      log.warn({ host, port }, "this port is taken: the dashboard listens on a free one");
      await this.app.listen({ host, port: 0 });
    }
    this.#guard = this.options.guard(this.port);
  }

  #build(): void {
    const { app } = this;
    const { metrics } = this.options;
    app.addHook("onRequest", async (request, reply) => {
      reply.headers(this.#headers()); // T1
      this.#refuse(this.#guard?.look(request.headers));
      // Before the body is read: who may not act need not be listened to.
      const { headers, ip } = request;
      if (request.method !== "GET" && request.method !== "HEAD") this.#refuse(this.#guard?.act(headers, ip));
      else if (headers.authorization !== undefined) this.#refuse(this.#guard?.token(headers, ip));
      else return;
      this.#insiders.add(request);
    });
    app.addHook("onResponse", async (_, reply) => {
      metrics.count("dashboard.requests", 1, { status: `${Math.floor(reply.statusCode / 100)}xx` });
    });
    app.setNotFoundHandler((request) => {
      throw new HttpProblem(
        404,
        `there is no ${request.method} ${request.url.slice(0, 200)}; /api/openapi.json lists what there is`,
      );
    });
    app.setErrorHandler((error, request, reply) => this.#fail(error, request, reply));
    for (const [path, file] of this.options.page.files) {
      app.get(path, (request, reply) => {
        reply.header("etag", file.etag).header("cache-control", "no-cache");
        if (request.headers["if-none-match"] === file.etag) return reply.code(304).send();
        return reply.type(file.type).send(file.bytes);
      });
    }
    for (const [name, route] of Object.entries(ROUTES)) {
      if (name !== "live") this.#route(name as Name, route);
    }
    app.get(ROUTES.live.path, (request, reply) => this.#follow(request, reply));
  }

  #route(name: Name, { method, path, query, body, accepted, reply: schema, plain }: Route): void {
    const handler = this.options.handlers[name];
    this.app.route({
      ...{ method, url: path },
      handler: async (request, reply) => {
        const given = { ...parsed(query, request.query, "query"), ...parsed(body, request.body, "body") };
        const insider = this.#insiders.has(request);
        const content = await handler(given as never, insider);
        reply.code(accepted ? 202 : 200).header("cache-control", "no-store");
        if (typeof content === "string" && "mediaType" in schema) return reply.type(schema.mediaType).send(content);
        if (insider || plain) return reply.send(content);
        return reply.type("application/json; charset=utf-8").send(JSON.stringify(content, publicly));
      },
    });
  }

  #follow(request: FastifyRequest, reply: FastifyReply): void {
    const { raw } = reply;
    const viewer: Viewer = {
      write: (text) => void raw.write(text),
      get waitingBytes() {
        return raw.writableLength;
      },
      end: () => raw.destroy(),
    };
    const { live } = this.options;
    reply.hijack();
    const headers = { ...this.#headers(), "cache-control": "no-store", "x-accel-buffering": "no" };
    request.raw.socket.setNoDelay(true);
    raw.writeHead(200, { ...headers, "content-type": "text/event-stream; charset=utf-8" });
    raw.write(`retry: ${RETRY_MS}\n\n`);
    raw.on("error", () => {}); // Its close says all.
    raw.on("close", () => live.leave(viewer));
    if (!live.join(viewer)) raw.end(); // The browser tries again.
  }

  #headers(): Record<string, string> {
    return {
      "content-security-policy": this.options.page.policy,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
      "cross-origin-opener-policy": "same-origin",
    };
  }

  #refuse(refusal: Refusal | undefined): void {
    if (!refusal) return;
    this.options.metrics.count("dashboard.refused", 1, { why: refusal.why });
    throw new HttpProblem(refusal.status, refusal.error);
  }

  /** T3 */
  #fail(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const known = error instanceof HttpProblem ? error : fromFastify(error);
    if (!known) this.options.log.error({ err: error }, "a request failed for a reason that nobody foresaw");
    const { status, message } = known ?? { status: 500, message: "the dashboard failed; its log says why" };
    const told = this.#insiders.has(request) ? message : publicText(message);
    return reply.code(status).type("application/json; charset=utf-8").send({ error: told });
  }
}

/** @throws {HttpProblem} 400 naming what is wrong. */
function parsed(schema: z.ZodObject | undefined, given: unknown, where: "query" | "body"): object {
  if (!schema) return {};
  const result = schema.safeParse(given ?? {});
  if (result.success) return result.data;
  const wrong = result.error.issues.map(({ path, message }) => [path.join(".") || where, message].join(": "));
  throw new HttpProblem(400, wrong.join("; "));
}

/** What fastify refuses by itself: a body too large, or no JSON. */
function fromFastify(error: unknown): HttpProblem | undefined {
  const { statusCode = 500, message } = error as Partial<FastifyError>;
  if (statusCode < 400 || statusCode >= 500) return undefined;
  const hint = statusCode === 413 ? `: at most ${BODY_BYTES_MAX} bytes are read` : "";
  return new HttpProblem(statusCode, `${message}${hint}`);
}
