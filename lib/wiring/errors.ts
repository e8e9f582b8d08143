// Failures that a program can tell apart: one class, a closed list of codes.
//
//   E1. `sent` answers the only question a retry asks: may the far side have run it? False is a guarantee.
//   E2. `retryable` says that the same call to another instance, or later, may succeed.
//
// The code stands first in the message, so that it is found in a log; the origin stands in `cause`.

const CODES = {
  /** No live instance of the service is known. */
  NO_INSTANCE: { sent: false, retryable: true },
  /** Instances are there, and they and this process do not know the same secret of the installation (wiring.secretFile). */
  UNAUTHENTICATED: { sent: false, retryable: true },
  /** A bounded queue, ours or the far side's, is full: the request was refused before it ran. */
  OVERLOADED: { sent: false, retryable: true },
  /** The far side drains and takes nothing new. */
  DRAINING: { sent: false, retryable: true },
  /** The circuit breaker around this service is open. */
  BROKEN: { sent: false, retryable: true },
  /** The deadline passed before the request was sent, or before the far side began to run it. */
  EXPIRED: { sent: false, retryable: false },
  /** The request does not fit its schema: a bug of the caller's. */
  INVALID_REQUEST: { sent: false, retryable: false },
  /** The far side's contract has no such method: versions differ. */
  NO_METHOD: { sent: false, retryable: true },
  /** This client, or nexus, is closed. */
  CLOSED: { sent: false, retryable: false },
  /** The caller aborted; the far side may have begun. */
  CANCELLED: { sent: true, retryable: false },
  /** No reply before the deadline. */
  TIMEOUT: { sent: true, retryable: true },
  /** The peer's socket died with the call in flight. */
  DISCONNECTED: { sent: true, retryable: true },
  /** The far side's handler threw. */
  REMOTE: { sent: true, retryable: false },
  /** The far side cannot do it now because something it needs is away (its database); it may have done a part. */
  UNAVAILABLE: { sent: true, retryable: true },
  /** The reply does not fit its schema: versions differ, or a bug of the far side's. */
  INVALID_REPLY: { sent: true, retryable: false },
} as const;

export type WiringErrorCode = keyof typeof CODES;

export const WIRING_ERROR_CODES = Object.keys(CODES) as readonly WiringErrorCode[];

export class WiringError extends Error {
  override readonly name = "WiringError";

  constructor(
    readonly code: WiringErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`[${code}] ${message}`, options);
  }

  /** False: the far side has not run the request and never will, so any retry is safe. */
  get sent(): boolean {
    return CODES[this.code].sent;
  }

  /** True: the same call to another instance, or later, may succeed. Safe only if `!sent` or the method is idempotent. */
  get retryable(): boolean {
    return CODES[this.code].retryable;
  }
}
