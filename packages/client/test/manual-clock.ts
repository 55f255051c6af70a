import type { Clock, Random, Timer } from '../src/index.ts';

/** Lets everything run that waits for promises alone. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => void setImmediate(resolve));
}

/** Time that passes when it is told to. */
export class ManualClock implements Clock {
  #nowMs = 0;
  #timers: { atMs: number; callback: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  /** Timers that wait. */
  get timerCount(): number {
    return this.#timers.length;
  }

  /** Lets time pass, fires what is due in order, and lets what follows from each run. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const due = this.#timers
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.callback();
      await settle();
    }
    this.#nowMs = endMs;
  }
}

/** Time that passes by itself, at once: every timer fires in the next turn. */
export class EagerClock implements Clock {
  #nowMs = 0;

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const atMs = this.#nowMs + delayMs;
    const immediate = setImmediate(() => {
      this.#nowMs = Math.max(this.#nowMs, atMs);
      callback();
    });
    return { cancel: () => clearImmediate(immediate) };
  }
}

/** Always the middle. */
export const evenRandom: Random = { uint32: () => 2 ** 31 };
