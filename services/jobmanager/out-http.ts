// One HTTP POST with a deadline and a bounded answer: the ground that out-rpc stands on.

import * as http from "node:http";
import * as https from "node:https";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";

export interface Post {
  readonly url: URL;
  readonly agent: http.Agent;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Milliseconds until the whole answer must be here. 0: no limit. */
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * unreachable: no connection, or it broke. stale: a kept connection had been closed before it was used, the far side saw
 * nothing. timeout and oversize: a bound of the request was passed.
 */
export type PostFailureKind = "unreachable" | "stale" | "timeout" | "oversize";

export class PostFailure extends Error {
  override readonly name = "PostFailure";
  constructor(
    readonly kind: PostFailureKind,
    options?: ErrorOptions & { message?: string },
  ) {
    super(options?.message ?? kind, options);
  }
}

/** @throws {PostFailure}, or the signal's reason when it was aborted. */
export function post(it: Post): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = (it.url.protocol === "https:" ? https : http).request(it.url, {
      method: "POST",
      agent: it.agent,
      headers: { ...it.headers, "accept-encoding": "identity", "content-length": Buffer.byteLength(it.body) },
      ...(it.signal ? { signal: it.signal } : {}),
    });
    const settle = (outcome: Answer | Error): void => {
      clearTimeout(timer);
      if (!(outcome instanceof Error)) {
        resolve(outcome);
        return;
      }
      reject(outcome);
      request.destroy();
    };
    const timer = it.timeoutMs > 0 ? setTimeout(() => settle(new PostFailure("timeout")), it.timeoutMs) : undefined;
    const broke = (error: NodeJS.ErrnoException): void =>
      settle(it.signal?.aborted ? aborted(it.signal) : failure(error, request));
    request.on("error", broke);
    request.on("response", (response) => {
      response.on("error", broke);
      collect(response, it.answerBytesMax, settle);
    });
    request.end(it.body);
  });
}

function collect(response: http.IncomingMessage, bytesMax: number, settle: (outcome: Answer | Error) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) return settle(new PostFailure("oversize"));
    chunks.push(chunk);
  });
  response.on("end", () => {
    unpack(Buffer.concat(chunks), response.headers["content-encoding"], bytesMax).then(
      (body) => settle({ status: response.statusCode ?? 0, body: body.toString("utf8") }),
      (error: NodeJS.ErrnoException) =>
        settle(
          new PostFailure(error.code === TOO_LARGE ? "oversize" : "unreachable", {
            message: error.message,
            cause: error,
          }),
        ),
    );
  });
}

const TOO_LARGE = "ERR_BUFFER_TOO_LARGE";
/** We ask for none of them; a proxy may compress all the same. */
const UNPACKERS: Readonly<Record<string, (data: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>>> = {
  gzip: promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip),
  "x-gzip": promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip),
  deflate: promisify<Buffer, { maxOutputLength: number }, Buffer>(inflate),
  br: promisify<Buffer, { maxOutputLength: number }, Buffer>(brotliDecompress),
};

async function unpack(data: Buffer, encoding: string | undefined, maxOutputLength: number): Promise<Buffer> {
  const unpacker = UNPACKERS[encoding?.trim().toLowerCase() ?? ""];
  return unpacker ? unpacker(data, { maxOutputLength }) : data;
}

function failure(error: NodeJS.ErrnoException, request: http.ClientRequest): PostFailure {
  const stale = request.reusedSocket && error.code === "ECONNRESET";
  // A host with several addresses fails with an AggregateError whose message is empty.
  return new PostFailure(stale ? "stale" : "unreachable", {
    message: error.message || (error.code ?? "failed"),
    cause: error,
  });
}

const aborted = (signal: AbortSignal): Error =>
  signal.reason instanceof Error ? signal.reason : new Error("aborted", { cause: signal.reason });
