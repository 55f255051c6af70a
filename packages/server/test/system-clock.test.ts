import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MAX_TIMER_MS } from '@etcd-ts/protocol';
import { systemClock } from '../src/node/system-clock.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a time that is longer than timers go passes once, when it is over, or not at all', () => {
  let passed = 0;
  systemClock.after(2 * MAX_TIMER_MS + 10, () => (passed += 1));
  const cancelled = systemClock.after(2 * MAX_TIMER_MS, () => (passed += 10));
  vi.advanceTimersByTime(MAX_TIMER_MS + 1);
  cancelled.cancel();
  vi.advanceTimersByTime(MAX_TIMER_MS);
  expect(passed).toBe(0);
  vi.advanceTimersByTime(MAX_TIMER_MS);
  expect(passed).toBe(1);
});
