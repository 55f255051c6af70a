/**
 * Every error that this project answers or raises, by its stable code: gRPC status, text on the wire, when.
 *
 * Codes are the names of etcd's errors without `ErrGRPC`; they never change. Texts are etcd's, to the letter, since
 * clients match on them; statuses are those seen on the wire, which are not always those that etcd declares.
 * `mayHaveApplied` marks errors after which a write may have happened all the same.
 *
 * Source: etcd api/v3rpc/rpctypes/error.go and answers of real servers. `docs/errors.md` is generated from this table.
 */
import type { Status } from './status.ts';

/** One row of the catalogue. */
export interface CatalogueEntry {
  /** gRPC status on the wire. */
  readonly status: keyof typeof Status;
  /** Text on the wire. */
  readonly message: string;
  /** When it is answered. */
  readonly when: string;
  /** The request may have taken effect. */
  readonly mayHaveApplied?: true;
}

/** What etcd answers, in etcd's order. */
export const ETCD_ERRORS = {
  EMPTY_KEY: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: key is not provided',
    when: 'a key of no bytes in a range, put, delete, compare or nested operation',
  },
  KEY_NOT_FOUND: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: key not found',
    when: 'a put that ignores value or lease names an absent key; an operation of a txn has no variant',
  },
  VALUE_PROVIDED: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: value is provided',
    when: 'a put that ignores the value has one',
  },
  LEASE_PROVIDED: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: lease is provided',
    when: 'a put that ignores the lease has one',
  },
  TOO_MANY_OPS: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: too many operations in txn request',
    when: 'a txn has more than max-txn-ops compares, success or failure operations; a nested one has what its parent left over',
  },
  DUPLICATE_KEY: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: duplicate key given in txn request',
    when: 'one branch of a txn could put a key twice, or put it and delete it',
  },
  INVALID_CLIENT_API_VERSION: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: invalid client api version',
    when: 'the metadata client-api-version is not UTF-8',
  },
  INVALID_SORT_OPTION: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: invalid sort option',
    when: 'sort order or target is not one of the enum',
  },
  COMPACTED: {
    status: 'OUT_OF_RANGE',
    message: 'etcdserver: mvcc: required revision has been compacted',
    when: 'a read or hash below the compact revision; a compaction at or below it; a negative revision in a txn',
  },
  FUTURE_REV: {
    status: 'OUT_OF_RANGE',
    message: 'etcdserver: mvcc: required revision is a future revision',
    when: 'a read, hash or compaction above the current revision',
  },
  NO_SPACE: {
    status: 'RESOURCE_EXHAUSTED',
    message: 'etcdserver: mvcc: database space exceeded',
    when: 'the quota is used up or the NOSPACE alarm is on; found out while applying, the put has happened all the same',
    mayHaveApplied: true,
  },
  LEASE_NOT_FOUND: {
    status: 'NOT_FOUND',
    message: 'etcdserver: requested lease not found',
    when: 'a revoke or put names an absent lease',
  },
  LEASE_EXIST: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: lease already exists',
    when: 'a grant asks for an id that is in use',
  },
  LEASE_TTL_TOO_LARGE: {
    status: 'OUT_OF_RANGE',
    message: 'etcdserver: too large lease TTL',
    when: 'a grant asks for more than 9000000000 seconds',
  },
  WATCH_CANCELED: {
    status: 'CANCELED',
    message: 'etcdserver: watch canceled',
    when: 'the server ends a watch stream',
  },
  MEMBER_EXIST: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: member ID already exist',
    when: 'the new member would have the id of another: same peer URLs within one second',
  },
  PEER_URL_EXIST: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: Peer URLs already exists',
    when: 'another member has one of the peer URLs',
  },
  MEMBER_NOT_ENOUGH_STARTED: {
    status: 'UNKNOWN',
    message: 'etcdserver: re-configuration failed due to not enough started members',
    when: 'the change would leave fewer started members than a quorum',
  },
  MEMBER_BAD_URLS: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: given member URLs are invalid',
    when: 'peer URLs are missing or malformed',
  },
  MEMBER_NOT_FOUND: {
    status: 'NOT_FOUND',
    message: 'etcdserver: member not found',
    when: 'no such member, or it was removed before',
  },
  MEMBER_NOT_LEARNER: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: can only promote a learner member',
    when: 'promotion of a voter',
  },
  LEARNER_NOT_READY: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: can only promote a learner member which is in sync with leader',
    when: "promotion of a learner that has less than 90 % of the leader's log",
  },
  TOO_MANY_LEARNERS: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: too many learner members in cluster',
    when: 'more learners than max-learners',
  },
  CLUSTER_ID_MISMATCH: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: cluster ID mismatch',
    when: 'declared by etcd; no handler answers it',
  },
  REQUEST_TOO_LARGE: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: request is too large',
    when: 'the request is larger than max-request-bytes',
  },
  TOO_MANY_REQUESTS: {
    status: 'UNKNOWN',
    message: 'etcdserver: too many requests',
    when: 'more than 5000 committed entries wait to be applied',
  },
  ROOT_USER_NOT_EXIST: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: root user does not exist',
    when: 'auth is to be enabled without user root',
  },
  ROOT_ROLE_NOT_EXIST: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: root user does not have root role',
    when: 'auth is to be enabled and user root lacks role root',
  },
  USER_ALREADY_EXIST: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: user name already exists',
    when: 'a user of this name is there',
  },
  USER_EMPTY: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: user name is empty',
    when: 'a user without name; any guarded call without token while auth is on',
  },
  USER_NOT_FOUND: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: user name not found',
    when: 'no such user',
  },
  ROLE_ALREADY_EXIST: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: role name already exists',
    when: 'a role of this name is there',
  },
  ROLE_NOT_FOUND: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: role name not found',
    when: 'no such role',
  },
  ROLE_EMPTY: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: role name is empty',
    when: 'a role without name',
  },
  AUTH_FAILED: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: authentication failed, invalid user ID or password',
    when: 'wrong user or password',
  },
  PERMISSION_NOT_GIVEN: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: permission not given',
    when: 'a grant to a role without permission',
  },
  PERMISSION_DENIED: {
    status: 'PERMISSION_DENIED',
    message: 'etcdserver: permission denied',
    when: 'the keys are not covered, or the call is for root alone',
  },
  ROLE_NOT_GRANTED: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: role is not granted to the user',
    when: 'revocation of a role that the user does not have',
  },
  PERMISSION_NOT_GRANTED: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: permission is not granted to the role',
    when: 'revocation of a permission that the role does not have in exactly this range',
  },
  AUTH_NOT_ENABLED: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: authentication is not enabled',
    when: 'authentication while auth is off',
  },
  INVALID_AUTH_TOKEN: {
    status: 'UNAUTHENTICATED',
    message: 'etcdserver: invalid auth token',
    when: 'the token is unknown, expired or malformed',
  },
  INVALID_AUTH_MGMT: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: invalid auth management',
    when: 'root user, role or grant is to go while auth is on; a permission with a bad range',
  },
  AUTH_OLD_REVISION: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: revision of auth store is old',
    when: 'the token is from before the last change of users or roles',
  },
  NO_LEADER: {
    status: 'UNAVAILABLE',
    message: 'etcdserver: no leader',
    when: 'the caller wants a leader (metadata hasleader) and there is none',
  },
  NOT_LEADER: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: not leader',
    when: 'the call is for the leader alone',
  },
  LEADER_CHANGED: {
    status: 'UNAVAILABLE',
    message: 'etcdserver: leader changed',
    when: 'an election interrupted a linearizable read',
  },
  NOT_CAPABLE: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: not capable',
    when: 'the cluster version is not decided yet',
  },
  STOPPED: {
    status: 'UNAVAILABLE',
    message: 'etcdserver: server stopped',
    when: 'the server is shutting down',
    mayHaveApplied: true,
  },
  TIMEOUT: {
    status: 'UNAVAILABLE',
    message: 'etcdserver: request timed out',
    when: 'a proposal or read took longer than the request timeout',
    mayHaveApplied: true,
  },
  TIMEOUT_DUE_TO_LEADER_FAIL: {
    status: 'UNAVAILABLE',
    message: 'etcdserver: request timed out, possibly due to previous leader failure',
    when: 'the same, and the leader was lost meanwhile',
    mayHaveApplied: true,
  },
  TIMEOUT_DUE_TO_CONNECTION_LOST: {
    status: 'UNAVAILABLE',
    message: 'etcdserver: request timed out, possibly due to connection lost',
    when: 'the same, and peers are out of reach',
    mayHaveApplied: true,
  },
  TIMEOUT_WAIT_APPLIED_INDEX: {
    status: 'UNAVAILABLE',
    message: 'etcdserver: request timed out, waiting for the applied index took too long',
    when: 'lease work waited more than a second for the state to be applied',
  },
  UNHEALTHY: {
    status: 'UNAVAILABLE',
    message: 'etcdserver: unhealthy cluster',
    when: 'a change of members would break the active quorum',
  },
  CORRUPT: {
    status: 'DATA_LOSS',
    message: 'etcdserver: corrupt cluster',
    when: 'a write while the CORRUPT alarm is on',
  },
  NOT_SUPPORTED_FOR_LEARNER: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: rpc not supported for learner',
    when: 'a learner was asked for more than a serializable range, status or snapshot',
  },
  BAD_LEADER_TRANSFEREE: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: bad leader transferee',
    when: 'leadership is to go to an unknown member or a learner',
  },
  WRONG_DOWNGRADE_VERSION_FORMAT: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: wrong downgrade target version format',
    when: 'the target version is not X.Y',
  },
  INVALID_DOWNGRADE_TARGET_VERSION: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: invalid downgrade target version',
    when: "the target is not one minor version below the cluster's",
  },
  CLUSTER_VERSION_UNAVAILABLE: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: cluster version not found during downgrade',
    when: 'the cluster version is not decided yet',
  },
  DOWNGRADE_IN_PROCESS: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: cluster has a downgrade job in progress',
    when: 'a downgrade is under way',
  },
  NO_INFLIGHT_DOWNGRADE: {
    status: 'FAILED_PRECONDITION',
    message: 'etcdserver: no inflight downgrade job',
    when: 'there is no downgrade to cancel (3.5; 3.6 answers OK)',
  },
  SERVER_CANCELED: {
    status: 'CANCELED',
    message: 'etcdserver: request canceled',
    when: 'declared by etcd; the wire says CANCELED',
    mayHaveApplied: true,
  },
  SERVER_DEADLINE_EXCEEDED: {
    status: 'DEADLINE_EXCEEDED',
    message: 'etcdserver: context deadline exceeded',
    when: 'declared by etcd; the wire says DEADLINE_EXCEEDED',
    mayHaveApplied: true,
  },
  NO_PASSWORD_USER: {
    status: 'UNKNOWN',
    message: 'auth: authentication failed, password was given for no password user',
    when: 'a password for a user that has none',
  },
  VERIFY_ONLY: {
    status: 'UNKNOWN',
    message: 'auth: token signing attempted with verify-only key',
    when: 'a token is to be signed with a public key',
  },
  UNKNOWN_METHOD: {
    status: 'UNKNOWN',
    message: 'etcdserver: unknown method',
    when: 'a downgrade request with an unknown action',
  },
  REQUEST_CANCELLED: {
    status: 'UNKNOWN',
    message: 'etcdserver: request cancelled',
    when: 'the caller left while its proposal waited',
    mayHaveApplied: true,
  },
  TIMEOUT_LEADER_TRANSFER: {
    status: 'UNKNOWN',
    message: 'etcdserver: request timed out, leader transfer took too long',
    when: 'leadership was not handed over in time',
    mayHaveApplied: true,
  },
  NOT_PRIMARY_LESSOR: {
    status: 'UNKNOWN',
    message: 'not a primary lessor',
    when: 'a keep-alive reached a leader that cannot prove its leadership',
  },
  RANGE_CANCELLED: {
    status: 'UNKNOWN',
    message: 'rangeKeys: context cancelled: context canceled',
    when: 'the caller left in the middle of a range',
  },
  ELECTION_NO_LEADER: {
    status: 'UNKNOWN',
    message: 'election: no leader',
    when: 'an election without leader',
  },
  ELECTION_NOT_LEADER: {
    status: 'UNKNOWN',
    message: 'election: not leader',
    when: 'a proclamation of someone who is not the leader',
  },
  MISSING_LEADER_KEY: {
    status: 'UNKNOWN',
    message: '"leader" field must be provided',
    when: 'a proclamation or resignation without leader key',
  },
  SESSION_EXPIRED: {
    status: 'UNKNOWN',
    message: 'mutex: session is expired',
    when: 'the key of a waiting lock is gone',
    mayHaveApplied: true,
  },
  UNKNOWN_SERVICE: {
    status: 'NOT_FOUND',
    message: 'unknown service',
    when: 'a health check of a service that is not registered',
  },
} as const;

