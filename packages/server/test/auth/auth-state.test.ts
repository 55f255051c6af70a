import { beforeEach, describe, expect, test } from 'vitest';
import { EMPTY_BYTES, utf8 } from '@etcd-ts/base';
import { AuthState } from '../../src/auth/auth-state.ts';
import {
  PERMISSION_READ,
  PERMISSION_READWRITE,
  PERMISSION_WRITE,
} from '../../src/auth/permission.ts';

const hash = utf8('$2a$10$hash');
const permission = (permType: number, key: string, end = '') => ({
  permType,
  key: utf8(key),
  rangeEnd: utf8(end),
});

let auth: AuthState;

function addUser(name: string, ...roles: string[]): void {
  expect(auth.addUser({ name, passwordHash: hash, noPassword: false })).toBeTypeOf('object');
  for (const role of roles) expect(auth.grantRole(name, role)).toBeTypeOf('object');
}

function check(username: string, access: 'read' | 'write', key: string, end = '') {
  const caller = { username, authRevision: auth.revision };
  return auth.checkRange(caller, access, utf8(key), utf8(end));
}

beforeEach(() => {
  auth = new AuthState();
});

describe('switching on and off', () => {
  test('needs user root in role root, but no role record of that name', () => {
    expect(auth.enable()).toBe('ROOT_USER_NOT_EXIST');
    addUser('root');
    expect(auth.enable()).toBe('ROOT_ROLE_NOT_EXIST');
    expect(auth.grantRole('root', 'root')).toBeTypeOf('object');
    expect(auth.enable()).toBeTypeOf('object');
    expect(auth.enabled).toBe(true);
    expect(auth.enable()).toBeTypeOf('object');
  });

  test('does not move the revision on, and moves it by one off', () => {
    addUser('root', 'root');
    const before = auth.revision;
    auth.enable();
    expect(auth.revision).toBe(before);
    expect(auth.disable().revokedTokens).toBe('all');
    expect(auth.revision).toBe(before + 1);
    auth.disable();
    expect(auth.revision).toBe(before + 1);
  });
});

test('a fresh store is at revision 1 and every change moves it by one', () => {
  expect(auth.revision).toBe(1);
  addUser('a');
  auth.addRole('r');
  auth.grantRole('a', 'r');
  auth.grantPermission('r', permission(PERMISSION_READ, 'k'));
  auth.revokePermission('r', utf8('k'), EMPTY_BYTES);
  auth.revokeRole('a', 'r');
  auth.changePassword('a', hash);
  auth.deleteRole('r');
  auth.deleteUser('a');
  expect(auth.revision).toBe(10);
});

test('a refused change leaves the revision', () => {
  expect(auth.addUser({ name: '', passwordHash: hash, noPassword: false })).toBe('USER_EMPTY');
  expect(auth.addRole('')).toBe('ROLE_EMPTY');
  expect(auth.deleteUser('a')).toBe('USER_NOT_FOUND');
  expect(auth.grantRole('a', 'r')).toBe('USER_NOT_FOUND');
  expect(auth.changePassword('a', hash)).toBe('USER_NOT_FOUND');
  expect(auth.deleteRole('r')).toBe('ROLE_NOT_FOUND');
  expect(auth.grantPermission('r', undefined)).toBe('PERMISSION_NOT_GIVEN');
  expect(auth.grantPermission('r', permission(PERMISSION_READ, 'k'))).toBe('ROLE_NOT_FOUND');
  expect(auth.grantPermission('r', permission(PERMISSION_READ, ''))).toBe('INVALID_AUTH_MGMT');
  expect(auth.grantPermission('r', permission(0, 'b', 'a'))).toBe('INVALID_AUTH_MGMT');
  expect(auth.grantPermission('r', permission(0, 'b', 'b'))).toBe('INVALID_AUTH_MGMT');
  expect(auth.revokePermission('r', utf8('k'), EMPTY_BYTES)).toBe('ROLE_NOT_FOUND');
  expect(auth.revision).toBe(1);
});

test('duplicates are refused, and a role granted twice changes nothing', () => {
  addUser('a');
  auth.addRole('r');
  expect(auth.addUser({ name: 'a', passwordHash: hash, noPassword: false })).toBe(
    'USER_ALREADY_EXIST',
  );
  expect(auth.addRole('r')).toBe('ROLE_ALREADY_EXIST');
  auth.grantRole('a', 'r');
  const before = auth.revision;
  expect(auth.grantRole('a', 'r')).toBeTypeOf('object');
  expect(auth.revision).toBe(before);
  expect(auth.revokeRole('a', 'x')).toBe('ROLE_NOT_GRANTED');
});

