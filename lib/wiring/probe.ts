// Probe: what a process tells of itself over HTTP, for whoever watches processes: an orchestrator, Prometheus, a person with curl.
//
//   GET /healthz   200 while the event loop turns: restart the process when it does not answer
//   GET /readyz    200 when everything hosted here is ready as discovery has it; else 503 with the reasons
//   GET /metrics   Prometheus' text format
//
//   Q1. Its address is in discovery (`http` of each instance's meta), so a port of its choice (0) can be found.
//   Q2. It reads nothing but the request line and answers nothing but these three: nobody can make it work.
//   Q3. A port that is taken costs a warning and another port, never the process: several instances share one configuration.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Log } from "./house.js";
import type { ProbeSettings } from "./house-settings.js";
import type { Prometheus } from "./metrics/prometheus.js";

/** A probe asks and goes; these are more than any number of them needs. */
const CONNECTIONS_MAX = 64;
const REQUEST_MS = 5_000;
const HEADER_BYTES_MAX = 8_192;

export interface ProbeOptions extends Pick<ProbeSettings, "host" | "port"> {
  readonly prometheus: Prometheus;
  /** Why this process is not ready; empty: it is. */
  unready(): readonly string[];
  readonly log: Log;
}

export class Probe {
  private constructor(
    private readonly server: Server,
    private readonly host: string,
  ) {}

  /** @throws {Error} when the address is not one of this machine. */
  static async open(options: ProbeOptions): Promise<Probe> {
    const server = createServer(
      { maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: REQUEST_MS },
      (request, response) => {
        request.resume(); // Q2
        answer(options, request, response).catch((error: unknown) => {
          options.log.warn({ err: error }, "a probe was not answered");
          response.destroy();
        });
      },
    );
    server.maxConnections = CONNECTIONS_MAX;
    await listen(server, options);
    return new Probe(server, options.host);
  }

  /** `http://127.0.0.1:40123` */
  get url(): string {
    const address = this.server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    return `http://${this.host.includes(":") ? `[${this.host}]` : this.host}:${port}`;
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }
}

/** Q3 */
async function listen(server: Server, { host, port, log }: ProbeOptions): Promise<void> {
  try {
    await once(server.listen(port, host), "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") {
      throw new Error(`cannot listen on ${host} for probes: give an address of this machine as probe.host`, {
        cause: error,
      });
    }
    log.warn({ host, port }, "the probe's port is taken: another one is used, discovery has it");
    await once(server.listen(0, host), "listening");
  }
}

async function answer(options: ProbeOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url?.split("?")[0];
  const { prometheus } = options;
  const json = (status: number, content: object) => {
    response.writeHead(status, { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" });
    response.end(request.method === "HEAD" ? "" : `${JSON.stringify(content)}\n`);
  };
  if (request.method !== "GET" && request.method !== "HEAD") return json(405, { error: "only GET is answered here" });
  if (path === "/healthz") return json(200, { status: "alive" });
  if (path === "/readyz") {
    const reasons = options.unready();
    return reasons.length === 0 ? json(200, { status: "ready" }) : json(503, { status: "not ready", reasons });
  }
  if (path !== "/metrics") return json(404, { error: "there are /healthz, /readyz and /metrics" });
  const text = await prometheus.text();
  response.writeHead(200, { "content-type": prometheus.contentType, "cache-control": "no-store" });
  response.end(request.method === "HEAD" ? "" : text);
}
