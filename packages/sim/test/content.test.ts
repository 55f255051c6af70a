import fc from 'fast-check';
import { expect, it } from 'vitest';
import { contentHash, ContentMap, hasSameContent } from '../src/checkers/content.ts';

const content = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.integer(),
    fc.boolean(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }),
    fc.string(),
    fc.uint8Array({ maxLength: 4 }),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { noNullPrototype: true }),
  ),
})).value;

/** The same content in other objects, fields the other way round and with one more that holds nothing. */
function made(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(made);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([key, inner]) => [key, made(inner)] as const);
  return Object.fromEntries([['nothing', undefined] as const, ...fields.toReversed()]);
}

/** Any difference shows in it. */
function text(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes ${[...value].join()}`;
  if (Array.isArray(value)) return `[${value.map(text).join()}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([key, inner]) => `${key}:${text(inner)}`).join()}}`;
  }
  return `${typeof value} ${String(value)}`;
}

it('takes values of the same content for equal, whoever made the objects', () => {
  fc.assert(
    fc.property(content, (value) => {
      expect(hasSameContent(value, made(value))).toBe(true);
      expect(contentHash(made(value))).toBe(contentHash(value));
    }),
  );
});

it('takes values of different content for different', () => {
  fc.assert(
    fc.property(content, content, (a, b) => {
      expect(hasSameContent(a, b)).toBe(text(a) === text(b));
      expect(hasSameContent(b, a)).toBe(text(a) === text(b));
    }),
  );
});

it('keeps apart what only hashes alike', () => {
  // An object's hash is the sum over its fields, and those of two objects may well add up to the same.
  const map = new ContentMap<string>();
  for (let i = 0; i < 2000; i++) map.itemsOf({ key: Uint8Array.of(i, i >> 8) }).push(`${i}`);
  map.itemsOf({ key: Uint8Array.of(7, 0) }).push('again');
  expect([...map]).toHaveLength(2000);
  expect(map.itemsOf({ key: Uint8Array.of(7, 0) })).toEqual(['7', 'again']);
  expect(map.itemsOf(0)).not.toBe(map.itemsOf(undefined));
});
