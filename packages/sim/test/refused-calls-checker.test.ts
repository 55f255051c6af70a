/** Refused calls: what was refused with a reason, and what had none in any state that the member went through. */
import { utf8 } from '@etcd-ts/base';
import { describe, expect, it } from 'vitest';
import { checkRefusedCalls } from '../src/checkers/refused-calls.ts';
import type { AppliedChange } from '../src/checkers/rights.ts';
import type { Standings } from '../src/checkers/stays.ts';
import type { Operation, OperationRequest } from '../src/history/operation.ts';
import type { RightsChange } from '../src/model/rights-model.ts';
import { put, range } from './fixtures/history-maker.ts';
import { operation } from './fixtures/operation.ts';

const hash = { passwordHash: utf8(''), noPassword: false };
const permission = { permType: 2, key: utf8('a'), rangeEnd: utf8('e') };
/** User `u` may touch [a, e), through role `r`, from the fourth entry on; rights count from the fifth on. */
const FIRST: readonly RightsChange[] = [
  { op: 'addUser', user: 'u', ...hash },
  { op: 'addRole', role: 'r' },
  { op: 'grantPermission', role: 'r', permission },
  { op: 'grantRole', user: 'u', role: 'r' },
  { op: 'enable' },
];
const LOGIN: RightsChange = { op: 'authenticate', user: 'u', prefix: 'x' };
const REVOKED: RightsChange = { op: 'revokeRole', user: 'u', role: 'r' };
const GRANTED: RightsChange = { op: 'grantRole', user: 'u', role: 'r' };
const PASSWORD: RightsChange = { op: 'changePassword', user: 'u', passwordHash: utf8('') };
const OFF: RightsChange = { op: 'disable' };
const ON: RightsChange = { op: 'enable' };

/** The first ones at 1 to 5 us, a login at 10, the others at 100, 200 and so on; indexes as times. */
const changesOf = (later: readonly RightsChange[]): readonly AppliedChange[] =>
  [
    ...FIRST.map((change, i) => [i + 1, change] as const),
    [10, LOGIN] as const,
    ...later.map((change, i) => [100 * (i + 1), change] as const),
  ].map(([at, change]) => ({ index: at, atUs: at, revision: 1, change }));

/** A member that applies an entry each microsecond, so long behind the first one, and has been up since `beganAt`. */
const member =
  ({ behindUs = 0, beganAt = 0 } = {}): Standings =>
  (_member, fromUs, toUs) =>
    Array.from({ length: toUs - fromUs + 1 }, (_, i) => ({
      atUs: fromUs + i,
      index: fromUs + i - behindUs,
      beganAt,
    }));

const CALLER = { user: 'u', token: 'x.10' };
const READ: OperationRequest = { kind: 'range', request: range('b') };
const BEYOND: OperationRequest = { kind: 'range', request: range('z') };
const COMPACT: OperationRequest = { kind: 'compact', revision: 1, physical: false };

const refused = (
  [invokedUs, returnedUs]: readonly [number, number],
  code: string,
  request: OperationRequest = READ,
  more: Partial<Operation> = {},
): Operation => ({
  ...operation(1, request, { kind: 'failed', code }),
  caller: CALLER,
  invokedUs,
  returnedUs,
  ...more,
});
const anonymous = { caller: undefined };
const judge = (
  each: Operation,
  later: readonly RightsChange[] = [],
  standings = member(),
): string[] =>
  checkRefusedCalls({ operations: [each], changes: changesOf(later), standings }).map(
    ({ invariant }) => invariant,
  );

