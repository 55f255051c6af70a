/** Values in large arrays. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PackedValues, valueOf } from '../src/disk/packed-values.ts';

describe('packed values', () => {
  it('stay as they were when they were added, whatever comes later and becomes of the arrays', () => {
    const values = fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 60 });
    fc.assert(
      fc.property(values, (added) => {
        const packed = new PackedValues();
        const kept = added.map((value) => {
          const mine = value.slice();
          const start = packed.add(mine);
          mine.fill(0xee);
          return { slab: packed.slab, start, end: start + value.length };
        });
        expect(kept.map(valueOf)).toEqual(added);
      }),
    );
  });
});
