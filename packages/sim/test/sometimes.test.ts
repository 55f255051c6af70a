import { describe, expect, it } from 'vitest';
import { CRASH_POINTS, generatePlan, runPlan, SOMETIMES } from '../src/index.ts';

/** Of profile `edges`; the first of them are enough on most days. */
const SEEDS = 80;
/** Go before the others, since they show what is rare. */
const FIRST: readonly (readonly [profile: string, seed: number])[] = [
  // A watch outlives its right.
  ['auth', 20],
  // What a deposed leader took for expired is left alone; a leader tells of a lease that it took over from a checkpoint.
  ['lease', 16],
];

describe('what must happen now and then', { timeout: 240_000 }, () => {
  it('does happen over a few seeds', async () => {
    // That members end at every point has a test of its own: `crash-points.test.ts`.
    const ends = new Set(CRASH_POINTS.map((point) => `a member ends at ${point}`));
    const missing = new Set(SOMETIMES.filter((name) => !ends.has(name)));
    const plans = [
      ...FIRST,
      ...Array.from({ length: SEEDS }, (_, seed) => ['edges', seed] as const),
    ];
    for (const [profile, seed] of plans) {
      if (missing.size === 0) break;
      const { violations, sometimes } = await runPlan(generatePlan(seed, profile));
      expect(violations).toEqual([]);
      for (const name of Object.keys(sometimes)) missing.delete(name);
    }
    expect([...missing]).toEqual([]);
  });
});
