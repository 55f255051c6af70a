/** A timer that has not fired yet. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/** Time as a client sees it. The real one is in `@etcd-ts/client/node`; a node's clock fits too. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  monotonicMs(): number;
  /** Runs `callback` once, not before `delayMs` from now. */
  after(delayMs: number, callback: () => void): Timer;
}

/** Randomness as a client sees it: for spreading retries, not for secrets. */
export interface Random {
  /** A uniform unsigned 32-bit integer. */
  uint32(): number;
}
