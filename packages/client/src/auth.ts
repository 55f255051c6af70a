import { type Permission, PermissionType, type RpcTypes } from '@etcd-ts/protocol';
import type { Caller, ClientCallOptions } from './caller.ts';
import { type Keys, toRange } from './key.ts';

/** What a role may do with keys. */
export type Right = 'read' | 'write' | 'readwrite';

const RIGHTS = {
  read: PermissionType.READ,
  write: PermissionType.WRITE,
  readwrite: PermissionType.READWRITE,
} as const;

/** Names of the methods of the Auth service. */
type AuthMethod = Extract<keyof RpcTypes, `etcdserverpb.Auth/${string}`>;

/** The auth calls: `client.auth`. All but `status` need the rights of root once auth is on. */
export class Auth {
  readonly #caller: Caller;

  /** @internal */
  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Whether auth is on, and how often users and roles have changed. */
  async status(options?: ClientCallOptions): Promise<{ enabled: boolean; authRevision: number }> {
    const { enabled, authRevision } = await this.#caller.unary(
      'etcdserverpb.Auth/AuthStatus',
      {},
      'read',
      options,
    );
    return { enabled, authRevision };
  }

  /** Turns auth on. @throws EtcdError ROOT_USER_NOT_EXIST, ROOT_ROLE_NOT_EXIST. */
  async enable(options?: ClientCallOptions): Promise<void> {
    await this.#write('etcdserverpb.Auth/AuthEnable', {}, options);
  }

  /** Turns auth off. */
  async disable(options?: ClientCallOptions): Promise<void> {
    await this.#write('etcdserverpb.Auth/AuthDisable', {}, options);
  }

  /** @param password Left out: a user that can only come by a client certificate. @throws EtcdError USER_ALREADY_EXIST. */
  async addUser(name: string, password?: string, options?: ClientCallOptions): Promise<void> {
    const noPassword = password === undefined;
    await this.#write(
      'etcdserverpb.Auth/UserAdd',
      { name, password: password ?? '', options: { noPassword }, hashedPassword: '' },
      options,
    );
  }

  /** Roles of a user, sorted. @throws EtcdError USER_NOT_FOUND. */
  async getUser(name: string, options?: ClientCallOptions): Promise<string[]> {
    return (await this.#caller.unary('etcdserverpb.Auth/UserGet', { name }, 'read', options)).roles;
  }

  /** Names of all users, sorted. */
  async listUsers(options?: ClientCallOptions): Promise<string[]> {
    return (await this.#caller.unary('etcdserverpb.Auth/UserList', {}, 'read', options)).users;
  }

  /** @throws EtcdError USER_NOT_FOUND, INVALID_AUTH_MGMT for root while auth is on. */
  async deleteUser(name: string, options?: ClientCallOptions): Promise<void> {
    await this.#write('etcdserverpb.Auth/UserDelete', { name }, options);
  }

  /** @throws EtcdError USER_NOT_FOUND. */
  async changePassword(name: string, password: string, options?: ClientCallOptions): Promise<void> {
    await this.#write(
      'etcdserverpb.Auth/UserChangePassword',
      { name, password, hashedPassword: '' },
      options,
    );
  }

  /** Gives a user a role. @throws EtcdError USER_NOT_FOUND, ROLE_NOT_FOUND. */
  async grantRole(user: string, role: string, options?: ClientCallOptions): Promise<void> {
    await this.#write('etcdserverpb.Auth/UserGrantRole', { user, role }, options);
  }

  /** @throws EtcdError USER_NOT_FOUND, ROLE_NOT_GRANTED. */
  async revokeRole(user: string, role: string, options?: ClientCallOptions): Promise<void> {
    await this.#write('etcdserverpb.Auth/UserRevokeRole', { name: user, role }, options);
  }

  /** @throws EtcdError ROLE_ALREADY_EXIST, ROLE_EMPTY. */
  async addRole(name: string, options?: ClientCallOptions): Promise<void> {
    await this.#write('etcdserverpb.Auth/RoleAdd', { name }, options);
  }

  /** Permissions of a role, sorted by key. @throws EtcdError ROLE_NOT_FOUND. */
  async getRole(role: string, options?: ClientCallOptions): Promise<Permission[]> {
    return (await this.#caller.unary('etcdserverpb.Auth/RoleGet', { role }, 'read', options)).perm;
  }

  /** Names of all roles, sorted. */
  async listRoles(options?: ClientCallOptions): Promise<string[]> {
    return (await this.#caller.unary('etcdserverpb.Auth/RoleList', {}, 'read', options)).roles;
  }

  /** @throws EtcdError ROLE_NOT_FOUND, INVALID_AUTH_MGMT for root while auth is on. */
  async deleteRole(role: string, options?: ClientCallOptions): Promise<void> {
    await this.#write('etcdserverpb.Auth/RoleDelete', { role }, options);
  }

  /** Lets a role read or write keys. @throws EtcdError ROLE_NOT_FOUND, INVALID_AUTH_MGMT for a bad range. */
  async grantPermission(
    role: string,
    right: Right,
    keys: Keys,
    options?: ClientCallOptions,
  ): Promise<void> {
    const perm = { permType: RIGHTS[right], ...toRange(keys) };
    await this.#write('etcdserverpb.Auth/RoleGrantPermission', { name: role, perm }, options);
  }

  /** Takes exactly this range from a role. @throws EtcdError ROLE_NOT_FOUND, PERMISSION_NOT_GRANTED. */
  async revokePermission(role: string, keys: Keys, options?: ClientCallOptions): Promise<void> {
    await this.#write(
      'etcdserverpb.Auth/RoleRevokePermission',
      { role, ...toRange(keys) },
      options,
    );
  }

  async #write<Method extends AuthMethod>(
    method: Method,
    request: RpcTypes[Method]['request'],
    options?: ClientCallOptions,
  ): Promise<void> {
    await this.#caller.unary(method, request, 'write', options);
  }
}
