/** What clients may ask, and from when on slowness is worth a line in the log. */
import { MAX_TIMER_MS, type Range, resolveNumbers } from './numbers.ts';

/** Requests and watches. */
export interface RequestOptions {
  /** Largest request. etcd --max-request-bytes. @defaultValue 1572864 */
  readonly maxRequestBytes?: number;
  /** Operations in one transaction. etcd --max-txn-ops. @defaultValue 128 */
  readonly maxTxnOps?: number;
  /** Applying one page of entries for longer is logged. etcd --warning-apply-duration. @defaultValue 100 */
  readonly warningApplyDurationMs?: number;
  /**
   * How often an idle watcher that asks for it is told the revision; 0 is the default.
   * etcd --watch-progress-notify-interval. @defaultValue 600000
   */
  readonly watchProgressNotifyIntervalMs?: number;
}

const NUMBERS = {
  maxRequestBytes: [1_572_864, 1, 1 << 30],
  maxTxnOps: [128, 1, 1_000_000],
  warningApplyDurationMs: [100, 0, Number.MAX_VALUE],
  watchProgressNotifyIntervalMs: [600_000, 0, MAX_TIMER_MS],
} as const satisfies Record<string, Range>;

/** Completes and checks. @throws StartError BAD_OPTION. */
export function resolveRequests(given: RequestOptions): Required<RequestOptions> {
  return resolveNumbers(given, NUMBERS, ['watchProgressNotifyIntervalMs']);
}
