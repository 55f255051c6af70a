import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '@etcd-ts/base';
import { KeyIntervals, keyInterval } from '../../src/auth/key-intervals.ts';

const of = (key: string, end: string) => keyInterval(utf8(key), utf8(end))!;

test('adjacent permissions together cover a range over both', () => {
  const set = new KeyIntervals([of('a', 'c'), of('c', 'e')]);
  expect(set.covers(of('a', 'e'))).toBe(true);
  expect(set.covers(of('a', 'ea'))).toBe(false);
});

test('a prefix does not cover everything from its key on, an open range does', () => {
  expect(new KeyIntervals([of('a', 'b')]).covers(of('a', '\0'))).toBe(false);
  expect(new KeyIntervals([of('a', '\0')]).covers(of('b', '\0'))).toBe(true);
  expect(new KeyIntervals([of('a', '\0')]).covers(of('b', 'c'))).toBe(true);
});

test('one key is the range from it to its successor', () => {
  const set = new KeyIntervals([of('a', '')]);
  expect(set.covers(of('a', ''))).toBe(true);
  expect(set.covers(of('a', 'a\0'))).toBe(true);
  expect(set.covers(of('a', 'b'))).toBe(false);
});

test('covering is what checking every key one by one says', () => {
  const letter = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const range = fc.tuple(letter, fc.constantFrom('', '\0', 'b', 'd', 'f', 'g'));
  const keys = 'abcdefg'.split('').flatMap((key) => [key, `${key}\0`, `${key}x`]);
  const holds = (key: string, [begin, end]: [string, string]) =>
    end === '' ? key === begin : end === '\0' ? key >= begin : begin <= key && key < end;
  fc.assert(
    fc.property(fc.array(range, { maxLength: 5 }), range, (granted, asked) => {
      const set = new KeyIntervals(
        granted.flatMap(([key, end]) => keyInterval(utf8(key), utf8(end)) ?? []),
      );
      const interval = keyInterval(utf8(asked[0]), utf8(asked[1]));
      if (interval === undefined) return;
      const wanted = keys.filter((key) => holds(key, asked));
      const everyKey = wanted.every((key) => granted.some((each) => holds(key, each)));
      const open = asked[1] !== '\0' || granted.some(([, end]) => end === '\0');
      expect(set.covers(interval)).toBe(everyKey && open);
    }),
  );
});
