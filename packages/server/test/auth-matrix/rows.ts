/** Every RPC: what is asked, and what each caller is told (etcd 3.6.14; where 3.5 tells otherwise, see the test). */
import { utf8 } from '@etcd-ts/base';
import type { MethodName } from '@etcd-ts/protocol';
import { type CallerName, CLOSED_LEASE, openLease } from './callers.ts';

export const USER_EMPTY = '3 etcdserver: user name is empty';
export const BAD_TOKEN = '16 etcdserver: invalid auth token';
export const DENIED = '7 etcdserver: permission denied';

/** What each caller is told. */
export type Told = Readonly<Record<CallerName, string>>;

/** One call. */
export interface Row {
  readonly method: MethodName;
  /** What is special about this call of the method. */
  readonly what?: string;
  readonly ask: (caller: CallerName) => object;
  readonly told: Told;
}

/** Everybody who is somebody gets this answer. */
function anybody(answer = 'ok'): Told {
  const known = { weak: answer, able: answer, certificate: answer, root: answer };
  return { nobody: USER_EMPTY, liar: BAD_TOKEN, ...known };
}

/** Whoever has the right to [a, b), and root. */
function able(answer = 'ok'): Told {
  return { ...anybody(answer), weak: DENIED };
}

function root(answer = 'ok'): Told {
  return { ...anybody(answer), weak: DENIED, able: DENIED, certificate: DENIED };
}

function everyone(answer = 'ok'): Told {
  return { ...anybody(answer), nobody: answer, liar: answer };
}

/** What the Lock and Election services make of it. */
function unknown(told: Told): Told {
  const entries = Object.entries(told).map(([caller, text]) => [
    caller,
    text === 'ok' ? text : text.replace(/^\d+/, '2'),
  ]);
  return Object.fromEntries(entries) as Told;
}

/** In the stream, as the whole text of the error. */
function inStream(told: Told): Told {
  const codes: Readonly<Record<string, string>> = {
    [USER_EMPTY]: 'InvalidArgument',
    [BAD_TOKEN]: 'Unauthenticated',
    [DENIED]: 'PermissionDenied',
  };
  const entries = Object.entries(told).map(([caller, text]) => [
    caller,
    text === 'ok' ? text : `rpc error: code = ${codes[text]} desc = ${text.replace(/^\d+ /, '')}`,
  ]);
  return Object.fromEntries(entries) as Told;
}

