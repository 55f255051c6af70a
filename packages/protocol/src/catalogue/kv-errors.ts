/** What keys, transactions, leases and watches may meet. */
export const KV_ERRORS = {
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
  REQUEST_TOO_LARGE: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: request is too large',
    when: 'the request is larger than max-request-bytes',
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
  NOT_PRIMARY_LESSOR: {
    status: 'UNKNOWN',
    message: 'not a primary lessor',
    when: 'a keep-alive reached a leader that cannot prove its leadership',
  },
  WATCH_CANCELED: {
    status: 'CANCELED',
    message: 'etcdserver: watch canceled',
    when: 'the server ends a watch stream',
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
} as const;
