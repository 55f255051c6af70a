import { equalBytes } from '@etcd-ts/base';
import { hasSameContent, isObject } from './content.ts';

/** Where two answers differ, as a path and both values; undefined when they are alike. An absent field is undefined. */
export function firstDifferenceOf(expected: unknown, actual: unknown): string | undefined {
  // Nearly all are alike, and then no path is of interest.
  return hasSameContent(expected, actual) ? undefined : differenceAt('', expected, actual);
}

function differenceAt(path: string, expected: unknown, actual: unknown): string | undefined {
  if (expected === actual) return undefined;
  if (expected instanceof Uint8Array && actual instanceof Uint8Array) {
    return equalBytes(expected, actual) ? undefined : differs(path, expected, actual);
  }
  if (!isObject(expected) || !isObject(actual)) return differs(path, expected, actual);
  if (Array.isArray(expected) && Array.isArray(actual) && expected.length !== actual.length) {
    return `${path}: ${actual.length} items, expected ${expected.length}`;
  }
  for (const key in expected) {
    const difference = differenceAt(`${path}.${key}`, expected[key], actual[key]);
    if (difference !== undefined) return difference;
  }
  for (const key in actual) {
    if (actual[key] !== undefined && expected[key] === undefined) {
      return differs(`${path}.${key}`, undefined, actual[key]);
    }
  }
  return undefined;
}

/** A value as a reader of a report wants it: bytes as text, bigints as numbers. */
export function show(value: unknown): string {
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('latin1'));
  if (typeof value === 'bigint') return `${value}`;
  const text = JSON.stringify(value, (_key, inner: unknown) => {
    if (inner instanceof Uint8Array) return Buffer.from(inner).toString('latin1');
    return typeof inner === 'bigint' ? `${inner}` : inner;
  });
  return text ?? 'nothing';
}

function differs(path: string, expected: unknown, actual: unknown): string {
  return `${path === '' ? 'answer' : path}: ${show(actual)}, expected ${show(expected)}`;
}
