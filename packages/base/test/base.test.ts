import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  assert,
  compareBytes,
  concatBytes,
  crc32c,
  CRC32C_WINDOW,
  CRC32C_WINDOW_BYTES,
  crc32cWords,
  equalBytes,
  fromLatin1,
  InvariantError,
  leaseId,
  memberId,
  mergeObjects,
  must,
  idToHex,
  prefixEnd,
  toLatin1,
  utf8,
} from '@etcd-ts/base';

const bytes = () => fc.uint8Array({ maxLength: 70 });

test('crc32c gives the published check value of "123456789"', () => {
  expect(crc32c(utf8('123456789'))).toBe(0xe3069283);
});

test('crc32c of a whole equals the chained crc32c of its parts', () => {
  fc.assert(
    fc.property(bytes(), bytes(), (a, b) => {
      expect(crc32c(b, crc32c(a))).toBe(crc32c(concatBytes([a, b])));
    }),
  );
});

test('crc32cWords gives what crc32c gives, wherever it begins and ends', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 160, maxLength: 160 }),
      fc.nat(40),
      fc.nat(40),
      (all, a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        const words = new Int32Array(all.slice().buffer);
        expect(crc32cWords(words, start, end)).toBe(crc32c(all, 0, 4 * start, 4 * end));
      },
    ),
  );
});

/** Bit by bit. */
function naiveCrc32c(bytes: Uint8Array, previous: number): number {
  let crc = ~previous;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test('crc32c of long inputs is what it is bit by bit, wherever they begin and end', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1_024, 4_096, CRC32C_WINDOW_BYTES - 8, CRC32C_WINDOW_BYTES),
      fc.nat(20),
      fc.nat(20),
      fc.nat(0xffff_ffff),
      (size, start, more, previous) => {
        const all = Uint8Array.from(
          { length: start + size + more },
          (_, at) => (at * at * 31) >>> 3,
        );
        const whole = all.subarray(start);
        expect(crc32c(all, previous, start)).toBe(naiveCrc32c(whole, previous));
        const words = new Int32Array(all.buffer, 0, Math.floor(all.length / 4));
        const range = all.subarray(4 * start, 4 * words.length);
        expect(crc32cWords(words, start, words.length, previous)).toBe(
          naiveCrc32c(range, previous),
        );
      },
    ),
    { numRuns: 30 },
  );
});

test('the window sums what lies in it, word by word', () => {
  const window = must(CRC32C_WINDOW, 'window');
  expect(window.bytes.length).toBe(CRC32C_WINDOW_BYTES);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(0xffff_ffff), (content, previous) => {
      const whole = content.subarray(0, content.length & ~3);
      window.bytes.fill(0xee);
      window.bytes.set(whole, 12);
      const sum = window.sum(12, 12 + whole.length, previous);
      expect(sum).toBe(naiveCrc32c(whole, previous));
    }),
  );
});

test('latin1 strings keep every byte and order as bytes do', () => {
  fc.assert(
    fc.property(bytes(), bytes(), (a, b) => {
      expect(equalBytes(fromLatin1(toLatin1(a)), a)).toBe(true);
      const [x, y] = [toLatin1(a), toLatin1(b)];
      expect(Math.sign(compareBytes(a, b))).toBe(x < y ? -1 : x > y ? 1 : 0);
    }),
  );
});

test('prefixEnd bounds exactly the keys with that prefix', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3 }), bytes(), (prefix, key) => {
      const end = prefixEnd(prefix);
      const fromKeyOn = end.length === 1 && end[0] === 0;
      const inRange = compareBytes(key, prefix) >= 0 && (fromKeyOn || compareBytes(key, end) < 0);
      expect(inRange).toBe(
        fromKeyOn ? compareBytes(key, prefix) >= 0 : toLatin1(key).startsWith(toLatin1(prefix)),
      );
    }),
  );
});

test('ids keep 64 bits: member ids unsigned, lease ids signed, both printed as etcd prints them', () => {
  expect(memberId(-1n)).toBe(0xffff_ffff_ffff_ffffn);
  expect(leaseId(0xffff_ffff_ffff_fff9n)).toBe(-7n);
  expect(idToHex(leaseId(-7n))).toBe('fffffffffffffff9');
});

test('a false assertion throws InvariantError with its message', () => {
  expect(() => assert(false, () => 'applied 3 > committed 2')).toThrow(
    new InvariantError('applied 3 > committed 2'),
  );
});

test('mergeObjects gives what spreading its parts into one literal gives', () => {
  const part = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.option(fc.integer()));
  fc.assert(
    fc.property(part, part, part, (one, two, three) => {
      const merged = mergeObjects(one, two, three);
      expect(merged).toEqual({ ...one, ...two, ...three });
      expect(Object.keys(merged)).toEqual(Object.keys({ ...one, ...two, ...three }));
      expect(merged).not.toBe(one);
    }),
  );
});
