/** Changes of users, roles and permissions as they go through the log, and the logins. Passwords come hashed. */
import type { Permission } from '../auth/permission.ts';

/** One change. */
export type AuthCommand =
  | { readonly op: 'enable' }
  | { readonly op: 'disable' }
  /** A login: every member learns the token, which is `prefix` + `.` + the index of the entry. */
  | { readonly op: 'authenticate'; readonly user: string; readonly prefix: string }
  | {
      readonly op: 'addUser';
      readonly user: string;
      readonly passwordHash: Uint8Array;
      readonly noPassword: boolean;
    }
  | { readonly op: 'deleteUser'; readonly user: string }
  | { readonly op: 'changePassword'; readonly user: string; readonly passwordHash: Uint8Array }
  | { readonly op: 'grantRole'; readonly user: string; readonly role: string }
  | { readonly op: 'revokeRole'; readonly user: string; readonly role: string }
  | { readonly op: 'addRole'; readonly role: string }
  | { readonly op: 'deleteRole'; readonly role: string }
  | {
      readonly op: 'grantPermission';
      readonly role: string;
      readonly permission: Permission | undefined;
    }
  | {
      readonly op: 'revokePermission';
      readonly role: string;
      readonly key: Uint8Array;
      readonly rangeEnd: Uint8Array;
    };