const [a, a1, b, z] = ['a', 'a1', 'b', 'z'].map((text) => utf8(text)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const FROM_KEY = new Uint8Array([0]);
const NO_LEASE = 77_777n;
const put = (key: Uint8Array, more = {}) => ({
  request: { $case: 'requestPut', value: { key, ...more } },
});
const range = (key: Uint8Array, more = {}) => ({
  request: { $case: 'requestRange', value: { key, ...more } },
});
const nested = (success: readonly object[]) => ({
  request: { $case: 'requestTxn', value: { success } },
});

type Rows = readonly (readonly [what: string, ask: object | Row['ask'], told: Told])[];

function rows(method: MethodName, ...cases: Rows): readonly Row[] {
  return cases.map(([what, ask, told]) => {
    const asked = typeof ask === 'function' ? (ask as Row['ask']) : () => ask;
    return { method, ask: asked, told, ...(what === '' ? {} : { what }) };
  });
}

const data: readonly Row[] = [
  ...rows(
    'etcdserverpb.KV/Range',
    ['within the right', { key: a, rangeEnd: b }, able()],
    ['beyond the right', { key: a, rangeEnd: z }, root()],
    ['from a key on', { key: a1, rangeEnd: FROM_KEY }, root()],
    ['serializable', { key: a, serializable: true }, able()],
  ),
  ...rows('etcdserverpb.KV/RangeStream', ['', { key: a, rangeEnd: b }, able()]),
  ...rows(
    'etcdserverpb.KV/Put',
    ['within the right', { key: a1, prevKv: true }, able()],
    ['beyond the right', { key: z }, root()],
    ['under a lease of keys beyond the right', { key: a1, lease: CLOSED_LEASE }, root()],
  ),
  ...rows(
    'etcdserverpb.KV/DeleteRange',
    ['within the right', { key: a1, prevKv: true }, able()],
    ['beyond the right', { key: b, rangeEnd: z }, root()],
  ),
  ...rows(
    'etcdserverpb.KV/Txn',
    ['within the right', { compare: [{ key: a }], success: [put(a1)] }, able()],
    ['with a compare beyond it', { compare: [{ key: z }], success: [put(a1)] }, root()],
    [
      'that reads, with a compare beyond it',
      { compare: [{ key: z }], success: [range(a)] },
      root(),
    ],
    ['with a branch beyond it that is not taken', { success: [put(a)], failure: [put(z)] }, root()],
    ['that reads beyond it in a nested one', { success: [nested([range(z)])] }, root()],
    ['that writes beyond it in a nested one', { success: [nested([put(z)])] }, root()],
    ['with a lease of keys beyond it', { success: [put(a, { lease: CLOSED_LEASE })] }, root()],
  ),
  ...rows('etcdserverpb.KV/Compact', ['', { revision: 1 }, root()]),
  ...rows(
    'etcdserverpb.Watch/Watch',
    [
      'within the right',
      { requestUnion: { $case: 'createRequest', value: { key: a, rangeEnd: b } } },
      inStream(able()),
    ],
    [
      'from a key on',
      { requestUnion: { $case: 'createRequest', value: { key: a, rangeEnd: FROM_KEY } } },
      inStream(root()),
    ],
  ),
  ...rows('etcdserverpb.Lease/LeaseGrant', ['', { TTL: 60 }, anybody()]),
  ...rows(
    'etcdserverpb.Lease/LeaseTimeToLive',
    ['without keys', { ID: CLOSED_LEASE }, anybody()],
    ['with keys within the right', (c) => ({ ID: openLease(c), keys: true }), able()],
    ['with keys beyond the right', { ID: CLOSED_LEASE, keys: true }, root()],
  ),
  ...rows(
    'etcdserverpb.Lease/LeaseKeepAlive',
    ['of keys within the right', (c) => ({ ID: openLease(c) }), able()],
    ['of keys beyond the right', { ID: CLOSED_LEASE }, root()],
    ['of no keys', { ID: NO_LEASE }, anybody()],
  ),
  ...rows('etcdserverpb.Lease/LeaseLeases', ['', {}, root()]),
  ...rows(
    'etcdserverpb.Lease/LeaseRevoke',
    ['of keys within the right', (c) => ({ ID: openLease(c) }), able()],
    ['of keys beyond the right', { ID: CLOSED_LEASE }, root()],
    ['of no keys', { ID: NO_LEASE }, anybody('5 etcdserver: requested lease not found')],
  ),
];

const NOT_FOUND = '5 etcdserver: member not found';
const UNKNOWN_MEMBER = { ID: 77n };
const NEW_MEMBER = { peerURLs: ['http://127.0.0.1:1'], isLearner: true };

const admin: readonly Row[] = [
  ...rows('etcdserverpb.Cluster/MemberList', ['', { linearizable: true }, anybody()]),
  ...rows('etcdserverpb.Cluster/MemberAdd', ['', NEW_MEMBER, root()]),
  ...rows('etcdserverpb.Cluster/MemberRemove', ['', UNKNOWN_MEMBER, root(NOT_FOUND)]),
  ...rows('etcdserverpb.Cluster/MemberUpdate', [
    '',
    { ...UNKNOWN_MEMBER, peerURLs: ['http://127.0.0.1:2'] },
    root(NOT_FOUND),
  ]),
  ...rows('etcdserverpb.Cluster/MemberPromote', ['', UNKNOWN_MEMBER, root(NOT_FOUND)]),
  ...rows(
    'etcdserverpb.Maintenance/Alarm',
    ['to look', { action: 0 }, anybody()],
    ['to change', { action: 2, memberID: 1n, alarm: 1 }, root()],
  ),
  ...rows('etcdserverpb.Maintenance/Status', ['', {}, anybody()]),
  ...rows('etcdserverpb.Maintenance/Defragment', ['', {}, root()]),
  ...rows('etcdserverpb.Maintenance/Hash', ['', {}, root()]),
  ...rows('etcdserverpb.Maintenance/HashKV', ['', {}, root()]),
  ...rows('etcdserverpb.Maintenance/Snapshot', ['', {}, root()]),
  ...rows('etcdserverpb.Maintenance/MoveLeader', [
    '',
    { targetID: 77n },
    root('9 etcdserver: bad leader transferee'),
  ]),
  ...rows('etcdserverpb.Maintenance/Downgrade', [
    '',
    { action: 0, version: 'x' },
    root('3 etcdserver: wrong downgrade target version format'),
  ]),
];

const auth: readonly Row[] = [
  ...rows('etcdserverpb.Auth/Authenticate', ['', { name: 'weak', password: 'weak' }, everyone()]),
  ...rows('etcdserverpb.Auth/AuthStatus', ['', {}, root()]),
  ...rows('etcdserverpb.Auth/AuthEnable', ['', {}, root()]),
  ...rows('etcdserverpb.Auth/UserAdd', ['', (c) => ({ name: `new-${c}`, password: 'p' }), root()]),
  ...rows(
    'etcdserverpb.Auth/UserGet',
    ['of another', { name: 'of-weak' }, root()],
    ['of oneself', { name: 'able' }, { ...root(), able: 'ok', certificate: 'ok' }],
  ),
  ...rows('etcdserverpb.Auth/UserList', ['', {}, root()]),
  ...rows('etcdserverpb.Auth/UserChangePassword', ['', { name: 'of-weak', password: 'q' }, root()]),
  ...rows('etcdserverpb.Auth/UserGrantRole', [
    '',
    (c) => ({ user: 'of-weak', role: `role-of-${c}` }),
    root(),
  ]),
  ...rows('etcdserverpb.Auth/UserRevokeRole', [
    '',
    (c) => ({ name: 'of-weak', role: `role-of-${c}` }),
    root(),
  ]),
  ...rows('etcdserverpb.Auth/UserDelete', ['', (c) => ({ name: `of-${c}` }), root()]),
  ...rows('etcdserverpb.Auth/RoleAdd', ['', (c) => ({ name: `new-${c}` }), root()]),
  ...rows(
    'etcdserverpb.Auth/RoleGet',
    ['of another', { role: 'role-of-weak' }, root()],
    ['of one’s own', { role: 'r' }, { ...root(), able: 'ok', certificate: 'ok' }],
  ),
  ...rows('etcdserverpb.Auth/RoleList', ['', {}, root()]),
  ...rows('etcdserverpb.Auth/RoleGrantPermission', [
    '',
    (c) => ({ name: `role-of-${c}`, perm: { permType: 0, key: z } }),
    root(),
  ]),
  ...rows('etcdserverpb.Auth/RoleRevokePermission', [
    '',
    (c) => ({ role: `role-of-${c}`, key: z }),
    root(),
  ]),
  ...rows('etcdserverpb.Auth/RoleDelete', ['', (c) => ({ role: `role-of-${c}` }), root()]),
];

const nameOf = (c: CallerName) => utf8(`a/${c}`);
const leaderOf = (c: CallerName) => ({ leader: { name: nameOf(c), key: a1, rev: 1 } });

const recipes: readonly Row[] = [
  ...rows(
    'v3lockpb.Lock/Lock',
    ['within the right', (c) => ({ name: nameOf(c) }), unknown(able())],
    ['beyond the right', (c) => ({ name: utf8(`z/${c}`) }), unknown(root())],
  ),
  ...rows('v3lockpb.Lock/Unlock', ['', { key: a1 }, unknown(able())]),
  ...rows('v3electionpb.Election/Campaign', [
    '',
    (c) => ({ name: utf8(`a-election-${c}`), value: a }),
    unknown(able()),
  ]),
  ...rows('v3electionpb.Election/Leader', [
    '',
    (c) => ({ name: utf8(`a-election-${c}`) }),
    unknown(able()),
  ]),
  ...rows('v3electionpb.Election/Observe', [
    '',
    (c) => ({ name: utf8(`a-election-${c}`) }),
    { ...able(), nobody: 'ended', liar: 'ended', weak: 'ended' },
  ]),
  ...rows('v3electionpb.Election/Proclaim', [
    '',
    leaderOf,
    unknown(able('2 election: not leader')),
  ]),
  ...rows('v3electionpb.Election/Resign', ['', leaderOf, unknown(able())]),
];

const LIST_SERVICES = { messageRequest: { $case: 'listServices', value: '' } };

const open: readonly Row[] = [
  ...rows('grpc.reflection.v1.ServerReflection/ServerReflectionInfo', [
    '',
    LIST_SERVICES,
    everyone(),
  ]),
  ...rows('grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo', [
    '',
    LIST_SERVICES,
    everyone(),
  ]),
  ...rows('grpc.health.v1.Health/Check', ['', {}, everyone()]),
  ...rows('grpc.health.v1.Health/Watch', ['', {}, everyone()]),
  ...rows('grpc.health.v1.Health/List', ['', {}, everyone()]),
];

/** In the order in which they are asked; the last switches authentication off. */
export const ROWS: readonly Row[] = [
  ...data,
  ...recipes,
  ...admin,
  ...auth,
  ...open,
  ...rows('etcdserverpb.Auth/AuthDisable', ['', {}, root()]),
];

/** Who has the right to [a, b). */
const HOLDERS: readonly CallerName[] = ['able', 'certificate'];

/** Methods whose refusals 3.5 sends in the words of its inner layers, with code Unknown. */
const RAW_IN_35 = /Maintenance\/(Defragment|Hash|HashKV|Snapshot)$/;

/** What etcd 3.5.30 tells: the same, but for what later versions have mended. */
export function toldBy35({ method, what, told }: Row, caller: CallerName): string {
  const text = told[caller];
  if (method === 'etcdserverpb.KV/RangeStream') {
    return '12 unknown method RangeStream for service etcdserverpb.KV';
  }
  if (method.startsWith('grpc.reflection.')) {
    return `12 unknown service ${method.slice(0, method.indexOf('/'))}`;
  }
  // For root alone before 3.5.32.
  if (method === 'etcdserverpb.Maintenance/Status' && text === 'ok' && caller !== 'root') {
    return DENIED;
  }
  // The hole that GHSA-xg4h-6gfc-h4m8 is about.
  if (
    method === 'etcdserverpb.Watch/Watch' &&
    what === 'from a key on' &&
    HOLDERS.includes(caller)
  ) {
    return 'ok';
  }
  if (RAW_IN_35.test(method) && [USER_EMPTY, BAD_TOKEN, DENIED].includes(text)) {
    return text.replace(/^\d+ etcdserver:/, '2 auth:');
  }
  return text;
}
