import { describe, expect, it } from 'vitest';
import { drawChange } from '../src/cluster/tenants.ts';
import { generatePlan } from '../src/plan/generate.ts';
import { RandomStream } from '../src/world/random.ts';

const DRAWS = 1_000;

/** The kinds of permission that an operator gives to tenants, in many changes. */
function given(halfRights: boolean): readonly number[] {
  const random = new RandomStream(1, 'tenants');
  const types = new Set<number>();
  for (let i = 0; i < DRAWS; i++) {
    const [method, request] = drawChange(random, halfRights);
    if (method !== 'etcdserverpb.Auth/RoleGrantPermission') continue;
    if (request.perm !== undefined) types.add(request.perm.permType);
  }
  return [...types].sort((a, b) => a - b);
}

describe('the rights of tenants', () => {
  it('are to read and to write at once, unless a plan gives them by halves', () => {
    expect(given(false)).toEqual([2]);
    expect(given(true)).toEqual([0, 1, 2]);
  });

  it('are given by halves in about half of the runs of profile auth, and in no other', () => {
    const halves = (profile: string): number => {
      let count = 0;
      for (let seed = 0; seed < 100; seed++) {
        if (generatePlan(seed, profile).halfRights === true) count++;
      }
      return count;
    };
    expect(halves('auth')).toBeGreaterThan(25);
    expect(halves('auth')).toBeLessThan(75);
    expect(halves('default')).toBe(0);
  });
});