describe('the checker of refused calls', () => {
  it('accepts who is refused without the right, without a token, or with one that is void', () => {
    expect(judge(refused([20, 30], 'PERMISSION_DENIED', BEYOND))).toEqual([]);
    expect(judge(refused([20, 30], 'PERMISSION_DENIED', COMPACT))).toEqual([]);
    expect(judge(refused([20, 30], 'USER_EMPTY', READ, anonymous))).toEqual([]);
    expect(judge(refused([110, 120], 'INVALID_AUTH_TOKEN'), [PASSWORD])).toEqual([]);
    expect(judge(refused([90, 110], 'AUTH_OLD_REVISION'), [REVOKED])).toEqual([]);
  });

  it('sees who is refused although he has the right, or a token that counts (AU5)', () => {
    for (const request of [READ, put('b', 'v')]) {
      expect(judge(refused([20, 30], 'PERMISSION_DENIED', request))).toEqual(['AU5']);
      expect(judge(refused([20, 30], 'INVALID_AUTH_TOKEN', request))).toEqual(['AU5']);
      expect(judge(refused([20, 30], 'AUTH_OLD_REVISION', request))).toEqual(['AU5']);
      expect(judge(refused([20, 30], 'USER_EMPTY', request))).toEqual(['AU5']);
    }
  });

  it('sees refusals while nobody is asked for rights (AU5)', () => {
    expect(judge(refused([1, 4], 'USER_EMPTY', READ, anonymous))).toEqual(['AU5']);
    expect(judge(refused([110, 120], 'USER_EMPTY', READ, anonymous), [OFF])).toEqual(['AU5']);
    expect(judge(refused([110, 120], 'PERMISSION_DENIED', BEYOND), [OFF])).toEqual(['AU5']);
    expect(judge(refused([110, 120], 'INVALID_AUTH_TOKEN'), [OFF])).toEqual(['AU5']);
  });

  it('accepts a right that goes or comes meanwhile, and no other time', () => {
    const there = [REVOKED, GRANTED];
    expect(judge(refused([90, 110], 'PERMISSION_DENIED'), there)).toEqual([]);
    expect(judge(refused([190, 210], 'PERMISSION_DENIED'), there)).toEqual([]);
    expect(judge(refused([90, 99], 'PERMISSION_DENIED'), there)).toEqual(['AU5']);
    expect(judge(refused([200, 210], 'PERMISSION_DENIED'), there)).toEqual(['AU5']);
  });

  it('goes by what the member that was asked had applied', () => {
    const behind = member({ behindUs: 50 });
    expect(judge(refused([110, 120], 'PERMISSION_DENIED'), [REVOKED], behind)).toEqual(['AU5']);
    expect(judge(refused([210, 220], 'PERMISSION_DENIED'), [REVOKED, GRANTED], behind)).toEqual([]);
  });

  it('accepts who comes while nobody is asked, and is when his turn comes', () => {
    expect(judge(refused([150, 210], 'USER_EMPTY'), [OFF, ON])).toEqual([]);
    expect(judge(refused([90, 110], 'USER_EMPTY'), [OFF])).toEqual(['AU5']);
  });

  it('lets a member refuse a token that it has forgotten, or not heard of yet', () => {
    const code = 'INVALID_AUTH_TOKEN';
    expect(judge(refused([20, 30], code), [], member({ beganAt: 15 }))).toEqual([]);
    expect(judge(refused([20, 30], code), [], member({ behindUs: 12 }))).toEqual([]);
    const [soon, late] = [239_000_000, 241_000_000];
    const still =
      (atUs: number): Standings =>
      () => [{ atUs, index: 99, beganAt: 0 }];
    expect(judge(refused([soon, soon + 10], code), [], still(soon))).toEqual(['AU5']);
    expect(judge(refused([late, late + 10], code), [], still(late))).toEqual([]);
  });

  it('says nothing of other refusals, of puts under a lease, and of calls that nobody knows who was asked', () => {
    expect(judge(refused([20, 30], 'UNAVAILABLE'))).toEqual([]);
    expect(judge(refused([20, 30], 'PERMISSION_DENIED', put('b', 'v', 7n)))).toEqual([]);
    expect(judge(refused([20, 30], 'PERMISSION_DENIED', READ, { member: 0 }))).toEqual([]);
    const lease: OperationRequest = { kind: 'leaseRevoke', id: 7n };
    expect(judge(refused([20, 30], 'PERMISSION_DENIED', lease))).toEqual([]);
  });
});
