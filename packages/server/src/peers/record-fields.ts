/**
 * Fields of a record that came over a connection, each checked to be of the kind that it is taken for: what is let in here
 * goes into the core and into the log as it is. Whether a number makes sense there is for the core to say.
 *
 * All throw InvariantError; the connection is then closed.
 */
import { assert } from '@etcd-ts/base';

/** A list. */
export function listAt(value: unknown, what: string): readonly unknown[] {
  assert(Array.isArray(value), () => `${what} of a message is no list`);
  return value;
}

/** True or false. */
export function flagAt(value: unknown, what: string): boolean {
  assert(typeof value === 'boolean', () => `${what} of a message is neither true nor false`);
  return value;
}

/** Text. */
export function textAt(value: unknown, what: string): string {
  assert(typeof value === 'string', () => `${what} of a message is no text`);
  return value;
}

/** A whole number from 0 on. */
export function countAt(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    assert(false, `${what} of a message is no count`);
  }
  return value as number;
}

/** A member's id. */
export function idAt(value: unknown, what: string): bigint {
  assert(
    typeof value === 'bigint' || Number.isSafeInteger(value),
    () => `${what} of a message is no id`,
  );
  const id = BigInt(value as bigint | number);
  assert(id > 0n && id < 1n << 64n, () => `${what} of a message is no id`);
  return id;
}

/** One of some words. */
export function wordAt<const Word extends string>(
  value: unknown,
  words: readonly Word[],
  what: string,
): Word {
  const word = words.find((each) => each === value);
  assert(word !== undefined, () => `${what} of a message is none that is known`);
  return word;
}
