import { expect, test } from 'vitest';
import { torture } from './harness/torture.ts';

test(
  'nothing acknowledged is lost while members die, alone and together, and lose their databases',
  { timeout: 180_000 },
  async () => {
    const result = await torture({ seconds: 20, seed: 20_261_120 });
    console.log(result);
    expect(result.wrong.slice(0, 10)).toEqual([]);
    expect(result.kills).toBeGreaterThan(5);
    expect(result.acknowledged).toBeGreaterThan(100);
  },
);
