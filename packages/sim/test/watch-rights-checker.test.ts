import { utf8 } from '@etcd-ts/base';
import { describe, expect, it } from 'vitest';
import { type AppliedChange, erasOf } from '../src/checkers/rights.ts';
import type { Standing } from '../src/checkers/stays.ts';
import { checkWatchRights, outlivesItsRight } from '../src/checkers/watch-rights.ts';
import type { WatchRecord, WatchResponseRecord } from '../src/history/watch-record.ts';
import type { RightsChange } from '../src/model/rights-model.ts';

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
const REVOKED: RightsChange = { op: 'revokeRole', user: 'u', role: 'r' };
const GRANTED: RightsChange = { op: 'grantRole', user: 'u', role: 'r' };
const PASSWORD: RightsChange = { op: 'changePassword', user: 'u', passwordHash: utf8('') };

/** The first ones at 1 to 5 us, the others at 100, 200 and so on; indexes as times, a revision between two of them. */
const changesOf = (later: readonly RightsChange[]): readonly AppliedChange[] => [
  ...FIRST.map((change, i) => ({ index: i + 1, atUs: i + 1, revision: 1, change })),
  ...later.map((change, i) => ({
    index: 100 * (i + 1),
    atUs: 100 * (i + 1),
    revision: 2 + i,
    change,
  })),
];

const CALLER = { user: 'u', token: 'x.10' };
const DENIED = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
const BAD_TOKEN = 'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token';
const NO_USER = 'rpc error: code = InvalidArgument desc = etcdserver: user name is empty';

const response = (atUs: number, more: Partial<WatchResponseRecord>): WatchResponseRecord => ({
  at: atUs,
  atUs,
  headerRevision: 1,
  created: false,
  canceled: false,
  compactRevision: 0,
  cancelReason: '',
  events: [],
  ...more,
});
const kv = (key: string, modRevision = 2) => ({
  key: utf8(key),
  createRevision: 1,
  modRevision,
  version: 1,
  value: utf8('v'),
  lease: 0n,
});
const event = (key: string, modRevision = 2, previous?: string) => ({
  type: 0,
  kv: kv(key, modRevision),
  prevKv: previous === undefined ? undefined : kv(previous, 1),
});
/** A watch of [b, d), asked for and answered at these times. */
const opened = (
  [openedUs, answeredUs]: readonly [number, number],
  more: Partial<WatchRecord> = {},
): WatchRecord => ({
  client: 1,
  member: 1,
  caller: CALLER,
  key: utf8('b'),
  rangeEnd: utf8('d'),
  startRevision: 0,
  prevKv: true,
  noPut: false,
  noDelete: false,
  openedAt: openedUs,
  openedUs,
  responses: [response(answeredUs, { created: true })],
  ended: undefined,
  ...more,
});
const refused = (
  when: readonly [number, number],
  cancelReason: string,
  more: Partial<WatchRecord> = {},
): WatchRecord => {
  const responses = [response(when[1], { created: true, canceled: true, cancelReason })];
  return opened(when, { responses, ...more });
};

/** A member that applies an entry each microsecond, so long behind the first one, and has been up since `beganAt`. */
const member =
  ({ behindUs = 0, beganAt = 0 } = {}) =>
  (_member: number, fromUs: number, toUs: number): readonly Standing[] =>
    Array.from({ length: toUs - fromUs + 1 }, (_, i) => ({
      atUs: fromUs + i,
      index: fromUs + i - behindUs,
      beganAt,
    }));
const judge = (
  watch: WatchRecord,
  later: readonly RightsChange[] = [],
  standings = member(),
): string[] =>
  checkWatchRights({ watches: [watch], changes: changesOf(later), standings }).map(
    (each) => each.invariant,
  );