test('roles of a user and permissions of a role are listed in byte order', () => {
  addUser('a');
  for (const role of ['z', 'b', '\u{1F600}', '\uFFFD']) {
    auth.addRole(role);
    auth.grantRole('a', role);
  }
  expect(auth.user('a')?.roles).toEqual(['b', 'z', '\uFFFD', '\u{1F600}']);
  auth.grantPermission('b', permission(0, 'k2'));
  auth.grantPermission('b', permission(0, 'k1', 'k3'));
  auth.grantPermission('b', permission(0, 'k1'));
  const ranges = auth.role('b')?.permissions.map(({ key, rangeEnd }) => [key, rangeEnd]);
  expect(ranges).toEqual([
    [utf8('k1'), EMPTY_BYTES],
    [utf8('k1'), utf8('k3')],
    [utf8('k2'), EMPTY_BYTES],
  ]);
});

describe('while it is on', () => {
  beforeEach(() => {
    addUser('root', 'root');
    auth.addRole('r');
    addUser('a', 'r');
    auth.enable();
  });

  test('user root, role root and root in root cannot be removed', () => {
    expect(auth.deleteUser('root')).toBe('INVALID_AUTH_MGMT');
    expect(auth.deleteRole('root')).toBe('INVALID_AUTH_MGMT');
    expect(auth.revokeRole('root', 'root')).toBe('INVALID_AUTH_MGMT');
  });

  test('role root passes every check, other roles only their ranges', () => {
    auth.grantPermission('r', permission(PERMISSION_READ, 'r'));
    auth.grantPermission('r', permission(PERMISSION_WRITE, 'w'));
    auth.grantPermission('r', permission(PERMISSION_READWRITE, 'x', 'z'));
    expect(check('root', 'write', 'anything', '\0')).toBeUndefined();
    expect(check('a', 'read', 'r')).toBeUndefined();
    expect(check('a', 'write', 'r')).toBe('PERMISSION_DENIED');
    expect(check('a', 'write', 'w')).toBeUndefined();
    expect(check('a', 'read', 'w')).toBe('PERMISSION_DENIED');
    expect(check('a', 'read', 'x', 'z')).toBeUndefined();
    expect(check('a', 'write', 'y')).toBeUndefined();
    expect(check('a', 'read', 'x', '\0')).toBe('PERMISSION_DENIED');
    expect(check('a', 'read', 'z', 'x')).toBe('PERMISSION_DENIED');
  });

  test('a caller without a name, of an old revision or deleted since is refused', () => {
    const range = ['read', utf8('k'), EMPTY_BYTES] as const;
    expect(auth.checkRange({ username: '', authRevision: 0 }, ...range)).toBe('USER_EMPTY');
    const old = { username: 'root', authRevision: auth.revision };
    auth.addRole('new');
    expect(auth.checkRange(old, ...range)).toBe('AUTH_OLD_REVISION');
    expect(check('nobody', 'read', 'k')).toBe('PERMISSION_DENIED');
  });

  test('a permission for the same range is replaced, and its right goes at once', () => {
    auth.grantPermission('r', permission(PERMISSION_READWRITE, 'k'));
    expect(check('a', 'write', 'k')).toBeUndefined();
    auth.grantPermission('r', permission(PERMISSION_READ, 'k'));
    expect(auth.role('r')?.permissions).toHaveLength(1);
    expect(check('a', 'write', 'k')).toBe('PERMISSION_DENIED');
  });

  test('deleting a role takes it from its users, whose tokens stay', () => {
    auth.grantPermission('r', permission(PERMISSION_READ, 'k'));
    expect(check('a', 'read', 'k')).toBeUndefined();
    expect(auth.deleteRole('r')).toMatchObject({ users: ['a'], revokedTokens: [] });
    expect(auth.user('a')?.roles).toEqual([]);
    expect(check('a', 'read', 'k')).toBe('PERMISSION_DENIED');
  });

  test('only role root is an administrator', () => {
    expect(auth.checkAdmin('root')).toBeUndefined();
    expect(auth.checkAdmin('a')).toBe('PERMISSION_DENIED');
    expect(auth.checkAdmin('')).toBe('USER_EMPTY');
    expect(auth.checkAdmin('gone')).toBe('USER_NOT_FOUND');
  });
});

test('while it is off every check passes', () => {
  expect(check('', 'write', 'k')).toBeUndefined();
  expect(auth.checkAdmin('')).toBeUndefined();
});
