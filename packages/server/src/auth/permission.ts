/** Permissions as etcd's authpb.Permission has them. */
import { compareBytes } from '@etcd-ts/base';

/** Permission.permType: may read. */
export const PERMISSION_READ = 0;
/** Permission.permType: may write. */
export const PERMISSION_WRITE = 1;
/** Permission.permType: may do both. */
export const PERMISSION_READWRITE = 2;

/** The right to read, write or both every key of a range; bounds as on the wire. */
export interface Permission {
  readonly permType: number;
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** True when a permission's type gives this access. */
export function gives(permType: number, access: 'read' | 'write'): boolean {
  const exact = access === 'read' ? PERMISSION_READ : PERMISSION_WRITE;
  return permType === exact || permType === PERMISSION_READWRITE;
}

/** A key is needed; the range end is empty, `\0`, or after the key (etcd server/auth/range_perm_cache.go). */
export function mayKeyRangeBePermitted({ key, rangeEnd }: Omit<Permission, 'permType'>): boolean {
  if (key.length === 0) return false;
  if (rangeEnd.length === 0 || (rangeEnd.length === 1 && rangeEnd[0] === 0)) return true;
  return compareBytes(key, rangeEnd) < 0;
}
