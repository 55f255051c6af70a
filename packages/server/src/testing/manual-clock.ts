import type { Clock, Timer } from '../clock.ts';

interface Waiting {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Time for tests: it stands still until it is told to go on. */
export class ManualClock implements Clock {
  #nowMs: number;
  #order = 0;
  #timers: Waiting[] = [];
  #soon: (() => void)[] = [];

  constructor(startMs = 1_000) {
    this.#nowMs = startMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_767_225_600_000 + this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    this.#order += 1;
    const waiting: Waiting = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order,
      callback,
    };
    this.#timers.push(waiting);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((timer) => timer !== waiting);
      },
    };
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  /** Timers that have not fired. */
  get timers(): number {
    return this.#timers.length;
  }

  /** Runs what was put off to the next turn; what that puts off waits for the next call. */
  turn(): boolean {
    const callbacks = this.#soon;
    this.#soon = [];
    for (const callback of callbacks) callback();
    return callbacks.length > 0;
  }

  /** Lets turns and promises go on until nothing happens any more without time passing. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 8;) {
      quiet = this.turn() ? 0 : quiet + 1;
      await Promise.resolve();
    }
  }

  /** Lets time pass, timer by timer, and settles after each. */
  async pass(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    for (;;) {
      await this.settle();
      const next = this.#next(untilMs);
      if (next === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#timers = this.#timers.filter((timer) => timer !== next);
      next.callback();
    }
    this.#nowMs = untilMs;
    await this.settle();
  }

  #next(untilMs: number): Waiting | undefined {
    let next: Waiting | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs > untilMs) continue;
      if (
        next === undefined ||
        timer.atMs < next.atMs ||
        (timer.atMs === next.atMs && timer.order < next.order)
      ) {
        next = timer;
      }
    }
    return next;
  }
}
