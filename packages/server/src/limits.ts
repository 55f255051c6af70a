import type { ResolvedOptions } from './options.ts';

/**
 * Every limit of a node, with etcd's default where etcd has one. What happens beyond each is said beside it.
 */
export interface ServerLimits {
  /** Encoded request bytes; beyond: REQUEST_TOO_LARGE. etcd --max-request-bytes. */
  readonly maxRequestBytes: number;
  /** Operations in one transaction; beyond: TOO_MANY_OPS. etcd --max-txn-ops. */
  readonly maxTxnOps: number;
  /** A proposal or read round without an answer: TIMEOUT. etcd: 5 s + 2 × election timeout. */
  readonly requestTimeoutMs: number;
  /** Committed entries not yet applied; beyond: TOO_MANY_REQUESTS. etcd: 5000. */
  readonly maxCommitApplyGap: number;
  /** Proposals waiting for their outcome on this node; beyond: TOO_MANY_REQUESTS. */
  readonly maxPendingProposals: number;
  /** Bytes of proposals waiting for their outcome on this node; beyond: TOO_MANY_REQUESTS. */
  readonly maxPendingProposalBytes: number;
  /** Election timeout, which the lease floor and the lease extension at promotion derive from. */
  readonly electionTimeoutMs: number;
  /** Watchers on one stream; beyond: the create is refused. */
  readonly maxWatchersPerStream: number;
  /**
   * Database size beyond which writes that need space raise the NOSPACE alarm and are refused. 0: etcd's default of
   * 2 GiB. Negative: no limit. etcd --quota-backend-bytes.
   */
  readonly quotaBackendBytes: number;
  /**
   * How often an idle watcher that asked for it is told the current revision; up to a tenth more, so that streams do
   * not speak in chorus. etcd --watch-progress-notify-interval.
   */
  readonly watchProgressNotifyIntervalMs: number;
  /** Learners in the cluster; one more: TOO_MANY_LEARNERS. etcd --max-learners. */
  readonly maxLearners: number;
  /** Whether a change of members that could cost the quorum is refused. etcd --strict-reconfig-check. */
  readonly strictReconfigCheck: boolean;
  /**
   * Leases revoked through the log in one batch by the expiry of the leader, at most; fewer while the log is quick, so
   * that puts pass between two batches. etcd: 500 entries a pass, two passes a second.
   */
  readonly maxLeaseExpiriesPerBatch: number;
  /** Keys deleted by one batch of expiries, unless a single lease holds more: what keeps the batch short. */
  readonly maxLeaseExpiryKeysPerBatch: number;
  /** How often the leader notes what is left of longer leases; Infinity: never. etcd: 5 minutes. */
  readonly leaseCheckpointIntervalMs: number;
  /** Revisions dropped between two pauses of a compaction. etcd --compaction-batch-limit. */
  readonly compactionBatchLimit: number;
  /** Such a pause. etcd --compaction-sleep-interval. */
  readonly compactionSleepIntervalMs: number;
  /** Reads and applied entries that take longer are logged. etcd --warning-apply-duration. */
  readonly warningApplyDurationMs: number;
  /** Answers that take longer are logged. etcd --warning-unary-request-duration. */
  readonly warningUnaryRequestDurationMs: number;
}

/** The limits of a node with these options (request timeout: etcd server/config/config.go, ReqTimeout). */
export function limitsOf(options: ResolvedOptions): ServerLimits {
  const { electionTimeoutMs, maxLearners, maxRequestBytes, maxTxnOps } = options;
  const { leaseCheckpoint, leaseCheckpointIntervalMs } = options;
  const { quotaBackendBytes, strictReconfigCheck } = options;
  const { watchProgressNotifyIntervalMs } = options;
  return {
    ...DEFAULT_LIMITS,
    electionTimeoutMs,
    maxLearners,
    maxRequestBytes,
    maxTxnOps,
    quotaBackendBytes,
    strictReconfigCheck,
    requestTimeoutMs: 5_000 + 2 * electionTimeoutMs,
    watchProgressNotifyIntervalMs,
    leaseCheckpointIntervalMs: leaseCheckpoint ? leaseCheckpointIntervalMs : Infinity,
    compactionBatchLimit: options.compactionBatchLimit,
    compactionSleepIntervalMs: options.compactionSleepIntervalMs,
    warningApplyDurationMs: options.warningApplyDurationMs,
    warningUnaryRequestDurationMs: options.warningUnaryRequestDurationMs,
  };
}

/** The defaults, with etcd's 1000 ms election timeout. */
export const DEFAULT_LIMITS: ServerLimits = {
  maxRequestBytes: 1_572_864,
  maxTxnOps: 128,
  requestTimeoutMs: 7_000,
  maxCommitApplyGap: 5_000,
  maxPendingProposals: 65_536,
  maxPendingProposalBytes: 256 * 1024 * 1024,
  electionTimeoutMs: 1_000,
  maxWatchersPerStream: 1_000_000,
  quotaBackendBytes: 0,
  watchProgressNotifyIntervalMs: 600_000,
  maxLearners: 1,
  strictReconfigCheck: true,
  maxLeaseExpiriesPerBatch: 500,
  maxLeaseExpiryKeysPerBatch: 1_000,
  leaseCheckpointIntervalMs: Infinity,
  compactionBatchLimit: 1_000,
  compactionSleepIntervalMs: 10,
  warningApplyDurationMs: 100,
  warningUnaryRequestDurationMs: 300,
};