/** What gRPC itself says, and what is left of an answer whose text is not in {@link ETCD_ERRORS}. */
export const GENERIC_ERRORS = {
  CANCELED: {
    status: 'CANCELED',
    message: 'context canceled',
    when: 'the caller has cancelled',
    mayHaveApplied: true,
  },
  UNKNOWN: {
    status: 'UNKNOWN',
    message: 'unknown error',
    when: 'an error that is not in this table',
    mayHaveApplied: true,
  },
  INVALID_ARGUMENT: {
    status: 'INVALID_ARGUMENT',
    message: 'invalid argument',
    when: 'an argument that this library refuses itself; the text names it',
  },
  DEADLINE_EXCEEDED: {
    status: 'DEADLINE_EXCEEDED',
    message: 'context deadline exceeded',
    when: 'the deadline of the call has passed',
    mayHaveApplied: true,
  },
  NOT_FOUND: {
    status: 'NOT_FOUND',
    message: 'not found',
    when: 'an unknown text with this status',
  },
  ALREADY_EXISTS: {
    status: 'ALREADY_EXISTS',
    message: 'already exists',
    when: 'an unknown text with this status',
  },
  RESOURCE_EXHAUSTED: {
    status: 'RESOURCE_EXHAUSTED',
    message: 'resource exhausted',
    when: 'a limit of gRPC, such as the size of a message; the text names it',
  },
  FAILED_PRECONDITION: {
    status: 'FAILED_PRECONDITION',
    message: 'failed precondition',
    when: 'an unknown text with this status; the reason why a watch was cancelled',
  },
  ABORTED: {
    status: 'ABORTED',
    message: 'aborted',
    when: 'an unknown text with this status',
    mayHaveApplied: true,
  },
  OUT_OF_RANGE: {
    status: 'OUT_OF_RANGE',
    message: 'out of range',
    when: 'an unknown text with this status',
  },
  UNIMPLEMENTED: {
    status: 'UNIMPLEMENTED',
    message: 'unimplemented',
    when: 'the method or service is not there; the text names it',
  },
  INTERNAL: {
    status: 'INTERNAL',
    message: 'internal error',
    when: 'malformed messages, broken streams',
    mayHaveApplied: true,
  },
  UNAVAILABLE: {
    status: 'UNAVAILABLE',
    message: 'unavailable',
    when: 'no connection, or it broke; `mayHaveApplied` of the error tells which',
    mayHaveApplied: true,
  },
  DATA_LOSS: {
    status: 'DATA_LOSS',
    message: 'data loss',
    when: 'an unknown text with this status',
    mayHaveApplied: true,
  },
  UNAUTHENTICATED: {
    status: 'UNAUTHENTICATED',
    message: 'unauthenticated',
    when: 'an unknown text with this status',
  },
} as const;

/** The stable code of an error. */
export type ErrorCode = keyof typeof ETCD_ERRORS | keyof typeof GENERIC_ERRORS;

/** The whole catalogue. */
export const CATALOGUE: { readonly [Code in ErrorCode]: CatalogueEntry } = {
  ...ETCD_ERRORS,
  ...GENERIC_ERRORS,
};

/**
 * Why the server cancels a watch, where it is not the text of an error (`WatchResponse.cancel_reason`; the stream
 * stays open). Below the compact revision the reason is empty and `compact_revision` tells.
 */
export const WATCH_CANCEL_REASONS = {
  /** A negative start revision. */
  COMPACTED: 'etcdserver: mvcc: required revision has been compacted',
  /** The key is not before the end of the range. */
  EMPTY_RANGE: 'mvcc: watcher range is empty',
  /** The id is in use on this stream. */
  DUPLICATE_ID: 'mvcc: duplicate watch ID provided on the WatchStream',
} as const;
