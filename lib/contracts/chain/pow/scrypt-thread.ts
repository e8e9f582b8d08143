// scrypt-thread: hashes headers beside the event loop, four at a time. The body of a worker thread.
//
//   scrypt-threads.ts --headers, 80 bytes each--> [ PBKDF2, romix.ts, PBKDF2 ] --hashes, 32 bytes each--> scrypt-threads.ts

import { pbkdf2Sync } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { HASH_BYTES } from "../hash.js";
import { HEADER_BYTES } from "../header.js";
import { BLOCK_BYTES, LANES, openRomix } from "./romix.js";

const romix = openRomix();

function hashAll(headers: Uint8Array): Uint8Array {
  const count = headers.length / HEADER_BYTES;
  const hashes = new Uint8Array(count * HASH_BYTES);
  for (let from = 0; from < count; from += LANES) {
    const some = Array.from({ length: Math.min(LANES, count - from) }, (_, lane) => {
      const at = (from + lane) * HEADER_BYTES;
      return headers.subarray(at, at + HEADER_BYTES);
    });
    some.forEach((header, lane) => {
      romix.blocks.set(pbkdf2Sync(header, header, 1, BLOCK_BYTES, "sha256"), lane * BLOCK_BYTES);
    });
    romix.run(); // Lanes without a header do idle work.
    some.forEach((header, lane) => {
      const mixed = romix.blocks.subarray(lane * BLOCK_BYTES, (lane + 1) * BLOCK_BYTES);
      hashes.set(pbkdf2Sync(header, mixed, 1, HASH_BYTES, "sha256"), (from + lane) * HASH_BYTES);
    });
  }
  return hashes;
}

parentPort?.on("message", (headers: Uint8Array) => {
  const hashes = hashAll(headers);
  parentPort?.postMessage(hashes, [hashes.buffer as ArrayBuffer]);
});
parentPort?.postMessage("here");
