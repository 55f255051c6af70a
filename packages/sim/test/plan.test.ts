import { describe, expect, it } from 'vitest';
import type { Violation } from '../src/checkers/violation.ts';
import { isAlike } from '../src/node/failure.ts';
import { generatePlan } from '../src/plan/generate.ts';
import { formatPlan, parsePlan, type Plan } from '../src/plan/plan.ts';
import { FAULT_KINDS } from '../src/plan/planned-fault.ts';
import { PROFILES } from '../src/plan/profile.ts';
import { shrinkPlan, sizeOf } from '../src/plan/shrink.ts';

describe('a plan', () => {
  it('is the same for the same seed and survives being written down', () => {
    for (const profile of Object.keys(PROFILES)) {
      for (let seed = 0; seed < 20; seed++) {
        const plan = generatePlan(seed, profile);
        expect(generatePlan(seed, profile)).toEqual(plan);
        expect(parsePlan(formatPlan(plan))).toEqual(plan);
      }
    }
  });

  it('holds every kind of fault and step over some seeds', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 300; seed++) {
      const plan = generatePlan(seed);
      for (const fault of plan.faults) seen.add(fault.kind);
      for (const client of plan.clients) for (const step of client.steps) seen.add(step.do);
    }
    const steps = Object.keys(PROFILES['default']!.steps);
    expect([...FAULT_KINDS, ...steps].filter((kind) => !seen.has(kind))).toEqual([]);
  });

  it('of another version is refused by its number', () => {
    const text = formatPlan(generatePlan(1)).replace('"version": 1', '"version": 99');
    expect(() => parsePlan(text)).toThrow('plan version is 99, this program reads 1');
    expect(() => parsePlan('{"version":1}')).toThrow('lacks');
  });
});

describe('the shrinker', () => {
  const kills = (plan: Plan): number => plan.faults.filter((each) => each.kind === 'kill').length;
  const puts = (plan: Plan): number =>
    plan.clients.flatMap((client) => client.steps).filter((step) => step.do === 'put').length;
  const seed = Array.from({ length: 2000 }, (_, i) => i).find((each) => {
    const plan = generatePlan(each);
    return plan.members === 5 && kills(plan) >= 2 && puts(plan) >= 40;
  })!;

  it('finds the two faults and three writes that a failure needs, on the fewest members', async () => {
    const result = await shrinkPlan(
      generatePlan(seed),
      async (plan) => kills(plan) >= 2 && puts(plan) >= 3 && plan.members >= 3,
    );
    const steps = result.plan.clients.flatMap((client) => client.steps);
    expect(result.plan.faults.map((each) => each.kind)).toEqual(['kill', 'kill']);
    expect(steps.map((step) => step.do)).toEqual(['put', 'put', 'put']);
    expect(result.plan.members).toBe(3);
    expect(result.plan.safetyMs).toBeLessThan(100);
  });

  it('leaves a lone member no fault that needs others', async () => {
    const faults: Plan['faults'] = [
      { atMs: 100, forMs: 100, kind: 'replace', target: 2, asLearner: false },
      { atMs: 200, forMs: 100, kind: 'kill', target: 2 },
    ];
    const result = await shrinkPlan({ ...generatePlan(seed), faults }, async (plan) =>
      plan.faults.some(({ kind }) => kind === 'replace'),
    );
    expect(result.plan.members).toBe(3);
    expect(result.plan.faults.map(({ kind }) => kind)).toEqual(['replace']);
  });

  it('takes no other failure for the one that it looks for', () => {
    const violation = (invariant: 'P1' | 'LV1', message: string): Violation => ({
      invariant,
      message,
      operations: [],
    });
    const ended = violation('P1', 'member 2 ended by itself: read at 4711 failed');
    expect(isAlike(ended, violation('P1', 'member 3 ended by itself: read at 12 failed'))).toBe(
      true,
    );
    expect(isAlike(ended, violation('P1', 'member 3 ended by itself: no room'))).toBe(false);
    expect(isAlike(ended, violation('LV1', ended.message))).toBe(false);
    expect(isAlike(violation('LV1', 'one'), violation('LV1', 'another'))).toBe(true);
    expect(isAlike(ended, undefined)).toBe(false);
  });

  it('gives back a plan that fails, however few runs it has', async () => {
    const fails = async (plan: Plan): Promise<boolean> => kills(plan) >= 1;
    const result = await shrinkPlan(generatePlan(seed), fails, 10);
    expect(result.runs).toBeLessThanOrEqual(10);
    expect(await fails(result.plan)).toBe(true);
    expect(sizeOf(result.plan)).toBeLessThanOrEqual(sizeOf(generatePlan(seed)));
  });
});
