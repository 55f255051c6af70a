/** The files of the log and the database behind it. */
import { MAX_TIMER_MS } from '@etcd-ts/protocol';
import { type Range, resolveNumbers } from './numbers.ts';

/** Log files and database. */
export interface StorageOptions {
  /** Segments of the log that stay even when nothing needs them; 0 keeps all. etcd --max-wals. @defaultValue 5 */
  readonly maxWals?: number;
  /** Size at which a new segment of the log begins. @defaultValue 64 MiB */
  readonly walSegmentBytes?: number;
  /** Size at which writes are refused; negative: never. etcd --quota-backend-bytes. @defaultValue 2 GiB */
  readonly quotaBackendBytes?: number;
  /** Longest delay of the write-behind into the database. etcd --backend-batch-interval. @defaultValue 100 */
  readonly backendBatchIntervalMs?: number;
  /** Entries after which it is written without delay. etcd --backend-batch-limit. @defaultValue 10000 */
  readonly backendBatchEntries?: number;
  /** Unwritten bytes at which applying waits for the database. @defaultValue 64 MiB */
  readonly maxDirtyBytes?: number;
  /** Defragment at the start when so much is free in the database; 0: never. @defaultValue 0 */
  readonly bootstrapDefragThresholdMegabytes?: number;
  /** Never wait until the log is on the disk: a power cut costs acknowledged writes. @defaultValue false */
  readonly unsafeNoFsync?: boolean;
}

const NUMBERS = {
  maxWals: [5, 0, Number.MAX_VALUE],
  walSegmentBytes: [64 * 1024 ** 2, 1_024, 1024 ** 3],
  quotaBackendBytes: [2 * 1024 ** 3, -Number.MAX_VALUE, Number.MAX_VALUE],
  backendBatchIntervalMs: [100, 0, MAX_TIMER_MS],
  backendBatchEntries: [10_000, 1, Number.MAX_VALUE],
  bootstrapDefragThresholdMegabytes: [0, 0, Number.MAX_VALUE],
  maxDirtyBytes: [64 * 1024 ** 2, 1 << 20, 1 << 30],
} as const satisfies Record<string, Range>;

/** Completes and checks. @throws StartError BAD_OPTION. */
export function resolveStorage(given: StorageOptions): Required<StorageOptions> {
  const zeroIsDefault = [
    'quotaBackendBytes',
    'backendBatchIntervalMs',
    'backendBatchEntries',
  ] as const;
  return {
    unsafeNoFsync: given.unsafeNoFsync ?? false,
    ...resolveNumbers(given, NUMBERS, zeroIsDefault),
  };
}
