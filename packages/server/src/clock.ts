/** A timer that has not fired yet. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as a node sees it. The real one is in `node/`, the simulator's runs on virtual time.
 *
 * Nothing in this package reads time in another way.
 */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. Leases and time-outs use this one. */
  monotonicMs(): number;
  /** Milliseconds since 1970; may jump. For logs and ids alone. */
  wallMs(): number;
  /** Runs `callback` once, not before `delayMs` from now. */
  after(delayMs: number, callback: () => void): Timer;
  /** Runs `callback` after the current turn of the event loop and the input that waits for it. */
  soon(callback: () => void): void;
}

/** Randomness as a node sees it. */
export interface Random {
  /** A uniform unsigned 32-bit integer. */
  uint32(): number;
  /** Uniform bytes; not for secrets in the simulator. */
  bytes(length: number): Uint8Array;
}
