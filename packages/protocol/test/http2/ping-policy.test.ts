import { describe, expect, test } from 'vitest';
import {
  IDLE_PING_INTERVAL_MS,
  MAX_PING_STRIKES,
  PingPolicy,
} from '../../src/http2/ping-policy.ts';

describe('pings', () => {
  test('at the least interval are always allowed', () => {
    const policy = new PingPolicy(5_000);
    for (let i = 0; i < 50; i++) expect(policy.allows(i * 5_000, true)).toBe(true);
  });

  test('sooner than that are forgiven a few times, then no more', () => {
    const policy = new PingPolicy(5_000);
    expect(policy.allows(0, true)).toBe(true);
    for (let i = 1; i <= MAX_PING_STRIKES; i++) expect(policy.allows(i, true)).toBe(true);
    expect(policy.allows(9, true)).toBe(false);
  });

  test('are forgiven as soon as the server has said something', () => {
    const policy = new PingPolicy(5_000);
    for (let i = 0; i < 100; i++) {
      policy.allows(i, true);
      policy.forgive();
    }
    expect(policy.allows(101, true)).toBe(true);
  });

  test('without calls may come every two hours', () => {
    const policy = new PingPolicy(5_000);
    expect(policy.allows(0, false)).toBe(true);
    expect(policy.allows(IDLE_PING_INTERVAL_MS, false)).toBe(true);
    const eager = new PingPolicy(5_000);
    const answers = [0, 10_000, 20_000, 30_000].map((nowMs) => eager.allows(nowMs, false));
    expect(answers).toEqual([true, true, true, false]);
  });
});
