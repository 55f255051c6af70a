/** Memory of records. */
import { describe, expect, it } from 'vitest';
import { RecordSlabs, SlabSource } from '../src/record-slabs.ts';

/** Writes a record of one byte, repeated. */
function write(records: RecordSlabs, byte: number, length: number): void {
  const { slab, start } = records.reserve(length);
  slab.fill(byte, start, start + length);
}

describe('slabs that batches share', () => {
  it('hold the records of the next batch behind those of the one before, which stay', () => {
    const source = new SlabSource();
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
    const records = new RecordSlabs(new SlabSource());
    write(records, 1, 10);
    write(records, 2, 1 << 20);
    write(records, 3, 10);
    expect(records.view(1).buffer.byteLength).toBe(1 << 20);
    expect([0, 1, 2].map((i) => records.view(i)[0])).toEqual([1, 2, 3]);
  });
});
