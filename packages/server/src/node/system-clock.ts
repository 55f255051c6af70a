import { performance } from 'node:perf_hooks';
import { randomBytes } from 'node:crypto';
import { MAX_TIMER_MS } from '@etcd-ts/protocol';
import type { Clock, Random, Timer } from '../clock.ts';

/** The clock of the machine. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs: number, callback: () => void): Timer => {
    let handle: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      const next = leftMs > MAX_TIMER_MS ? () => wait(leftMs - MAX_TIMER_MS) : callback;
      handle = setTimeout(next, Math.min(leftMs, MAX_TIMER_MS));
    };
    wait(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  soon: (callback: () => void): void => {
    setImmediate(callback);
  },
};

/** Random numbers of the machine. */
export const systemRandom: Random = {
  uint32: () => randomBytes(4).readUInt32LE(),
  bytes: (length: number) => new Uint8Array(randomBytes(length)),
};
