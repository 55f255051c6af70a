import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExpiryQueue } from '../src/lease/expiry-queue.ts';

type Step = { readonly op: 'set' | 'delete'; readonly id: bigint; readonly atMs: number };

const step: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom('set' as const, 'set' as const, 'delete' as const),
  id: fc.bigInt({ min: -8n, max: 8n }),
  atMs: fc.integer({ min: 0, max: 10 }),
});

function naiveOrder(model: ReadonlyMap<bigint, number>): { id: bigint; atMs: number }[] {
  return [...model]
    .map(([id, atMs]) => ({ id, atMs }))
    .sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1));
}

describe('ExpiryQueue', () => {
  test('answers as a sorted list does, after any sequence of sets and deletes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new ExpiryQueue();
        const model = new Map<bigint, number>();
        for (const { op, id, atMs } of steps) {
          if (op === 'set') {
            queue.set(id, atMs);
            model.set(id, atMs);
          } else {
            expect(queue.delete(id)).toBe(model.delete(id));
          }
          expect(queue.size).toBe(model.size);
          expect(queue.peek()).toEqual(naiveOrder(model)[0]);
          for (let probe = -8n; probe <= 8n; probe++) {
            expect(queue.get(probe)).toBe(model.get(probe));
          }
        }
        expect(queue.ordered()).toEqual(naiveOrder(model));
      }),
      { numRuns: 300 },
    );
  });

  test('drained through peek and delete, it yields every id once, earliest first', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new ExpiryQueue();
        const model = new Map<bigint, number>();
        for (const { id, atMs } of steps) {
          queue.set(id, atMs);
          model.set(id, atMs);
        }
        const drained = [];
        for (let next = queue.peek(); next !== undefined; next = queue.peek()) {
          drained.push(next);
          queue.delete(next.id);
        }
        expect(drained).toEqual(naiveOrder(model));
      }),
      { numRuns: 100 },
    );
  });
});
