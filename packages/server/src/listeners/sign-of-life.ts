import type { Clock, Timer } from '../clock.ts';

/** What silence leads to. */
export interface SilenceActions {
  /** Asks the other side for a sign of life. */
  readonly ask: () => void;
  /** It gave none: whatever is left of the connection goes. */
  readonly giveUp: () => void;
}

/**
 * Watches over a connection that may be dead without anybody having said so (grpc-go, keepalive.ServerParameters).
 *
 * One timer per connection, which looks when something was heard last; hearing something costs one reading of the clock.
 */
export class SignOfLife {
  readonly #clock: Clock;
  readonly #limits: { readonly intervalMs: number; readonly timeoutMs: number };
  readonly #actions: SilenceActions;
  #heardMs: number;
  #askedMs: number | undefined;
  #timer: Timer | undefined;

  constructor(
    clock: Clock,
    limits: { readonly intervalMs: number; readonly timeoutMs: number },
    actions: SilenceActions,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#actions = actions;
    this.#heardMs = clock.monotonicMs();
    if (limits.intervalMs > 0 && limits.timeoutMs > 0) this.#wait(limits.intervalMs);
  }

  /** Something came. */
  heard(): void {
    this.#heardMs = this.#clock.monotonicMs();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wait(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => this.#look());
  }

  #look(): void {
    const { intervalMs, timeoutMs } = this.#limits;
    const nowMs = this.#clock.monotonicMs();
    if (this.#askedMs !== undefined && this.#heardMs < this.#askedMs) {
      const leftMs = this.#askedMs + timeoutMs - nowMs;
      if (leftMs > 0) return this.#wait(Math.min(leftMs, intervalMs));
      return this.#actions.giveUp();
    }
    this.#askedMs = undefined;
    const leftMs = this.#heardMs + intervalMs - nowMs;
    if (leftMs > 0) return this.#wait(leftMs);
    this.#askedMs = nowMs;
    this.#actions.ask();
    // An answer may come long before the time is up, and the next interval may end before then.
    this.#wait(Math.min(timeoutMs, intervalMs));
  }
}
