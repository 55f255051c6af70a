import { expect, test } from 'vitest';
import { torture } from './torture/torture.ts';

test(
  'nothing is lost while members are killed, lose their databases and run out of disk',
  { timeout: 300_000 },
  async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const report = await torture({ seed, seconds: 45 });
    console.log(
      `seed ${seed}: ${report.kills} kills, ${report.acknowledged} writes acknowledged; again: npm run torture -- --seed ${seed} --seconds 45`,
    );
    expect(report.wrong.slice(0, 10)).toEqual([]);
    expect(report.kills).toBeGreaterThan(0);
  },
);
