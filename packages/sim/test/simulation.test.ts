import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { generatePlan, parsePlan, PROFILES, runPlan } from '../src/index.ts';

const found = async (seed: number, profile: string): Promise<string[]> => {
  const { violations } = await runPlan(generatePlan(seed, profile));
  return violations.map((each) => `${each.invariant}: ${each.message}`);
};

// A run takes as long as the machine lets it; how long says nothing about the run.
const timeout = 120_000;

describe('the cluster under simulation', { timeout }, () => {
  const profiles = Object.keys(PROFILES).filter((name) => name !== 'busy');
  const seeds = profiles.flatMap((profile) => [1, 2].map((seed) => ({ profile, seed })));
  it.each(seeds)(
    'holds every invariant in profile $profile, seed $seed',
    async ({ profile, seed }) => {
      expect(await found(seed, profile)).toEqual([]);
    },
  );

  it('runs the same way twice in one process and once in another', async () => {
    const plan = generatePlan(7);
    const first = await runPlan(plan);
    expect((await runPlan(plan)).digest).toBe(first.digest);
    const script = fileURLToPath(new URL('fixtures/run-seed.ts', import.meta.url));
    const tsx = createRequire(import.meta.url).resolve('tsx');
    const args = [
      '--conditions=@etcd-ts/source',
      '--import',
      `file://${tsx}`,
      script,
      '7',
      'default',
    ];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, TZ: 'Asia/Tokyo' },
    });
    expect(stdout.trim()).toBe(first.digest);
  });

  it('runs another way for another seed', async () => {
    const [a, b] = [await runPlan(generatePlan(7)), await runPlan(generatePlan(8))];
    expect(a.digest).not.toBe(b.digest);
  });
});

describe('what the simulator once found', { timeout }, () => {
  const folder = new URL('../incidents/', import.meta.url);
  const plans = readdirSync(folder).filter((name) => name.endsWith('.json'));
  it.each(plans)('stays mended: %s', async (name) => {
    const plan = parsePlan(readFileSync(new URL(name, folder), 'utf8'));
    const { violations } = await runPlan(plan);
    expect(violations).toEqual([]);
  });
});
