/**
 * A broken invariant: the program is wrong, not its input.
 *
 * Never caught per request. Whoever drives a node stops it and reports the message.
 */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/**
 * States what always holds here.
 *
 * @param message What was expected, with the actual values; a function when building it costs.
 * @throws InvariantError when the condition is false.
 */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantError(typeof message === 'string' ? message : message());
}

/**
 * Marks a place that an exhaustive switch never reaches; the compiler checks that it is exhaustive.
 *
 * @throws InvariantError always.
 */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}

/**
 * Returns the value, which is known to be there.
 *
 * @throws InvariantError when it is null or undefined; `what` names it.
 */
export function must<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new InvariantError(`missing ${what}`);
  return value;
}

/** Asserts that a count, index or revision is a safe non-negative integer, and returns it. */
export function assertSafe(value: number, what: string): number {
  assert(
    Number.isSafeInteger(value) && value >= 0,
    () => `${what} is not a safe integer: ${value}`,
  );
  return value;
}
