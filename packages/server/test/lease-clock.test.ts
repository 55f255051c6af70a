import { describe, expect, test } from 'vitest';
import { LEASE_CHECKPOINT_INTERVAL_MS } from '../src/options/request-options.ts';
import { LeaseClock, type Renewal, REVOKE_RETRY_MS } from '../src/lease/lease-clock.ts';
import { Lessor } from '../src/lease/lessor.ts';

const outdatedOf = (renewal: Renewal): number | undefined =>
  renewal.outcome === 'renewed' ? renewal.outdated : undefined;

const LIMITS = { maxLeases: 500, maxKeys: 1000 };

function leaderAt(startMs: number) {
  const lessor = new Lessor();
  const time = { nowMs: startMs };
  const promote = () =>
    new LeaseClock(lessor, {
      nowMs: () => time.nowMs,
      extensionMs: 1000,
      checkpointIntervalMs: LEASE_CHECKPOINT_INTERVAL_MS,
    });
  return { lessor, time, promote };
}

describe('LeaseClock', () => {
  test('a lease ends its granted TTL after the grant, and not a millisecond earlier', () => {
    const { lessor, promote } = leaderAt(0);
    const clock = promote();
    lessor.grant(7n, 5, 1);
    expect(clock.nextAtMs()).toBe(5000);
    expect(clock.takeExpired(4999, LIMITS)).toEqual([]);
    expect(clock.takeExpired(5000, LIMITS)).toEqual([7n]);
  });

  test('a renewal gives the whole TTL again', () => {
    const { lessor, promote } = leaderAt(0);
    const clock = promote();
    lessor.grant(7n, 5, 1);
    expect(clock.renew(7n, 4000)).toEqual({
      outcome: 'renewed',
      lease: lessor.get(7n),
      outdated: undefined,
    });
    expect(clock.takeExpired(8999, LIMITS)).toEqual([]);
    expect(clock.takeExpired(9000, LIMITS)).toEqual([7n]);
  });

  test('a lease past its time is not renewed, whether its revoke was proposed or not', () => {
    const { lessor, promote } = leaderAt(0);
    const clock = promote();
    lessor.grant(7n, 5, 1);
    expect(clock.renew(7n, 5000)).toEqual({ outcome: 'expired' });
    clock.takeExpired(5000, LIMITS);
    expect(clock.renew(7n, 5001)).toEqual({ outcome: 'expired' });
    lessor.revoke(7n);
    expect(clock.renew(7n, 5002)).toEqual({ outcome: 'absent' });
  });

  test('a promotion gives every lease its whole TTL plus the election timeout', () => {
    const { lessor, time, promote } = leaderAt(0);
    lessor.grant(7n, 5, 1);
    time.nowMs = 100_000;
    const clock = promote();
    expect(clock.takeExpired(105_999, LIMITS)).toEqual([]);
    expect(clock.takeExpired(106_000, LIMITS)).toEqual([7n]);
  });

  test('a promotion gives a checkpointed lease what was left, plus the election timeout', () => {
    const { lessor, promote } = leaderAt(0);
    lessor.grant(7n, 1000, 1);
    lessor.checkpoint(7n, 30);
    const clock = promote();
    expect(clock.nextAtMs()).toBe(31_000);
  });

  test('a demoted leader finds no lease past its time', () => {
    const { lessor, promote } = leaderAt(0);
    lessor.grant(7n, 5, 1);
    const clock = promote();
    clock.close();
    lessor.grant(8n, 5, 1);
    expect(clock.takeExpired(1e9, LIMITS)).toEqual([]);
    expect(clock.nextAtMs()).toBeUndefined();
  });

  test('a revoke without effect is due again after the retry interval', () => {
    const { lessor, promote } = leaderAt(0);
    const clock = promote();
    lessor.grant(7n, 5, 1);
    clock.takeExpired(5000, LIMITS);
    expect(clock.nextAtMs()).toBe(5000 + REVOKE_RETRY_MS);
    expect(clock.takeExpired(5000 + REVOKE_RETRY_MS - 1, LIMITS)).toEqual([]);
    expect(clock.takeExpired(5000 + REVOKE_RETRY_MS, LIMITS)).toEqual([7n]);
  });

  test('a batch holds no more leases than its limit, and the rest stays due', () => {
    const { lessor, promote } = leaderAt(0);
    const clock = promote();
    for (let id = 1n; id <= 5n; id++) lessor.grant(id, 5, 1);
    expect(clock.takeExpired(5000, { maxLeases: 2, maxKeys: 1000 })).toEqual([1n, 2n]);
    expect(clock.takeExpired(5000, { maxLeases: 2, maxKeys: 1000 })).toEqual([3n, 4n]);
    expect(clock.takeExpired(5000, { maxLeases: 2, maxKeys: 1000 })).toEqual([5n]);
  });

  test('a batch stops before the lease whose keys would exceed its limit, but always takes one', () => {
    const { lessor, promote } = leaderAt(0);
    const clock = promote();
    for (let id = 1n; id <= 3n; id++) {
      lessor.grant(id, 5, 1);
      for (let key = 0; key < 4; key++) lessor.attach(id, `${id}/${key}`);
    }
    expect(clock.takeExpired(5000, { maxLeases: 500, maxKeys: 8 })).toEqual([1n, 2n]);
    expect(clock.takeExpired(5000, { maxLeases: 500, maxKeys: 3 })).toEqual([3n]);
  });

  test('a long lease is checkpointed every interval with what is left, rounded up', () => {
    const { lessor, promote } = leaderAt(0);
    const clock = promote();
    lessor.grant(7n, 3600, 1);
    expect(clock.takeCheckpoints(LEASE_CHECKPOINT_INTERVAL_MS - 1, 100)).toEqual([]);
    expect(clock.takeCheckpoints(LEASE_CHECKPOINT_INTERVAL_MS + 1, 100)).toEqual([
      { id: 7n, remainingTtlSeconds: 3300 },
    ]);
    expect(clock.takeCheckpoints(LEASE_CHECKPOINT_INTERVAL_MS + 2, 100)).toEqual([]);
    expect(clock.takeCheckpoints(2 * LEASE_CHECKPOINT_INTERVAL_MS + 1, 100)).toHaveLength(1);
  });

  test('a renewal tells of a checkpoint that has not come through yet, until it is taken back', () => {
    const { lessor, promote } = leaderAt(0);
    const clock = promote();
    lessor.grant(7n, 3_600, 1);
    const firstMs = LEASE_CHECKPOINT_INTERVAL_MS + 1;
    expect(clock.takeCheckpoints(firstMs, 100)).toHaveLength(1);
    const first = outdatedOf(clock.renew(7n, firstMs));
    expect(first).toBeDefined();
    // It was not taken back: the next renewal has to try again.
    expect(outdatedOf(clock.renew(7n, firstMs))).toBe(first);
    clock.forgot(7n, first as number);
    expect(outdatedOf(clock.renew(7n, firstMs))).toBeUndefined();
  });

  test('taking a checkpoint back leaves one that was taken since', () => {
    const { lessor, promote } = leaderAt(0);
    const clock = promote();
    lessor.grant(7n, 3_600, 1);
    const firstMs = LEASE_CHECKPOINT_INTERVAL_MS + 1;
    clock.takeCheckpoints(firstMs, 100);
    const first = outdatedOf(clock.renew(7n, firstMs));
    const secondMs = firstMs + LEASE_CHECKPOINT_INTERVAL_MS;
    expect(clock.takeCheckpoints(secondMs, 100)).toHaveLength(1);
    clock.forgot(7n, first as number);
    expect(outdatedOf(clock.renew(7n, secondMs))).toBeDefined();
  });

  test('a lease no longer than the interval is never checkpointed', () => {
    const { lessor, promote } = leaderAt(0);
    const clock = promote();
    lessor.grant(7n, LEASE_CHECKPOINT_INTERVAL_MS / 1000, 1);
    expect(clock.takeCheckpoints(LEASE_CHECKPOINT_INTERVAL_MS * 2, 100)).toEqual([]);
  });

  test('the remaining time is whole until it is over, then zero', () => {
    const { lessor, promote } = leaderAt(0);
    const clock = promote();
    lessor.grant(7n, 5, 1);
    expect(clock.remainingMs(7n, 4400)).toBe(600);
    expect(clock.remainingMs(7n, 9000)).toBe(0);
    clock.takeExpired(9000, LIMITS);
    expect(clock.remainingMs(7n, 9000)).toBe(0);
    expect(clock.remainingMs(8n, 9000)).toBeUndefined();
  });
});
