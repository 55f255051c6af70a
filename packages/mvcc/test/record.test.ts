/** Records are etcd's bytes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRecord, encodeRecord } from '../src/record.ts';
import {
  isTombstoneName,
  readUint64,
  recordMain,
  recordName,
  recordSub,
  writeUint64,
} from '../src/revision.ts';
import { b } from './requests.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('a record', () => {
  test('is the protobuf of mvccpb.KeyValue, fields in order, zeros left out', () => {
    const kv = {
      key: b('foo'),
      createRevision: 2,
      modRevision: 300,
      version: 1,
      value: b('bar'),
      lease: 0n,
    };
    expect(hex(encodeRecord(kv))).toBe(`0a03${hex(b('foo'))}100218ac0220012a03${hex(b('bar'))}`);
  });

  test('of a delete holds the key alone', () => {
    const zero = { createRevision: 0, modRevision: 0, version: 0, value: b(''), lease: 0n };
    expect(hex(encodeRecord({ key: b('k'), ...zero }))).toBe('0a016b');
  });

  test('writes a negative lease in ten bytes, two’s complement', () => {
    const kv = {
      key: b('k'),
      createRevision: 1,
      modRevision: 1,
      version: 1,
      value: b(''),
      lease: -2n,
    };
    expect(hex(encodeRecord(kv))).toBe('0a016b1001180120013' + '0feffffffffffffffff01');
  });

  test('comes back as it was, for any numbers, lease and bytes', () => {
    const length = fc.oneof(fc.nat(300), fc.constantFrom(127, 128, 16_383, 16_384));
    const bytes = fc
      .tuple(length, fc.nat(255))
      .map(([size, fill]) => new Uint8Array(size).fill(fill));
    const number = fc.oneof(
      fc.nat(),
      fc.maxSafeNat(),
      fc.nat(130),
      fc.constantFrom(2 ** 21, 2 ** 28, 2 ** 35, 2 ** 49),
    );
    const record = fc.record({
      key: bytes,
      value: bytes,
      createRevision: number,
      modRevision: number,
      version: number,
      lease: fc.oneof(
        fc.constant(0n),
        fc.bigInt({
          min: -(2n ** 63n),
          max: 2n ** 63n - 1n,
        }),
      ),
    });
    fc.assert(
      fc.property(record, (kv) => {
        const { key, value, ...numbers } = decodeRecord(encodeRecord(kv));
        expect(numbers).toEqual({ ...kv, key: undefined, value: undefined });
        expect([Buffer.compare(key, kv.key), Buffer.compare(value, kv.value)]).toEqual([0, 0]);
      }),
      { numRuns: 300 },
    );
  });

  test.for([
    ['a field that no record has', '0a016b3801'],
    ['a field that leaves the record', '0a056b'],
    ['a number without end', '0a016b10ff'],
    ['a number of eleven bytes', '0a016b10ffffffffffffffffffff01'],
    ['a number that is not safe', '0a016b10ffffffffffffff7f'],
  ])('with %s is refused', ([, text]) => {
    expect(() => decodeRecord(Buffer.from(text as string, 'hex'))).toThrow(
      expect.objectContaining({ name: 'InvariantError' }),
    );
  });
});

describe('a record name', () => {
  test('is k, then etcd’s seventeen bytes, and t for a delete', () => {
    expect(hex(recordName(258, 3, false))).toBe(
      '6b' + '0000000000000102' + '5f' + '0000000000000003',
    );
    expect(hex(recordName(1, 0, true))).toBe(
      '6b' + '0000000000000001' + '5f' + '0000000000000000' + '74',
    );
  });

  test('gives back main, sub and mark, and sorts by revision', () => {
    const ref = fc.record({ main: fc.maxSafeNat(), sub: fc.nat(), mark: fc.boolean() });
    fc.assert(
      fc.property(ref, ref, (one, two) => {
        const name = recordName(one.main, one.sub, one.mark);
        expect([recordMain(name), recordSub(name), isTombstoneName(name)]).toEqual([
          one.main,
          one.sub,
          one.mark,
        ]);
        const order = Buffer.compare(name, recordName(two.main, two.sub, two.mark));
        if (one.main !== two.main) expect(order).toBe(one.main < two.main ? -1 : 1);
        else if (one.sub !== two.sub) expect(order).toBe(one.sub < two.sub ? -1 : 1);
      }),
    );
  });

  test('of other bytes is refused', () => {
    expect(() => recordMain(b('mname'))).toThrow('not a record name');
  });
});

test('a number of 8 bytes that is not safe is refused', () => {
  expect(() => readUint64(new Uint8Array(8).fill(0xff), 0)).toThrow('not a safe integer');
  const bytes = new Uint8Array(8);
  writeUint64(bytes, 0, Number.MAX_SAFE_INTEGER);
  expect(readUint64(bytes, 0)).toBe(Number.MAX_SAFE_INTEGER);
});
