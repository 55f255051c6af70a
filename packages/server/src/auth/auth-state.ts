/**
 * Users, roles and permissions as replicated state: the same on every member after the same index.
 *
 * Pure: no clock, no randomness, no promise; passwords come hashed. Rules and order of checks are those of etcd
 * (server/auth/store.go).
 *
 * What always holds
 * - `revision` grows by one with every change of a user, role or permission and when authentication is switched off,
 *   and never otherwise.
 * - A user's roles, a role's permissions and both tables are sorted, whatever the order of the changes was.
 * - While enabled: user root exists and has role root.
 */
import { assert, compareBytes, equalBytes } from '@etcd-ts/base';
import { KeyIntervals, type KeyInterval, keyInterval } from './key-intervals.ts';
import { gives, mayKeyRangeBePermitted, type Permission } from './permission.ts';
import { byNameBytes, SortedTable } from './sorted-table.ts';

/** The user and the role that may do everything. */
export const ROOT = 'root';

/** Why a change or a check was refused; each is one of etcd's errors. */
export type AuthProblem =
  | 'ROOT_USER_NOT_EXIST'
  | 'ROOT_ROLE_NOT_EXIST'
  | 'USER_ALREADY_EXIST'
  | 'USER_EMPTY'
  | 'USER_NOT_FOUND'
  | 'ROLE_ALREADY_EXIST'
  | 'ROLE_NOT_FOUND'
  | 'ROLE_EMPTY'
  | 'PERMISSION_NOT_GIVEN'
  | 'PERMISSION_DENIED'
  | 'ROLE_NOT_GRANTED'
  | 'PERMISSION_NOT_GRANTED'
  | 'INVALID_AUTH_MGMT'
  | 'AUTH_OLD_REVISION';

/** A user. */
export interface AuthUser {
  readonly name: string;
  /** bcrypt hash as text bytes; empty for a user without a usable password. */
  readonly passwordHash: Uint8Array;
  /** May come by client certificate only. */
  readonly noPassword: boolean;
  /** Sorted. */
  readonly roles: readonly string[];
}

/** A role. */
export interface AuthRole {
  readonly name: string;
  /** Sorted by key, then range end. */
  readonly permissions: readonly Permission[];
}

/** What changed, so that whoever persists or caches it need not look at everything. */
export interface AuthChange {
  readonly users: readonly string[];
  readonly roles: readonly string[];
  /** Users whose tokens are void from now on; `all` when authentication was switched off. */
  readonly revokedTokens: readonly string[] | 'all';
}

/** A change that was made, or why not. */
export type AuthResult = AuthChange | AuthProblem;

const NOTHING_CHANGED: AuthChange = { users: [], roles: [], revokedTokens: [] };

/** Users, roles, the switch and the revision. */
export class AuthState {
  #enabled = false;
  #revision = 1;
  readonly #users = new SortedTable<AuthUser>();
  readonly #roles = new SortedTable<AuthRole>();
  /** What each user may read and write, made when first asked for after a change. */
  readonly #rights = new Map<string, { read: KeyIntervals; write: KeyIntervals }>();

  get enabled(): boolean {
    return this.#enabled;
  }

  /** etcd's auth revision; 1 in a fresh store. */
  get revision(): number {
    return this.#revision;
  }

  /** All users by name, in byte order. */
  users(): readonly AuthUser[] {
    return this.#users.values();
  }

  /** All roles by name, in byte order. */
  roles(): readonly AuthRole[] {
    return this.#roles.values();
  }

  user(name: string): AuthUser | undefined {
    return this.#users.get(name);
  }

  role(name: string): AuthRole | undefined {
    return this.#roles.get(name);
  }

  /** Takes over a state that was persisted. */
  restore(content: {
    readonly enabled: boolean;
    readonly revision: number;
    readonly users: readonly AuthUser[];
    readonly roles: readonly AuthRole[];
  }): void {
    this.#enabled = content.enabled;
    this.#revision = content.revision;
    this.#users.replaceAll(content.users);
    this.#roles.replaceAll(content.roles);
    this.#rights.clear();
  }

