/** Draws changes of users, roles and permissions over a handful of names, and who asks. */
import { prefixEnd, utf8 } from '@etcd-ts/base';
import {
  AuthRoleAddRequest,
  AuthRoleDeleteRequest,
  AuthRoleGetRequest,
  AuthRoleGrantPermissionRequest,
  AuthRoleListRequest,
  AuthRoleRevokePermissionRequest,
  AuthStatusRequest,
  AuthUserAddRequest,
  AuthUserDeleteRequest,
  AuthUserGetRequest,
  AuthUserGrantRoleRequest,
  AuthUserListRequest,
  AuthUserRevokeRoleRequest,
  AuthEnableRequest,
} from '@etcd-ts/protocol';
import type { Draw } from './draw.ts';
import type { UnaryStep } from './step.ts';

/** Users of a run; `ghost` comes and goes, the empty name is nobody's. */
const USERS: readonly string[] = ['root', 'ann', 'bob', 'ghost', ''];
const ROLES: readonly string[] = ['root', 'r1', 'r2', 'gone', ''];
const KEYS: readonly Uint8Array[] = [
  utf8('a'),
  utf8('ab'),
  utf8('b'),
  utf8('p/'),
  utf8('p/1'),
  new Uint8Array(0),
];

/** One range end for each key: with two, real etcd replaces the one or adds the other, as its search falls. */
function keys(draw: Draw): { key: Uint8Array; rangeEnd: Uint8Array } {
  const at = draw.below(KEYS.length);
  const key = draw.pick([KEYS[at]!]);
  const ends = [
    utf8('c'),
    new Uint8Array(0),
    new Uint8Array([0]),
    prefixEnd(key),
    utf8('a'),
    utf8('z'),
  ];
  return { key, rangeEnd: ends[at]! };
}

/** What sets a run up: root, two users with a role each, some keys for each role. */
export const SETUP: readonly UnaryStep[] = [
  ...['root', 'ann', 'bob'].map((name): UnaryStep => ({
    method: 'etcdserverpb.Auth/UserAdd',
    request: AuthUserAddRequest.fromPartial({ name, password: name }),
  })),
  ...['r1', 'r2'].map((name): UnaryStep => ({
    method: 'etcdserverpb.Auth/RoleAdd',
    request: AuthRoleAddRequest.fromPartial({ name }),
  })),
  ...(
    [
      ['root', 'root'],
      ['ann', 'r1'],
      ['bob', 'r2'],
    ] as const
  ).map(([user, role]): UnaryStep => ({
    method: 'etcdserverpb.Auth/UserGrantRole',
    request: AuthUserGrantRoleRequest.fromPartial({ user, role }),
  })),
  {
    method: 'etcdserverpb.Auth/RoleGrantPermission',
    request: AuthRoleGrantPermissionRequest.fromPartial({
      name: 'r1',
      perm: { permType: 2, key: utf8('a'), rangeEnd: utf8('c') },
    }),
  },
  { method: 'etcdserverpb.Auth/AuthEnable', request: AuthEnableRequest.fromPartial({}) },
];

/** Draws one request to the Auth service that leaves authentication on. */
export function drawAuth(draw: Draw): UnaryStep {
  const user = draw.pick(USERS);
  const role = draw.pick(ROLES);
  const range = keys(draw);
  return draw.weighted<() => UnaryStep>([
    [
      8,
      () => ({
        method: 'etcdserverpb.Auth/RoleGrantPermission',
        request: AuthRoleGrantPermissionRequest.fromPartial({
          name: role,
          perm: draw.oneIn(10) ? undefined : { permType: draw.below(3), ...range },
        }),
      }),
    ],
    [
      6,
      () => ({
        method: 'etcdserverpb.Auth/RoleRevokePermission',
        request: AuthRoleRevokePermissionRequest.fromPartial({ role, ...range }),
      }),
    ],
    [
      4,
      () => ({
        method: 'etcdserverpb.Auth/UserGrantRole',
        request: AuthUserGrantRoleRequest.fromPartial({ user, role }),
      }),
    ],
    [
      3,
      () => ({
        method: 'etcdserverpb.Auth/UserRevokeRole',
        request: AuthUserRevokeRoleRequest.fromPartial({ name: user, role }),
      }),
    ],
    [
      3,
      () => ({
        method: 'etcdserverpb.Auth/UserGet',
        request: AuthUserGetRequest.fromPartial({ name: user }),
      }),
    ],
    [
      3,
      () => ({
        method: 'etcdserverpb.Auth/RoleGet',
        request: AuthRoleGetRequest.fromPartial({ role }),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Auth/UserList',
        request: AuthUserListRequest.fromPartial({}),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Auth/RoleList',
        request: AuthRoleListRequest.fromPartial({}),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Auth/AuthStatus',
        request: AuthStatusRequest.fromPartial({}),
      }),
    ],
    [
      2,
      () => ({
        method: 'etcdserverpb.Auth/RoleAdd',
        request: AuthRoleAddRequest.fromPartial({ name: role }),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Auth/RoleDelete',
        request: AuthRoleDeleteRequest.fromPartial({ role }),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Auth/UserAdd',
        request: AuthUserAddRequest.fromPartial({
          name: draw.pick(['ghost', 'ann', '']),
          password: 'x',
        }),
      }),
    ],
    [
      1,
      () => ({
        method: 'etcdserverpb.Auth/UserDelete',
        request: AuthUserDeleteRequest.fromPartial({ name: draw.pick(['ghost', 'root', 'none']) }),
      }),
    ],
  ])();
}
