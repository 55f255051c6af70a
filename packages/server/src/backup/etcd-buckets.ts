/** The buckets of etcd's database, and the keys in them (etcd server/storage/schema). */

/** Names of the buckets. */
export const ALARM = 'alarm';
/** See {@link ALARM}. */
export const AUTH = 'auth';
/** See {@link ALARM}. */
export const AUTH_ROLES = 'authRoles';
/** See {@link ALARM}. */
export const AUTH_USERS = 'authUsers';
/** See {@link ALARM}. */
export const CLUSTER = 'cluster';
/** See {@link ALARM}. */
export const KEY = 'key';
/** See {@link ALARM}. */
export const LEASE = 'lease';
/** See {@link ALARM}. */
export const MEMBERS = 'members';
/** See {@link ALARM}. */
export const MEMBERS_REMOVED = 'members_removed';
/** See {@link ALARM}. */
export const META = 'meta';

/** In `auth`: one byte, 1 or 0; missing while authentication was never switched on. */
export const AUTH_ENABLED = 'authEnabled';
/** In `auth`: 8 bytes. */
export const AUTH_REVISION = 'authRevision';

/** In `cluster`: the version that all members have, as text. */
export const CLUSTER_VERSION = 'clusterVersion';
/** In `cluster`: the downgrade that is under way, as JSON. */
export const DOWNGRADE = 'downgrade';

/** In `meta`: the last entry that was applied, 8 bytes, and its term. */
export const CONSISTENT_INDEX = 'consistent_index';
/** See {@link CONSISTENT_INDEX}. */
export const TERM = 'term';
/** In `meta`: Raft's configuration, as JSON. */
export const CONF_STATE = 'confState';
/** In `meta`: the compact revision, in the 17 bytes of a revision; and the one through which all is dropped. */
export const SCHEDULED_COMPACT = 'scheduledCompactRev';
/** See {@link SCHEDULED_COMPACT}. */
export const FINISHED_COMPACT = 'finishedCompactRev';
/** In `meta`, from 3.6 on: the version whose form the content has, as text. */
export const STORAGE_VERSION = 'storageVersion';

/** Bytes of a revision: main (8, big-endian), `_`, sub (8); `t` behind it in the name of a delete. */
export const REVISION_BYTES = 17;
/** See {@link REVISION_BYTES}. */
export const REVISION_SEPARATOR = 0x5f;
/** See {@link REVISION_BYTES}. */
export const TOMBSTONE_MARK = 0x74;

/** A number in 8 bytes, big-endian. */
export function uint64Bytes(value: number | bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)));
  return bytes;
}

/** The bytes of a revision with sub 0. */
export function revisionBytes(main: number): Uint8Array {
  const bytes = new Uint8Array(REVISION_BYTES);
  bytes.set(uint64Bytes(main));
  bytes[8] = REVISION_SEPARATOR;
  return bytes;
}
