import fc from 'fast-check';
import { expect, it } from 'vitest';
import { recordBytes } from '../src/record.ts';
import { lastWrittenByte } from '../src/tail.ts';

it('finds the last byte that was written behind a start, wherever either is', () => {
  const lengths = fc.integer({ min: 0, max: 100 });
  fc.assert(
    fc.property(lengths, lengths, lengths, lengths, (fileBytes, start, one, other) => {
      fc.pre(start <= fileBytes);
      const bytes = new Uint8Array(fileBytes);
      // A byte behind the start, and one that may lie before it, where nobody asks.
      for (const at of [one, other]) if (at < fileBytes) bytes[at] = 1 + (at % 255);
      let end = fileBytes;
      while (end > start && bytes[end - 1] === 0) end--;
      expect(lastWrittenByte(recordBytes(bytes.buffer), start)).toBe(end);
    }),
    { numRuns: 2000 },
  );
});
