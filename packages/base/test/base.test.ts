import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  assert,
  compareBytes,
  concatBytes,
  crc32c,
  crc32cWords,
  equalBytes,
  fromLatin1,
  InvariantError,
  leaseId,
  memberId,
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
