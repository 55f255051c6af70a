/**
 * Users, roles and permissions as part of the replicated state: what the log changes, and the record that keeps it.
 *
 * Invariant: the record says what the state is, after every change.
 */
import { crc32c, fromLatin1, fromUtf8, must, toLatin1, unreachable, utf8 } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import {
  type AuthChange,
  type AuthResult,
  type AuthRole,
  AuthState,
  type AuthUser,
} from '../auth/auth-state.ts';
import type { AuthCommand } from './auth-command.ts';
import type { RecordTable } from './record-table.ts';

/** The record's name. */
export const AUTH_RECORD = 'auth';

/** The record: JSON, bytes as latin1 text. */
interface AuthRecord {
  readonly enabled: boolean;
  readonly revision: number;
  readonly users: readonly (Omit<AuthUser, 'passwordHash'> & { readonly passwordHash: string })[];
  readonly roles: readonly {
    readonly name: string;
    readonly permissions: readonly {
      readonly permType: number;
      readonly key: string;
      readonly rangeEnd: string;
    }[];
  }[];
}

/** The state and its record. */
export class ReplicatedAuth {
  /** Ask it, never change it. */
  readonly state: AuthState = new AuthState();
  readonly #records: RecordTable;
  #checksum = 0;

  /** Reads what the records hold, and writes to them from now on. */
  constructor(records: RecordTable) {
    this.#records = records;
    const record = records.get(AUTH_RECORD);
    if (record === undefined) return;
    this.state.restore(decode(record));
    this.#checksum = crc32c(record);
  }

  /** A digest of everything here; unsigned 32 bits. 0 before the first change. */
  get checksum(): number {
    return this.#checksum;
  }

  /** Makes a change. */
  apply(command: AuthCommand): AuthChange | EtcdError {
    const result = this.#change(command);
    if (typeof result === 'string') return new EtcdError(result);
    const record = utf8(JSON.stringify(this.#content()));
    this.#records.set(AUTH_RECORD, record);
    this.#checksum = crc32c(record);
    return result;
  }

  #change(command: AuthCommand): AuthResult {
    const { state } = this;
    switch (command.op) {
      case 'enable':
        return state.enable();
      case 'disable':
        return state.disable();
      case 'authenticate':
        return state.user(command.user) === undefined
          ? 'USER_NOT_FOUND'
          : { users: [], roles: [], revokedTokens: [] };
      case 'addUser': {
        const { user: name, passwordHash, noPassword } = command;
        return state.addUser({ name, passwordHash, noPassword });
      }
      case 'deleteUser':
        return state.deleteUser(command.user);
      case 'changePassword':
        return state.changePassword(command.user, command.passwordHash);
      case 'grantRole':
        return state.grantRole(command.user, command.role);
      case 'revokeRole':
        return state.revokeRole(command.user, command.role);
      case 'addRole':
        return state.addRole(command.role);
      case 'deleteRole':
        return state.deleteRole(command.role);
      case 'grantPermission':
        return state.grantPermission(command.role, command.permission);
      case 'revokePermission':
        return state.revokePermission(command.role, command.key, command.rangeEnd);
      default:
        return unreachable(command);
    }
  }

  #content(): AuthRecord {
    const { enabled, revision } = this.state;
    return {
      enabled,
      revision,
      users: this.state.users().map(({ name, passwordHash, noPassword, roles }) => ({
        name,
        passwordHash: toLatin1(passwordHash),
        noPassword,
        roles,
      })),
      roles: this.state.roles().map(({ name, permissions }) => ({
        name,
        permissions: permissions.map(({ permType, key, rangeEnd }) => ({
          permType,
          key: toLatin1(key),
          rangeEnd: toLatin1(rangeEnd),
        })),
      })),
    };
  }
}

function decode(bytes: Uint8Array): Parameters<AuthState['restore']>[0] {
  // The record is this module's own; the backend has checked its bytes.
  const { enabled, revision, users, roles } = JSON.parse(fromUtf8(bytes)) as AuthRecord;
  must(users, 'users of the auth record');
  return {
    enabled,
    revision,
    users: users.map((user) => ({ ...user, passwordHash: fromLatin1(user.passwordHash) })),
    roles: roles.map(({ name, permissions }): AuthRole => ({
      name,
      permissions: permissions.map(({ permType, key, rangeEnd }) => ({
        permType,
        key: fromLatin1(key),
        rangeEnd: fromLatin1(rangeEnd),
      })),
    })),
  };
}
