/** The public face of a log that is open for writing. */
import type { LogIndex, SnapshotMeta } from '@etcd-ts/raft';
import type { RecoveredLog, WalGroup, WalMetadata } from './contents.ts';
import type { Disk } from './disk.ts';
import type { WalError } from './wal-error.ts';

/** How large a segment grows before the next one begins, in bytes (etcd server/storage/wal/wal.go, SegmentSizeBytes). */
export const DEFAULT_SEGMENT_SIZE_BYTES: number = 64 * 1024 * 1024;

/** Segments kept behind a snapshot (etcd's `--max-wals`). */
export const DEFAULT_MAX_SEGMENTS = 5;

/** A sync that takes longer is slow, in milliseconds (etcd's warnSyncDuration). */
export const DEFAULT_SLOW_SYNC_LIMIT_MS = 1000;

/** Bytes that may wait for the disk. */
export const DEFAULT_MAX_PENDING_BYTES: number = 256 * 1024 * 1024;

/** What a log tells about its work, for metrics and logging. Called synchronously; must not throw. */
export interface WalObserver {
  /** Bytes went into the system's cache. */
  readonly written?: (sizeBytes: number, durationMs: number) => void;
  /** A sync ended well. */
  readonly synced?: (durationMs: number) => void;
  /** A sync took longer than `slowSyncLimitMs`. Called besides `synced`. */
  readonly slowSync?: (durationMs: number, limitMs: number) => void;
}

/** How a log is opened. */
export interface WalOptions {
  readonly disk: Disk;
  /** The directory of the log alone; made when it is not there. */
  readonly directory: string;
  /** Whose log it is: to begin one, and to refuse another's. Without it an existing log is opened as it is. */
  readonly metadata?: WalMetadata;
  /**
   * Whether the content of a snapshot that the log names can be had. Asked for marks in the order in which they were
   * written. @defaultValue every one can
   */
  readonly isUsableSnapshot?: (snapshot: SnapshotMeta) => boolean;
  /** @defaultValue {@link DEFAULT_SEGMENT_SIZE_BYTES} */
  readonly segmentSizeBytes?: number;
  /** Segments that {@link Wal.release} leaves even when none is needed; 0 keeps all. @defaultValue {@link DEFAULT_MAX_SEGMENTS} */
  readonly maxSegments?: number;
  /** Beyond it a group is refused as `FULL`. @defaultValue {@link DEFAULT_MAX_PENDING_BYTES} */
  readonly maxPendingBytes?: number;
  /** @defaultValue {@link DEFAULT_SLOW_SYNC_LIMIT_MS} */
  readonly slowSyncLimitMs?: number;
  /** A clock that never goes back, in milliseconds; without it durations are reported as 0. */
  readonly monotonicMs?: () => number;
  readonly observer?: WalObserver;
}

/** Figures of an open log since it was opened. */
export interface WalStats {
  /** Groups taken. */
  readonly groups: number;
  /** Bytes written, padding and headers included. */
  readonly writtenBytes: number;
  /** Writes to the segment, each of all the groups that waited. */
  readonly writes: number;
  readonly syncs: number;
  readonly slowSyncs: number;
  /** Bytes taken and not yet durable. */
  readonly pendingBytes: number;
  /** Segments on disk now. */
  readonly segments: number;
  /** Index of the last entry of the log. */
  readonly lastIndex: LogIndex;
}

/** Called once when a group is durable, or with the reason why it never will be. */
export type WalDone = (error: WalError | undefined) => void;

/**
 * A log that is open for writing.
 *
 * What always holds:
 * - Groups become durable in the order in which they were written, and their completions come in that order.
 * - Whatever waits goes down in one write and one sync; groups go on being taken while a sync is under way.
 * - The first failure of the disk is the last thing that happens: every group not yet durable and every later one gets
 *   a `FAILED` error with that cause, and the disk is not touched again. Only opening anew tells what is there.
 */
export interface Wal {
  readonly metadata: WalMetadata;
  /**
   * Takes a group. `done` is called, never before this returns, when the group is durable; with `sync` false when it is
   * in the system's cache, and it becomes durable with the next group that is synced.
   *
   * The hot path: the group is encoded before this returns, and no promise is made for it.
   *
   * @throws InvariantError when the group does not continue the log; that is the caller's mistake, nothing was taken.
   */
  write(group: WalGroup, sync: boolean, done: WalDone): void;
  /**
   * {@link write} with a promise.
   *
   * @throws WalError (rejection): `FAILED`, `FULL`, `TOO_LARGE`, `CLOSED`.
   */
  append(group: WalGroup, options: { readonly sync: boolean }): Promise<void>;
  /**
   * Lets go of the segments that hold nothing after `index`, oldest first, leaving at least `maxSegments`. Call it when a
   * snapshot through `index` is durable and marked in the log.
   *
   * @returns How many were removed.
   * @throws WalError (rejection): `FAILED`, `CLOSED`.
   */
  release(index: LogIndex): Promise<number>;
  /** Bytes taken and not yet durable: what {@link stats} says of them, without the rest. */
  readonly pendingBytes: number;
  stats(): WalStats;
  /**
   * Makes everything taken durable, marks the log as closed whole, and gives up the directory. Later groups get `CLOSED`.
   * After a failure it only gives up what it holds. Harmless when repeated.
   */
  close(): Promise<void>;
}

/** An open log and what was in it. */
export interface OpenedWal {
  readonly wal: Wal;
  /** What was recovered; undefined when the log was begun by this call. */
  readonly recovered: RecoveredLog | undefined;
}
