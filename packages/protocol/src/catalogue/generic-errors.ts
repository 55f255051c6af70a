/** What gRPC itself says, and what is left of an answer whose text is not etcd's. */
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
    when: 'no connection, or it broke (`mayHaveApplied` of the error tells which); a long read whose database was replaced or closed',
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
