import { describe, expect, it } from 'vitest';
import { CRASH_POINTS, generatePlan, runPlan, SOMETIMES } from '../src/index.ts';

/** Of profile `edges`; the first of them are enough on most days. */
const SEEDS = 80;
/** Of profile `auth`: those that come first. One of them sees even what is rare. */
const AUTH_SEEDS = [9, 11];

describe('what must happen now and then', { timeout: 240_000 }, () => {
  it('does happen over a few seeds', async () => {
    // That members end at every point has a test of its own: `crash-points.test.ts`.
    const ends = new Set(CRASH_POINTS.map((point) => `a member ends at ${point}`));
    const missing = new Set(SOMETIMES.filter((name) => !ends.has(name)));
    const plans = [
      ...AUTH_SEEDS.map((seed) => ({ seed, profile: 'auth' })),
      ...Array.from({ length: SEEDS }, (_, seed) => ({ seed, profile: 'edges' })),
    ];
    for (const { seed, profile } of plans) {
      if (missing.size === 0) break;
      const { violations, sometimes } = await runPlan(generatePlan(seed, profile));
      expect(violations).toEqual([]);
      for (const name of Object.keys(sometimes)) missing.delete(name);
    }
    expect([...missing]).toEqual([]);
  });
});
