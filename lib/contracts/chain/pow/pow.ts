// A proof-of-work function: one small module each, chosen by the coin's configuration.

export interface ProofOfWork {
  /** Header (80 bytes) -> 32 bytes, internal order. Blocks the thread: for tests, single checks and cheap functions. */
  hash(header: Uint8Array): Uint8Array;
  /** The same off the event loop where the function is dear (scrypt takes about 0.2 ms); at once where it is cheap. */
  hashSoon(header: Uint8Array): Promise<Uint8Array> | Uint8Array;
}