describe('the checker of the rights of watches', () => {
  it('accepts who is let in with the right, and who is refused without it', () => {
    expect(judge(opened([20, 30]))).toEqual([]);
    expect(judge(opened([20, 30], { key: utf8('a'), rangeEnd: utf8('e') }))).toEqual([]);
    expect(judge(refused([20, 30], DENIED, { rangeEnd: utf8('f') }))).toEqual([]);
    expect(judge(refused([20, 30], DENIED, { rangeEnd: utf8('\0') }))).toEqual([]);
    expect(judge(refused([20, 30], NO_USER, { caller: undefined }))).toEqual([]);
    expect(judge(refused([110, 120], DENIED), [REVOKED])).toEqual([]);
    expect(judge(refused([110, 120], BAD_TOKEN), [PASSWORD])).toEqual([]);
  });

  it('accepts everything before rights count, and after they do', () => {
    expect(judge(opened([1, 5], { caller: undefined, key: utf8('z') }))).toEqual([]);
    const off = opened([110, 120], { caller: undefined, key: utf8('z') });
    expect(judge(off, [{ op: 'disable' }])).toEqual([]);
  });

  it('sees who is let in to what he has no right to, and without a token (AU1)', () => {
    expect(judge(opened([20, 30], { rangeEnd: utf8('f') }))).toEqual(['AU1']);
    expect(judge(opened([20, 30], { rangeEnd: utf8('\0') }))).toEqual(['AU1']);
    expect(judge(opened([20, 30], { key: utf8('z'), rangeEnd: utf8('') }))).toEqual(['AU1']);
    expect(judge(opened([20, 30], { caller: undefined }))).toEqual(['AU1']);
  });

  it('accepts a right that is withdrawn meanwhile, either way, and sees it used later (AU2)', () => {
    expect(judge(opened([90, 110]), [REVOKED])).toEqual([]);
    expect(judge(refused([90, 110], DENIED), [REVOKED])).toEqual([]);
    expect(judge(opened([110, 120]), [REVOKED])).toEqual(['AU2']);
  });

  it('goes by what the member that was asked had applied', () => {
    expect(judge(opened([110, 120]), [REVOKED], member({ behindUs: 50 }))).toEqual([]);
    expect(judge(refused([110, 120], DENIED), [REVOKED], member({ behindUs: 50 }))).toEqual([
      'AU5',
    ]);
  });

  it('sees a token that was void when the watch was opened (AU4), and accepts the next one', () => {
    expect(judge(opened([110, 120]), [PASSWORD])).toEqual(['AU4']);
    const caller = { user: 'u', token: 'y.105' };
    expect(judge(opened([110, 120], { caller }), [PASSWORD])).toEqual([]);
  });

  it('accepts a token that becomes void between the look at it and the look at the right', () => {
    expect(judge(opened([90, 210]), [PASSWORD, REVOKED])).toEqual([]);
    expect(judge(opened([150, 250]), [REVOKED, GRANTED])).toEqual([]);
    const stays: readonly RightsChange[] = [REVOKED, PASSWORD, GRANTED];
    // Good at 150, void from 200 on; the right is back at 300.
    expect(judge(opened([150, 310]), stays)).toEqual([]);
    expect(judge(opened([210, 310]), stays)).toEqual(['AU4']);
  });

  it('sees who is refused although he has the right, or a token that counts (AU5)', () => {
    expect(judge(refused([20, 30], DENIED))).toEqual(['AU5']);
    expect(judge(refused([20, 30], BAD_TOKEN))).toEqual(['AU5']);
    expect(judge(refused([20, 30], NO_USER))).toEqual(['AU5']);
    expect(judge(refused([210, 220], DENIED), [REVOKED, GRANTED])).toEqual(['AU5']);
    expect(judge(refused([110, 120], DENIED), [{ op: 'disable' }])).toEqual(['AU5']);
  });

  it('lets a member refuse a token that it has forgotten, or not heard of yet', () => {
    expect(judge(refused([20, 30], BAD_TOKEN), [], member({ beganAt: 15 }))).toEqual([]);
    expect(judge(refused([20, 30], BAD_TOKEN), [], member({ behindUs: 12 }))).toEqual([]);
    const late = 300_000_000;
    expect(judge(refused([late, late + 10], BAD_TOKEN))).toEqual([]);
  });

  it('sees a young token refused, however long the run has been going (AU5)', () => {
    const given = 600_000_000;
    const login: RightsChange = { op: 'authenticate', user: 'u', prefix: 'y' };
    const first = changesOf([]);
    const changes = [...first, { index: 100, atUs: given, revision: 2, change: login }];
    const after = (ageUs: number): string[] => {
      const when = [given + ageUs, given + ageUs + 10] as const;
      const watches = [refused(when, BAD_TOKEN, { caller: { user: 'u', token: 'y.100' } })];
      const standings = (): readonly Standing[] => [{ atUs: when[0], index: 120, beganAt: 0 }];
      return checkWatchRights({ watches, changes, standings }).map((each) => each.invariant);
    };
    expect(after(1_000_000)).toEqual(['AU5']);
    expect(after(239_000_000)).toEqual(['AU5']);
    expect(after(240_000_000)).toEqual([]);
  });

  it('says nothing of refusals for other reasons', () => {
    expect(judge(refused([20, 30], 'etcdserver: too many watchers'))).toEqual([]);
  });

  it('lets a watch outlive its right, and sees events from outside of its range (AU1)', () => {
    const told = (...events: WatchResponseRecord['events']): WatchRecord => {
      const created = response(30, { created: true });
      return opened([20, 30], { responses: [created, response(150, { events })] });
    };
    const withdrawn = told(event('b'), event('c', 3, 'c'));
    expect(judge(withdrawn, [REVOKED])).toEqual([]);
    expect(judge(told(event('d')), [REVOKED])).toEqual(['AU1']);
    expect(judge(told(event('c', 2, 'a')))).toEqual(['AU1']);
    const eras = erasOf(changesOf([REVOKED]));
    expect(outlivesItsRight(withdrawn, eras)).toBe(true);
    expect(outlivesItsRight(told(event('b')), eras)).toBe(false);
  });
});
