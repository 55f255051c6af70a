import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkRegisterSample,
  registerModel,
  type RegisterOp,
  type RegisterState,
} from '../src/checkers/register-sample.ts';
import { wgl, type WglCall } from '../src/checkers/wgl.ts';
import { makeHistory } from './fixtures/history-maker.ts';

/** Every order of the calls, tried one after another. */
function naive(
  calls: readonly WglCall<RegisterOp>[],
  state: RegisterState = registerModel.initial,
): boolean {
  if (calls.every((call) => call.returnedAt === Infinity)) return true;
  const firstReturn = Math.min(...calls.map((call) => call.returnedAt));
  return calls.some((call, i) => {
    if (call.invokedAt > firstReturn) return false;
    const after = registerModel.step(state, call.op);
    return after !== undefined && naive([...calls.slice(0, i), ...calls.slice(i + 1)], after);
  });
}

const seenArbitrary = fc.integer({ min: 0, max: 3 }).chain((version) =>
  fc.record({
    version: fc.constant(version),
    value: version === 0 ? fc.constant('') : fc.constantFrom('a', 'b'),
  }),
);
const opArbitrary: fc.Arbitrary<RegisterOp> = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), value: fc.constantFrom('a', 'b') }),
  fc.record({ kind: fc.constant('read' as const), seen: seenArbitrary }),
  fc.record({
    kind: fc.constant('delete' as const),
    deleted: fc.constantFrom(true, false, undefined),
  }),
);
const callsArbitrary = fc
  .array(fc.tuple(opArbitrary, fc.nat(12), fc.nat(6), fc.nat(9)), { maxLength: 6 })
  .map((items) =>
    items.map(([op, from, length, unknown], i): WglCall<RegisterOp> => ({
      op,
      invokedAt: from * 20 + i,
      returnedAt: unknown === 0 && op.kind !== 'read' ? Infinity : (from + length) * 20 + 10 + i,
    })),
  );

describe('the search for an order', () => {
  it('agrees with trying every order', () => {
    const verdicts = new Set<boolean>();
    fc.assert(
      fc.property(callsArbitrary, (calls) => {
        const expected = naive(calls);
        verdicts.add(expected);
        expect(wgl(calls, registerModel).verdict).toBe(expected ? 'linearizable' : 'violation');
      }),
      { numRuns: 3000 },
    );
    expect(verdicts.size).toBe(2);
  });

  it('gives up after its steps and says so', () => {
    const calls = Array.from({ length: 12 }, (_, i): WglCall<RegisterOp> => ({
      invokedAt: i,
      returnedAt: 100 + i,
      op: { kind: 'write', value: `v${i}` },
    }));
    const impossible: WglCall<RegisterOp> = {
      invokedAt: 200,
      returnedAt: 201,
      op: { kind: 'read', seen: { value: 'other', version: 12 } },
    };
    expect(wgl([...calls, impossible], registerModel, 1000).verdict).toBe('unknown');
    expect(wgl([...calls, impossible], registerModel).verdict).toBe('violation');
  });

  it('judges thousands of calls when the order is nearly forced', () => {
    const made = makeHistory({
      seed: 3,
      operations: 3000,
      clients: 8,
      keys: 10,
      registersOnly: true,
    });
    const sample = checkRegisterSample(made.operations);
    expect(sample.violations).toEqual([]);
  });
});

describe('the register sample', () => {
  it('accepts what is right, and judges nearly all keys', () => {
    let judged = 0;
    for (let seed = 0; seed < 30; seed++) {
      const made = makeHistory({
        seed,
        operations: 200,
        clients: 4,
        keys: 4,
        registersOnly: true,
        unknownPercent: 1,
      });
      const sample = checkRegisterSample(made.operations);
      expect(sample.violations).toEqual([]);
      judged += sample.judgedKeys;
    }
    expect(judged).toBeGreaterThan(30);
  });

  it('sees an aged read without looking at revisions', () => {
    let seen = 0;
    for (let seed = 0; seed < 20; seed++) {
      const made = makeHistory({ seed, operations: 150, clients: 3, keys: 1, registersOnly: true });
      const reads = made.operations.filter((each) => each.request.kind === 'range');
      const [early, late] = [reads[2], reads.at(-1)];
      const aged = made.operations.map((each) =>
        each === late ? { ...each, outcome: early!.outcome } : each,
      );
      if (checkRegisterSample(aged).violations.length > 0) seen++;
    }
    expect(seen).toBe(20);
  });
});
