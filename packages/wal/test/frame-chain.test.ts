/** The chain of a group, by the window of checksums and without it. */
import { CRC32C_WINDOW_BYTES, crc32cWords } from '@etcd-ts/base';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chainFrames } from '../src/frame-chain.ts';
import { beginFrame, frameBytes, RECORD_TYPE, readFrame, recordBytes } from '../src/record.ts';

const payloadBytes = fc.oneof(
  { weight: 8, arbitrary: fc.nat(600) },
  { weight: 1, arbitrary: fc.integer({ min: 20_000, max: 60_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -40, max: 40 }).map((n) => CRC32C_WINDOW_BYTES + n) },
);

test('every frame of a group, of whatever sizes, proves itself and continues the one before', () => {
  fc.assert(
    fc.property(
      fc.array(payloadBytes, { minLength: 1, maxLength: 40 }),
      fc.nat(40).map((n) => n * 8),
      fc.nat(0xffff_ffff),
      (sizes, start, previousCrc) => {
        const end = sizes.reduce((at, size) => at + frameBytes(size), start);
        const records = recordBytes(new ArrayBuffer(end + 64));
        records.bytes.fill(0xee);
        const type = RECORD_TYPE.commandEntry;
        let at = start;
        for (const [number, size] of sizes.entries()) {
          const head = { type, endsGroup: false, syncedBytes: 8 * number, payloadBytes: size };
          const payload = beginFrame(records, at, head);
          for (let i = 0; i < size; i++) records.bytes[payload + i] = (i * 7 + number) & 0xff;
          at += frameBytes(size);
        }
        const last = chainFrames(records, start, end, previousCrc);
        let crc = previousCrc;
        at = start;
        for (const [number, size] of sizes.entries()) {
          const next = at + frameBytes(size);
          const frame = readFrame(records, at);
          expect(frame).toMatchObject({ previousCrc: crc, syncedBytes: 8 * number, end: next });
          for (let word = at / 4 + 1; word < next / 4; word += 200) {
            const through = Math.min(word + 200, next / 4);
            crc = crc32cWords(records.words, word, through, word === at / 4 + 1 ? 0 : crc);
          }
          expect(frame).toMatchObject({ crc });
          at = next;
        }
        expect(last).toBe(crc);
        expect(records.bytes.subarray(end).every((byte) => byte === 0xee)).toBe(true);
      },
    ),
    { numRuns: 100 },
  );
});
