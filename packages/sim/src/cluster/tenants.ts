/** Users and roles that an operator makes while authentication is on, and what he changes about them all the while. */
import { PermissionType, type RequestOf } from '@etcd-ts/protocol';
import { utf8 } from '@etcd-ts/base';
import type { RandomStream } from '../world/random.ts';

const { READ, WRITE, READWRITE } = PermissionType;
const ALL_TYPES: readonly number[] = [READ, WRITE, READWRITE];
/** How many tenants there are. */
export const TENANTS = 2;
/** The passwords that tenants are given in turn. */
export const PASSWORDS: readonly string[] = ['first', 'second'];

/** The name of a tenant, and of the role that he has first. */
export function tenantName(number: number): string {
  return `tenant-${number}`;
}

/** The keys of each tenant; both may touch those in the middle. */
const RANGES: readonly { readonly key: string; readonly rangeEnd: string }[] = [
  { key: 'key/0', rangeEnd: 'key/4' },
  { key: 'key/2', rangeEnd: 'key0' },
];

/** One thing that an operator asks for. */
export type AuthRequest = {
  [Method in AuthMethod]: readonly [Method, RequestOf<Method>];
}[AuthMethod];

type AuthMethod =
  | 'etcdserverpb.Auth/UserAdd'
  | 'etcdserverpb.Auth/UserDelete'
  | 'etcdserverpb.Auth/UserChangePassword'
  | 'etcdserverpb.Auth/UserGrantRole'
  | 'etcdserverpb.Auth/UserRevokeRole'
  | 'etcdserverpb.Auth/RoleAdd'
  | 'etcdserverpb.Auth/RoleDelete'
  | 'etcdserverpb.Auth/RoleGrantPermission'
  | 'etcdserverpb.Auth/RoleRevokePermission';

/** Whatever makes a tenant what he is at first; what is there already is refused. */
export function makeTenant(number: number): readonly AuthRequest[] {
  const name = tenantName(number);
  return [
    addUser(name),
    ['etcdserverpb.Auth/RoleAdd', { name }],
    grantPermission(number, READWRITE),
    grantRole(name),
  ];
}

/** Something that an operator changes about the tenants; `halfRights`: he gives the rights to read and to write apart. */
export function drawChange(random: RandomStream, halfRights: boolean): AuthRequest {
  const number = random.below(TENANTS);
  const name = tenantName(number);
  const changes: readonly (() => AuthRequest)[] = [
    () => grantPermission(number, halfRights ? random.pick(ALL_TYPES) : READWRITE),
    () => grantRole(name),
    () => revokePermission(number),
    () => ['etcdserverpb.Auth/UserRevokeRole', { name, role: name }],
    () => [
      'etcdserverpb.Auth/UserChangePassword',
      { name, password: random.pick(PASSWORDS), hashedPassword: '' },
    ],
    () => ['etcdserverpb.Auth/UserDelete', { name }],
    () => addUser(name),
    () => ['etcdserverpb.Auth/RoleDelete', { role: name }],
    () => ['etcdserverpb.Auth/RoleAdd', { name }],
  ];
  return random.pick(changes)();
}

function addUser(name: string): AuthRequest {
  const options = { noPassword: false };
  const [password = ''] = PASSWORDS;
  return ['etcdserverpb.Auth/UserAdd', { name, password, hashedPassword: '', options }];
}

function grantRole(name: string): AuthRequest {
  return ['etcdserverpb.Auth/UserGrantRole', { user: name, role: name }];
}

function grantPermission(number: number, permType: number): AuthRequest {
  const { key, rangeEnd } = RANGES[number] ?? { key: '', rangeEnd: '' };
  const perm = { permType, key: utf8(key), rangeEnd: utf8(rangeEnd) };
  return ['etcdserverpb.Auth/RoleGrantPermission', { name: tenantName(number), perm }];
}

function revokePermission(number: number): AuthRequest {
  const { key, rangeEnd } = RANGES[number] ?? { key: '', rangeEnd: '' };
  const range = { key: utf8(key), rangeEnd: utf8(rangeEnd) };
  return ['etcdserverpb.Auth/RoleRevokePermission', { role: tenantName(number), ...range }];
}