  /** Switches authentication on; does nothing when it is on. The revision stays. */
  enable(): AuthResult {
    if (this.#enabled) return NOTHING_CHANGED;
    const root = this.#users.get(ROOT);
    if (root === undefined) return 'ROOT_USER_NOT_EXIST';
    if (!root.roles.includes(ROOT)) return 'ROOT_ROLE_NOT_EXIST';
    this.#enabled = true;
    return NOTHING_CHANGED;
  }

  /** Switches authentication off; does nothing when it is off. */
  disable(): AuthChange {
    if (!this.#enabled) return NOTHING_CHANGED;
    this.#enabled = false;
    return this.#changed({ users: [], roles: [], revokedTokens: 'all' });
  }

  addUser(user: { name: string; passwordHash: Uint8Array; noPassword: boolean }): AuthResult {
    if (user.name === '') return 'USER_EMPTY';
    if (this.#users.get(user.name) !== undefined) return 'USER_ALREADY_EXIST';
    this.#users.set({ ...user, roles: [] });
    return this.#changed({ users: [user.name], roles: [], revokedTokens: [] });
  }

  deleteUser(name: string): AuthResult {
    if (this.#enabled && name === ROOT) return 'INVALID_AUTH_MGMT';
    if (!this.#users.delete(name)) return 'USER_NOT_FOUND';
    return this.#changed({ users: [name], roles: [], revokedTokens: [name] });
  }

  /** A new password voids the user's tokens. */
  changePassword(name: string, passwordHash: Uint8Array): AuthResult {
    const user = this.#users.get(name);
    if (user === undefined) return 'USER_NOT_FOUND';
    this.#users.set({ ...user, passwordHash });
    return this.#changed({ users: [name], roles: [], revokedTokens: [name] });
  }

  /** Role root need not exist to be granted. A role granted before changes nothing. */
  grantRole(userName: string, roleName: string): AuthResult {
    const user = this.#users.get(userName);
    if (user === undefined) return 'USER_NOT_FOUND';
    if (roleName !== ROOT && this.#roles.get(roleName) === undefined) return 'ROLE_NOT_FOUND';
    if (user.roles.includes(roleName)) return NOTHING_CHANGED;
    this.#users.set({ ...user, roles: [...user.roles, roleName].sort(byNameBytes) });
    return this.#changed({ users: [userName], roles: [], revokedTokens: [] });
  }

  revokeRole(userName: string, roleName: string): AuthResult {
    if (this.#enabled && userName === ROOT && roleName === ROOT) return 'INVALID_AUTH_MGMT';
    const user = this.#users.get(userName);
    if (user === undefined) return 'USER_NOT_FOUND';
    if (!user.roles.includes(roleName)) return 'ROLE_NOT_GRANTED';
    this.#users.set({ ...user, roles: user.roles.filter((role) => role !== roleName) });
    return this.#changed({ users: [userName], roles: [], revokedTokens: [] });
  }

  addRole(name: string): AuthResult {
    if (name === '') return 'ROLE_EMPTY';
    if (this.#roles.get(name) !== undefined) return 'ROLE_ALREADY_EXIST';
    this.#roles.set({ name, permissions: [] });
    return this.#changed({ users: [], roles: [name], revokedTokens: [] });
  }

  /** Takes the role from every user who had it; their tokens stay, as in etcd, and follow at once. */
  deleteRole(name: string): AuthResult {
    if (this.#enabled && name === ROOT) return 'INVALID_AUTH_MGMT';
    if (!this.#roles.delete(name)) return 'ROLE_NOT_FOUND';
    const holders = this.users().filter((user) => user.roles.includes(name));
    for (const user of holders) {
      this.#users.set({ ...user, roles: user.roles.filter((role) => role !== name) });
    }
    const names = holders.map((user) => user.name);
    return this.#changed({ users: names, roles: [name], revokedTokens: [] });
  }

  /** A permission for the same key and range end is replaced. */
  grantPermission(roleName: string, permission: Permission | undefined): AuthResult {
    if (permission === undefined) return 'PERMISSION_NOT_GIVEN';
    if (!mayKeyRangeBePermitted(permission)) return 'INVALID_AUTH_MGMT';
    const role = this.#roles.get(roleName);
    if (role === undefined) return 'ROLE_NOT_FOUND';
    const others = role.permissions.filter((each) => !sameRange(each, permission));
    const permissions = [...others, permission].sort(byRange);
    this.#roles.set({ name: roleName, permissions });
    return this.#changed({ users: [], roles: [roleName], revokedTokens: [] });
  }

  /** Needs the exact key and range end of a permission. */
  revokePermission(roleName: string, key: Uint8Array, rangeEnd: Uint8Array): AuthResult {
    const role = this.#roles.get(roleName);
    if (role === undefined) return 'ROLE_NOT_FOUND';
    const permissions = role.permissions.filter((each) => !sameRange(each, { key, rangeEnd }));
    if (permissions.length === role.permissions.length) return 'PERMISSION_NOT_GRANTED';
    this.#roles.set({ name: roleName, permissions });
    return this.#changed({ users: [], roles: [roleName], revokedTokens: [] });
  }

  /** May this caller change users, roles and the cluster? Undefined: yes. */
  checkAdmin(username: string): AuthProblem | undefined {
    if (!this.#enabled) return undefined;
    if (username === '') return 'USER_EMPTY';
    const user = this.#users.get(username);
    if (user === undefined) return 'USER_NOT_FOUND';
    return user.roles.includes(ROOT) ? undefined : 'PERMISSION_DENIED';
  }

  /**
   * May this caller read (or write) every key of the range? Undefined: yes.
   *
   * The range is judged as it came from the client (GHSA-xg4h-6gfc-h4m8: never after it was normalised).
   *
   * @param authRevision The revision at which the caller was authenticated; an older one is refused.
   */
  checkRange(
    caller: { readonly username: string; readonly authRevision: number },
    access: 'read' | 'write',
    key: Uint8Array,
    rangeEnd: Uint8Array,
  ): AuthProblem | undefined {
    if (!this.#enabled) return undefined;
    if (caller.username === '' || caller.authRevision === 0) return 'USER_EMPTY';
    if (caller.authRevision < this.#revision) return 'AUTH_OLD_REVISION';
    const user = this.#users.get(caller.username);
    if (user === undefined) return 'PERMISSION_DENIED';
    if (user.roles.includes(ROOT)) return undefined;
    const interval = keyInterval(key, rangeEnd) ?? { begin: '', end: undefined };
    return this.#rightsOf(user)[access].covers(interval) ? undefined : 'PERMISSION_DENIED';
  }

  #rightsOf(user: AuthUser): { read: KeyIntervals; write: KeyIntervals } {
    let rights = this.#rights.get(user.name);
    if (rights === undefined) {
      const permissions = user.roles.flatMap((name) => this.#roles.get(name)?.permissions ?? []);
      rights = {
        read: new KeyIntervals(intervals(permissions, 'read')),
        write: new KeyIntervals(intervals(permissions, 'write')),
      };
      this.#rights.set(user.name, rights);
    }
    return rights;
  }

  #changed(change: AuthChange): AuthChange {
    this.#revision += 1;
    this.#rights.clear();
    assert(
      !this.#enabled || this.#users.get(ROOT)?.roles.includes(ROOT) === true,
      'authentication is on without user root in role root',
    );
    return change;
  }
}

function intervals(permissions: readonly Permission[], access: 'read' | 'write'): KeyInterval[] {
  return permissions.flatMap(({ permType, key, rangeEnd }) =>
    gives(permType, access) ? (keyInterval(key, rangeEnd) ?? []) : [],
  );
}

type KeyRange = Pick<Permission, 'key' | 'rangeEnd'>;

function sameRange(a: KeyRange, b: KeyRange): boolean {
  return equalBytes(a.key, b.key) && equalBytes(a.rangeEnd, b.rangeEnd);
}

function byRange(a: KeyRange, b: KeyRange): number {
  return compareBytes(a.key, b.key) || compareBytes(a.rangeEnd, b.rangeEnd);
}
