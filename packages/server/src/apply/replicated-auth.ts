/**
 * Users, roles and permissions as part of the replicated state: what the log changes, and the record that keeps it.
 *
 * Invariant: the record says what the state is, after every change.
 */
import { crc32c, unreachable } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import { type AuthChange, type AuthResult, AuthState } from '../auth/auth-state.ts';
import type { AuthCommand } from './auth-command.ts';
import { AUTH_RECORD, decodeAuthRecord, encodeAuthRecord } from './auth-record.ts';
import type { RecordTable } from './record-table.ts';

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
    this.state.restore(decodeAuthRecord(record));
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
    // A login changes nothing that is kept, and the record grows with the users.
    if (command.op === 'authenticate') return result;
    const { enabled, revision } = this.state;
    const record = encodeAuthRecord({
      enabled,
      revision,
      users: this.state.users(),
      roles: this.state.roles(),
    });
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
}
