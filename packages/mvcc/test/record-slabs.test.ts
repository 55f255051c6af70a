/** Memory of records. */
import { describe, expect, it } from 'vitest';
import { recordSource, RecordSlabs } from '../src/record-slabs.ts';

/** Writes a record of one byte, repeated. */
function write(records: RecordSlabs, byte: number, length: number): void {
  const { slab, start } = records.reserve(length);
  slab.fill(byte, start, start + length);
}

describe('slabs that batches share', () => {
  it('hold the records of the next batch behind those of the one before, which stay', () => {
    const source = recordSource();
    const batches = Array.from({ length: 50 }, (_, i) => {
      const batch = new RecordSlabs(source);
      write(batch, 2 * i, 100 + i);
      write(batch, 2 * i + 1, 1 + i);
      return batch;
    });
    for (const [i, batch] of batches.entries()) {
      expect(batch.length).toBe(2);
      expect(batch.view(0)).toEqual(new Uint8Array(100 + i).fill(2 * i));
      expect(batch.view(1)).toEqual(new Uint8Array(1 + i).fill(2 * i + 1));
    }
    expect(batches[1]?.view(0).buffer).toBe(batches[0]?.view(0).buffer);
  });

  it('give a record that is larger than any slab an array of its own', () => {
    const records = new RecordSlabs(recordSource());
    write(records, 1, 10);
    write(records, 2, 1 << 20);
    write(records, 3, 10);
    expect(records.view(1).buffer.byteLength).toBe(1 << 20);
    expect([0, 1, 2].map((i) => records.view(i)[0])).toEqual([1, 2, 3]);
  });

  it('keep no more of other batches than a kibibyte, for a view may be kept', () => {
    const source = recordSource();
    for (let i = 0; i < 200; i++) {
      const batch = new RecordSlabs(source);
      const count = i % 10 === 0 ? 100 : 1;
      for (let left = count; left > 0; left--) write(batch, i, 90);
      const only = new RecordSlabs(source);
      write(only, i, 90);
      expect(only.view(0).buffer.byteLength).toBe(1024);
    }
  });

  it('grow within a batch, so that a large one is few arrays', () => {
    const batch = new RecordSlabs(recordSource());
    for (let i = 0; i < 10_000; i++) write(batch, 1, 100);
    const arrays = new Set(Array.from({ length: 10_000 }, (_, i) => batch.view(i).buffer));
    expect(arrays.size).toBeLessThan(16);
  });
});
