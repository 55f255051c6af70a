/** Pings in excess that are forgiven; the next one ends the connection (grpc-go, maxPingStrikes). */
export const MAX_PING_STRIKES = 2;

/** Least time between pings of a client that has no call open (grpc-go, defaultPingTimeout). */
export const IDLE_PING_INTERVAL_MS = 7_200_000;

/**
 * Which pings of a client are too many, as grpc-go's keepalive enforcement has it.
 *
 * A ping that comes sooner than allowed is a strike; whatever the server sends in between forgives all strikes.
 */
export class PingPolicy {
  readonly #minIntervalMs: number;
  #lastPingMs = Number.NEGATIVE_INFINITY;
  #strikes = 0;

  /** @param minIntervalMs Least time between pings while calls are open. etcd --grpc-keepalive-min-time. */
  constructor(minIntervalMs: number) {
    this.#minIntervalMs = minIntervalMs;
  }

  /** Counts a ping. False: the client has to go. */
  allows(nowMs: number, hasCalls: boolean): boolean {
    const minIntervalMs = hasCalls ? this.#minIntervalMs : IDLE_PING_INTERVAL_MS;
    if (nowMs - this.#lastPingMs < minIntervalMs) this.#strikes++;
    this.#lastPingMs = nowMs;
    return this.#strikes <= MAX_PING_STRIKES;
  }

  /** The server has sent headers or data. */
  forgive(): void {
    this.#strikes = 0;
    this.#lastPingMs = Number.NEGATIVE_INFINITY;
  }
}
