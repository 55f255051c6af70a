/** The window of appends in flight against a plain list. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Inflights } from '../src/inflights.ts';

interface Append {
  readonly index: number;
  readonly bytes: number;
}

type Step =
  | { readonly do: 'add'; readonly gap: number; readonly bytes: number }
  | { readonly do: 'free'; readonly back: number }
  | { readonly do: 'reset' }
  | { readonly do: 'clone' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      gap: fc.integer({ min: 1, max: 3 }),
      bytes: fc.nat(50),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('free' as const), back: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clone' as const) }) },
);

describe('the window of appends in flight', () => {
  test('is a list that is freed from the front', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.nat(120),
        fc.array(step, { maxLength: 60 }),
        (maxMessages, maxBytes, steps) => {
          let inflights = new Inflights(maxMessages, maxBytes);
          let model: Append[] = [];
          let last = 0;
          for (const each of steps) {
            if (each.do === 'add' && !inflights.isFull) {
              last += each.gap;
              inflights.add(last, each.bytes);
              model.push({ index: last, bytes: each.bytes });
            } else if (each.do === 'free') {
              inflights.freeThrough(last - each.back);
              model = model.filter(({ index }) => index > last - each.back);
            } else if (each.do === 'reset') {
              inflights.reset();
              model = [];
            } else if (each.do === 'clone') {
              const before = inflights;
              inflights = inflights.clone();
              before.reset();
            }
            const bytes = model.reduce((sum, append) => sum + append.bytes, 0);
            expect(inflights.count).toBe(model.length);
            expect(inflights.bytes).toBe(bytes);
            expect(inflights.key).toBe(model.map(({ index }) => index).join());
            const isFull = model.length === maxMessages || (maxBytes > 0 && bytes >= maxBytes);
            expect(inflights.isFull).toBe(isFull);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
