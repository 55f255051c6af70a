/** What members, leaders and the server itself may meet. */
export const CLUSTER_ERRORS = {
  INVALID_CLIENT_API_VERSION: {
    status: 'INVALID_ARGUMENT',
    message: 'etcdserver: invalid client api version',
    when: 'the metadata client-api-version is not UTF-8',
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
  TOO_MANY_REQUESTS: {
    status: 'UNKNOWN',
    message: 'etcdserver: too many requests',
    when: 'more than 5000 committed entries wait to be applied',
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
  UNKNOWN_SERVICE: {
    status: 'NOT_FOUND',
    message: 'unknown service',
    when: 'a health check of a service that is not registered',
  },
} as const;
