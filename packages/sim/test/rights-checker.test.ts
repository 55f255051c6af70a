import { utf8 } from '@etcd-ts/base';
import { describe, expect, it } from 'vitest';
import { type AppliedChange, checkRights } from '../src/checkers/rights.ts';
import type { Operation, OperationRequest } from '../src/history/operation.ts';
import type { RightsChange } from '../src/model/rights-model.ts';
import { put, range } from './fixtures/history-maker.ts';

const READWRITE = 2;
const permission = (key: string, rangeEnd: string) => ({
  permType: READWRITE,
  key: utf8(key),
  rangeEnd: utf8(rangeEnd),
});
const hash = { passwordHash: utf8(''), noPassword: false };

/** User `u` may touch [a, c) and [c, e), through role `r`, from the fifth entry on. */
const FIRST: readonly RightsChange[] = [
  { op: 'addUser', user: 'u', ...hash },
  { op: 'addRole', role: 'r' },
  { op: 'grantPermission', role: 'r', permission: permission('a', 'c') },
  { op: 'grantPermission', role: 'r', permission: permission('c', 'e') },
  { op: 'grantRole', user: 'u', role: 'r' },
  { op: 'enable' },
];
/** The first ones at 1 to 6 us, the others at 100, 200 and so on; indexes as times. */
const changes = (...later: readonly RightsChange[]): readonly AppliedChange[] => [
  ...FIRST.map((change, i) => ({ index: i + 1, atUs: i + 1, revision: 1, change })),
  ...later.map((change, i) => ({
    index: 100 * (i + 1),
    atUs: 100 * (i + 1),
    change,
    revision: 2 + i,
  })),
];
const asked = (
  [invokedUs, returnedUs]: readonly [number, number],
  request: OperationRequest,
  caller: Operation['caller'] = { user: 'u', token: 'x.10' },
  revision = 2,
): Operation => {
  const result = { revision, kvs: [], more: false, count: 0 };
  return {
    id: 1,
    client: 1,
    member: 1,
    connection: 1,
    request,
    caller,
    invokedAt: 1,
    returnedAt: 2,
    invokedUs,
    returnedUs,
    outcome: { kind: 'ok', response: { kind: 'range', result } },
  };
};
const read = (key: string, more = {}): OperationRequest => ({
  kind: 'range',
  request: range(key, more),
});
const judge = (operation: Operation, ...later: readonly RightsChange[]): string[] =>
  checkRights([operation], changes(...later)).map((each) => each.invariant);
const anonymous = (when: readonly [number, number], request: OperationRequest): Operation => ({
  ...asked(when, request),
  caller: undefined,
});
const REVOKED: RightsChange = { op: 'revokeRole', user: 'u', role: 'r' };

describe('the checker of rights', () => {
  it('accepts what lies within the granted ranges, also where two of them meet', () => {
    expect(judge(asked([10, 20], read('a')))).toEqual([]);
    expect(judge(asked([10, 20], put('d', 'v')))).toEqual([]);
    expect(judge(asked([10, 20], read('b', { rangeEnd: utf8('d') })))).toEqual([]);
  });

  it('accepts everything before it is switched on, and after it is off', () => {
    expect(judge(anonymous([1, 5], read('z')))).toEqual([]);
    expect(judge(anonymous([150, 160], read('z')), { op: 'disable' })).toEqual([]);
  });

  it('sees keys outside the granted ranges, and calls without a token (AU1)', () => {
    expect(judge(asked([10, 20], read('e')))).toEqual(['AU1']);
    expect(judge(asked([10, 20], read('b', { rangeEnd: utf8('f') })))).toEqual(['AU1']);
    expect(judge(asked([10, 20], put('z', 'v')))).toEqual(['AU1']);
    expect(judge(asked([10, 20], { kind: 'compact', revision: 3, physical: false }))).toEqual([
      'AU1',
    ]);
    expect(judge(anonymous([10, 20], read('a')))).toEqual(['AU1']);
  });

  it('sees a transaction that reaches beyond them in the branch that it does not take (AU1)', () => {
    const value = range('z');
    const failure = [{ request: { $case: 'requestRange', value } as const }];
    const request = { compare: [], success: [], failure };
    expect(judge(asked([10, 20], { kind: 'txn', request }))).toEqual(['AU1']);
  });

  it('accepts a right that is withdrawn while the call is under way, and sees it used later (AU2)', () => {
    expect(judge(asked([90, 110], read('a')), REVOKED)).toEqual([]);
    expect(judge(asked([110, 120], read('a')), REVOKED)).toEqual(['AU2']);
    const ranges = { role: 'r', key: utf8('a'), rangeEnd: utf8('c') };
    expect(judge(asked([110, 120], read('a')), { op: 'revokePermission', ...ranges })).toEqual([
      'AU2',
    ]);
    expect(judge(asked([110, 120], read('a')), { op: 'deleteRole', role: 'r' })).toEqual(['AU2']);
  });

  it('lets a serializable read go by an older state, unless it shows that its member had come further', () => {
    expect(judge(asked([110, 120], read('a', { serializable: true })), REVOKED)).toEqual([]);
    const beyond = asked([110, 120], read('z', { serializable: true }));
    expect(judge(beyond, REVOKED)).toEqual(['AU1']);
    const late: RightsChange = { op: 'addRole', role: 'q' };
    const read3 = asked([310, 320], read('a', { serializable: true }), undefined, 3);
    expect(judge(read3, REVOKED, late, late)).toEqual(['AU2']);
  });

  it('sees a token that outlives a new password (AU4), and accepts the next one', () => {
    const changed: RightsChange = { op: 'changePassword', user: 'u', passwordHash: utf8('') };
    expect(judge(asked([110, 120], read('a')), changed)).toEqual(['AU4']);
    const next = { user: 'u', token: 'y.105' };
    expect(judge(asked([110, 120], read('a'), next), changed)).toEqual([]);
  });

  it('sees a token that outlives its user, also when another one has his name (AU4)', () => {
    const deleted: RightsChange = { op: 'deleteUser', user: 'u' };
    const again: readonly RightsChange[] = [
      { op: 'addUser', user: 'u', ...hash },
      { op: 'grantRole', user: 'u', role: 'r' },
    ];
    expect(judge(asked([310, 320], read('a')), deleted, ...again)).toEqual(['AU4']);
  });
});
