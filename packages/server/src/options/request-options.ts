/** What clients may ask, and from when on slowness is worth a line in the log. */
import { StartError } from '../start-error.ts';
import { MAX_TIMER_MS } from '@etcd-ts/protocol';
import { type Range, resolveNumbers } from './numbers.ts';

/** Requests and watches. */
export interface RequestOptions {
  /** Largest request. etcd --max-request-bytes. @defaultValue 1572864 */
  readonly maxRequestBytes?: number;
  /** Operations in one transaction. etcd --max-txn-ops. @defaultValue 128 */
  readonly maxTxnOps?: number;
  /** Applying what came in one turn, or reading, for longer is logged. etcd --warning-apply-duration. @defaultValue 100 */
  readonly warningApplyDurationMs?: number;
  /** Answering one request for longer is logged. etcd --warning-unary-request-duration. @defaultValue 300 */
  readonly warningUnaryRequestDurationMs?: number;
  /**
   * Note now and then what is left of long leases, so that a new leader does not give them their whole time again.
   * etcd --feature-gates=LeaseCheckpoint. @defaultValue false
   */
  readonly leaseCheckpoint?: boolean;
  /** How often, where it is done: of leases that live longer. etcd does it every 5 minutes. @defaultValue 300000 */
  readonly leaseCheckpointIntervalMs?: number;
  /** As etcd's gate of that name asks for `leaseCheckpoint`; what is noted is kept in any case. @defaultValue false */
  readonly leaseCheckpointPersist?: boolean;
  /**
   * How often an idle watcher that asks for it is told the revision; 0 is the default.
   * etcd --watch-progress-notify-interval. @defaultValue 600000
   */
  readonly watchProgressNotifyIntervalMs?: number;
}

/** How often what is left of long leases is noted, where that is done (etcd: 5 minutes). */
export const LEASE_CHECKPOINT_INTERVAL_MS = 300_000;

const NUMBERS = {
  maxRequestBytes: [1_572_864, 1, 1 << 30],
  maxTxnOps: [128, 1, 1_000_000],
  warningApplyDurationMs: [100, 0, Number.MAX_VALUE],
  warningUnaryRequestDurationMs: [300, 0, Number.MAX_VALUE],
  leaseCheckpointIntervalMs: [LEASE_CHECKPOINT_INTERVAL_MS, 100, MAX_TIMER_MS],
  watchProgressNotifyIntervalMs: [600_000, 0, MAX_TIMER_MS],
} as const satisfies Record<string, Range>;

/** Completes and checks. @throws StartError BAD_OPTION. */
export function resolveRequests(given: RequestOptions): Required<RequestOptions> {
  const leaseCheckpoint = given.leaseCheckpoint ?? false;
  const leaseCheckpointPersist = given.leaseCheckpointPersist ?? false;
  if (leaseCheckpointPersist && !leaseCheckpoint) {
    throw new StartError(
      'BAD_OPTION',
      'enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint',
    );
  }
  return {
    leaseCheckpoint,
    leaseCheckpointPersist,
    ...resolveNumbers(given, NUMBERS, [
      'warningUnaryRequestDurationMs',
      'watchProgressNotifyIntervalMs',
    ]),
  };
}
