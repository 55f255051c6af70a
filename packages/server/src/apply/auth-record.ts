/** Users, roles, the switch and the revision as one record: JSON, bytes as latin1 text. */
import { fromLatin1, fromUtf8, must, toLatin1, utf8 } from '@etcd-ts/base';
import type { AuthRole, AuthUser } from '../auth/auth-state.ts';

/** The record's name. */
export const AUTH_RECORD = 'auth';

/** All that there is to know of authentication. Users and roles in byte order of their names. */
export interface AuthContent {
  readonly enabled: boolean;
  readonly revision: number;
  readonly users: readonly AuthUser[];
  readonly roles: readonly AuthRole[];
}

/** What {@link encodeAuthRecord} makes JSON of. */
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

/** The record's bytes. */
export function encodeAuthRecord({ enabled, revision, users, roles }: AuthContent): Uint8Array {
  const record: AuthRecord = {
    enabled,
    revision,
    users: users.map(({ name, passwordHash, noPassword, roles: granted }) => ({
      name,
      passwordHash: toLatin1(passwordHash),
      noPassword,
      roles: granted,
    })),
    roles: roles.map(({ name, permissions }) => ({
      name,
      permissions: permissions.map(({ permType, key, rangeEnd }) => ({
        permType,
        key: toLatin1(key),
        rangeEnd: toLatin1(rangeEnd),
      })),
    })),
  };
  return utf8(JSON.stringify(record));
}

/** Reads the record back. It is this module's own; the backend has checked its bytes. */
export function decodeAuthRecord(bytes: Uint8Array): AuthContent {
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
