/** The log's verdicts about rights: each history is right as a whole, and wrong with one verdict changed. */
import { utf8 } from '@etcd-ts/base';
import { describe, expect, it } from 'vitest';
import { checkRightVerdicts } from '../src/checkers/right-verdicts.ts';
import type { GhostCommand, GhostEntry } from '../src/cluster/ghost.ts';
import type { RightsChange } from '../src/model/rights-model.ts';
import { put } from './fixtures/history-maker.ts';

type Verdict = string | undefined;
type Log = readonly (readonly [GhostCommand, Verdict?])[];
type PutCommand = Extract<GhostCommand, { kind: 'put' }>;

const found = (...log: Log): string[] => {
  const entries = log.map(([command, verdict = 'ok']): GhostEntry => {
    const base = { term: 1, decidedBy: 1, keysHash: 0, restHash: '', atUs: 0, revision: 1 };
    return { ...base, kind: command.kind, command, verdict, wrote: false };
  });
  return checkRightVerdicts([undefined, ...entries]).map((each) => each.invariant);
};

const by = (username: string, authRevision: number) => ({ caller: { username, authRevision } });
const change = (made: RightsChange, caller = {}): GhostCommand => ({
  kind: 'auth',
  change: made,
  ...caller,
});
const hash = { passwordHash: utf8(''), noPassword: false };
const permission = { permType: 2, key: utf8('a'), rangeEnd: utf8('e') };

/** User `u` may touch [a, e), through role `r`; rights count from then on, and the users and roles are at 7. */
const FIRST: Log = (
  [
    { op: 'addUser', user: 'root', ...hash },
    { op: 'grantRole', user: 'root', role: 'root' },
    { op: 'addUser', user: 'u', ...hash },
    { op: 'addRole', role: 'r' },
    { op: 'grantPermission', role: 'r', permission },
    { op: 'grantRole', user: 'u', role: 'r' },
    // It is so already.
    { op: 'grantRole', user: 'u', role: 'r' },
    { op: 'enable' },
  ] as const
).map((made) => [change(made)]);
const NOW = 7;

const putBy = (key: string, caller = {}, lease = 0n): GhostCommand => ({
  ...(put(key, 'x', lease) as PutCommand),
  ...caller,
});
const compactBy = (caller = {}): GhostCommand => ({
  kind: 'compact',
  request: { revision: 1, physical: false },
  ...caller,
});
const grantBy = (caller = {}): GhostCommand => ({
  kind: 'leaseGrant',
  request: { ID: 7n, TTL: 5 },
  ...caller,
});

/** By the book, once rights count. */
const RIGHT: Log = [
  [putBy('a', by('u', NOW))],
  [putBy('z', by('root', NOW))],
  [putBy('z', by('u', NOW)), 'PERMISSION_DENIED'],
  [putBy('a', by('nobody', NOW)), 'PERMISSION_DENIED'],
  [putBy('a', by('u', NOW - 1)), 'AUTH_OLD_REVISION'],
  [putBy('a'), 'USER_EMPTY'],
  [compactBy(by('root', NOW))],
  // A member compacts by itself.
  [compactBy(by('', -1))],
  [compactBy(by('u', NOW)), 'PERMISSION_DENIED'],
  [compactBy(by('nobody', NOW)), 'USER_NOT_FOUND'],
  [compactBy(), 'USER_EMPTY'],
  [grantBy(by('u', NOW))],
  [grantBy(by('u', NOW - 1)), 'AUTH_OLD_REVISION'],
  [grantBy(), 'USER_EMPTY'],
  [change({ op: 'authenticate', user: 'u', prefix: 'x' })],
  [change({ op: 'addRole', role: 'q' }, by('u', NOW)), 'PERMISSION_DENIED'],
];

describe('the verdicts of the log about rights', () => {
  it('are accepted where they are by the book, and whatever else a command is refused for', () => {
    expect(found(...FIRST, ...RIGHT)).toEqual([]);
    expect(found(...FIRST, [putBy('a', by('u', NOW)), 'NO_SPACE'])).toEqual([]);
    expect(found([putBy('z')], ...FIRST)).toEqual([]);
  });

  it('are seen through one by one when they let in whom they had to refuse (AU1)', () => {
    for (const [command, verdict] of RIGHT) {
      if (verdict === undefined) continue;
      expect(found(...FIRST, [command])).toEqual(['AU1']);
      expect(found(...FIRST, [command, 'NO_SPACE'])).toEqual(['AU1']);
    }
  });

  it('are seen through one by one when they refuse without a reason (AU5)', () => {
    for (const [command, verdict] of RIGHT) {
      if (verdict !== undefined) continue;
      if (command.kind === 'auth') continue;
      for (const wrong of ['PERMISSION_DENIED', 'USER_EMPTY', 'AUTH_OLD_REVISION']) {
        expect(found(...FIRST, [command, wrong])).toEqual(['AU5']);
      }
    }
    expect(found([putBy('a'), 'USER_EMPTY'])).toEqual(['AU5']);
    const off = change({ op: 'disable' }, by('root', NOW));
    expect(found(...FIRST, [off], [putBy('a'), 'USER_EMPTY'])).toEqual(['AU5']);
  });

  it('go by what changed before their entry, and by nothing that changed nothing', () => {
    const again = change({ op: 'grantRole', user: 'u', role: 'r' }, by('root', NOW));
    expect(found(...FIRST, [again], [putBy('a', by('u', NOW))])).toEqual([]);
    const revoked = change({ op: 'revokeRole', user: 'u', role: 'r' }, by('root', NOW));
    expect(
      found(
        ...FIRST,
        [revoked],
        [putBy('a', by('u', NOW)), 'AUTH_OLD_REVISION'],
        [putBy('a', by('u', NOW + 1)), 'PERMISSION_DENIED'],
      ),
    ).toEqual([]);
    expect(found(...FIRST, [revoked], [putBy('a', by('u', NOW + 1))])).toEqual(['AU1']);
    const refused = [revoked, 'PERMISSION_DENIED'] as const;
    expect(found([revoked, 'ROLE_NOT_GRANTED'], ...FIRST, [putBy('a', by('u', NOW))])).toEqual([]);
    expect(found(...FIRST, refused, [putBy('a', by('u', NOW))])).toEqual(['AU5']);
  });

  it('are not judged where a lease asks for more rights', () => {
    expect(found(...FIRST, [putBy('a', by('u', NOW), 7n), 'PERMISSION_DENIED'])).toEqual([]);
    expect(found(...FIRST, [putBy('a', by('u', NOW), 7n), 'USER_EMPTY'])).toEqual(['AU5']);
  });
});
