import { describe, expect, it } from 'vitest';
import { CRASH_POINTS, type CrashPoint, generatePlan, type Plan, runPlan } from '../src/index.ts';

/** Passed while a member recovers, more than ever else. */
const RECOVERING: readonly CrashPoint[] = ['truncate', 'databaseOpened', 'databaseRemoved'];

/** Members that end at this point again and again, where snapshots, segments and batches are small. */
function planFor(point: CrashPoint, seed: number): Plan {
  const plan = generatePlan(seed, 'edges');
  const safetyMs = 4_000;
  const isRecovering = RECOVERING.includes(point);
  return {
    ...plan,
    safetyMs,
    knobs: {
      ...plan.knobs,
      electionTimeoutMs: 500,
      heartbeatIntervalMs: 50,
      snapshotCount: 5,
      snapshotCatchUpEntries: 2,
      backendBatchIntervalMs: 5,
      walSegmentBytes: 2_048,
      maxWals: 1,
    },
    clients: plan.clients.map((client, i) => ({
      ...client,
      steps: client.steps
        .filter((step) => step.atMs < safetyMs)
        .map((step, at) =>
          i === 0 && at % 4 === 0
            ? { atMs: step.atMs, do: 'compact', back: 3, physical: true }
            : step,
        ),
    })),
    faults: [1, 2, 3].flatMap((target) => [
      // Out of reach for a while, a member needs a snapshot afterwards.
      ...(target === 3 ? [{ atMs: 300, forMs: 1_200, kind: 'isolate', target } as const] : []),
      // The power goes in the middle of writes, so that there is something to recover.
      ...(isRecovering
        ? [{ atMs: 500 + 600 * target, forMs: 200, kind: 'powerLoss', targets: [target] } as const]
        : []),
      {
        atMs: 400 + 600 * target,
        forMs: 900,
        kind: 'crashAt',
        target,
        point,
        passes: isRecovering ? 0 : target - 1,
        losesPower: target !== 2,
      } as const,
    ]),
  };
}

describe('a member that ends at any point', { timeout: 120_000 }, () => {
  it.each(CRASH_POINTS)('comes back and has lost nothing: %s', async (point) => {
    let ends = 0;
    for (let seed = 1; seed <= 16 && ends === 0; seed++) {
      const { violations, sometimes } = await runPlan(planFor(point, seed));
      expect(violations).toEqual([]);
      ends += sometimes[`a member ends at ${point}`] ?? 0;
    }
    expect(ends).toBeGreaterThan(0);
  });
});
