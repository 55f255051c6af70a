import fc from 'fast-check';
import type { Field, MessageCodec } from '../src/index.ts';

const bytes = fc.uint8Array({ maxLength: 80 });
const count = fc.oneof(
  fc.constant(0),
  fc.integer({ min: -5, max: 300 }),
  fc.maxSafeInteger(),
  fc.integer({ min: 0, max: 70 }).map((bit) => Math.min(2 ** bit, Number.MAX_SAFE_INTEGER)),
);
const unsignedCount = count.map((n) => Math.abs(n));

function scalar(field: Field): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'bool':
      return fc.boolean();
    case 'bytes':
      return bytes;
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 40 });
    case 'int32':
      return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    case 'enum':
      return fc.oneof(
        fc.constantFrom(...Object.values(field.enum ?? {})),
        fc.integer({ min: -3, max: 99 }),
      );
    case 'uint32':
      return fc.integer({ min: 0, max: 2 ** 32 - 1 });
    case 'int64':
      return field.isId ? fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) : count;
    case 'uint64':
      return field.isId ? fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) : unsignedCount;
    case 'message':
      throw new Error('not a scalar');
  }
}

function one(field: Field, depth: number): fc.Arbitrary<unknown> {
  return field.message === undefined ? scalar(field) : arbitraryMessage(field.message, depth - 1);
}

function property(field: Field, depth: number): fc.Arbitrary<unknown> {
  const value = one(field, depth);
  if (field.shape === 'list') return fc.array(value, { maxLength: 3 });
  if (field.shape === 'one') {
    return field.message === undefined ? value : fc.option(value, { nil: undefined });
  }
  const entries = fc.uniqueArray(fc.tuple(fc.string({ maxLength: 5 }), value), {
    maxLength: 3,
    selector: ([key]) => key,
  });
  return entries.map((list) => new Map(list));
}

function emptyOf({ shape }: Field): unknown {
  return shape === 'list' ? [] : shape === 'map' ? new Map() : undefined;
}

/** Any message of a kind, as decode would give it: every field present. */
export function arbitraryMessage<T>(codec: MessageCodec<T>, depth = 3): fc.Arbitrary<T> {
  const properties: Record<string, fc.Arbitrary<unknown>> = {};
  const oneofs = new Map<string, fc.Arbitrary<unknown>[]>();
  for (const field of codec.fields) {
    const isTooDeep = depth <= 0 && field.message !== undefined;
    if (field.oneof !== undefined) {
      const cases = oneofs.get(field.oneof) ?? [];
      oneofs.set(field.oneof, cases);
      if (isTooDeep) continue;
      cases.push(one(field, depth).map((value) => ({ $case: field.property, value })));
    } else {
      properties[field.property] = isTooDeep ? fc.constant(emptyOf(field)) : property(field, depth);
    }
  }
  for (const [property, cases] of oneofs) {
    properties[property] =
      cases.length === 0
        ? fc.constant(undefined)
        : fc.option(fc.oneof(...cases), { nil: undefined });
  }
  return fc.record(properties) as fc.Arbitrary<T>;
}
