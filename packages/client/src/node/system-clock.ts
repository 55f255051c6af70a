import { randomFillSync } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Clock, Random } from '../clock.ts';

/** The time of this machine. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** The same, with timers that do not keep the process running. */
export const backgroundClock: Clock = {
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

const word = new Uint32Array(1);

/** The randomness of this machine. */
export const systemRandom: Random = {
  uint32: () => randomFillSync(word)[0] as number,
};
