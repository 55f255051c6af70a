/** What goes into a log and what comes out of it again. */
import type { ClusterId, MemberId } from '@etcd-ts/base';
import type { Entry, HardState, SnapshotMeta } from '@etcd-ts/raft';

/** Whose log it is. Written into every segment, and never changed. */
export interface WalMetadata {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
}

/**
 * What is written in one step: after a crash all of it is there or none of it.
 *
 * In a group the snapshot comes first, then the entries, then the hard state, as in Raft's persist effect.
 */
export interface WalGroup {
  /**
   * A snapshot whose content is durable already: its file was synced, and so was its directory. Where the log holds the
   * entry (index, term) it stays; otherwise the log begins anew behind the snapshot.
   */
  readonly snapshot?: SnapshotMeta | undefined;
  /** Without gap, after what the log holds; the first cuts off whatever the log holds from its index on. */
  readonly entries: readonly Entry[];
  /** Present when term, vote or commit changed. */
  readonly hardState?: HardState | undefined;
}

/** What an opened log gave up to be whole again. Nothing that was ever synced is among it. */
export interface WalRepair {
  /** Path of the segment that was cut. */
  readonly file: string;
  /** Where the intact log ends, in bytes. */
  readonly offsetBytes: number;
  /** Bytes behind it that were not zero, up to the last such byte. */
  readonly droppedBytes: number;
  /** Why they are no part of the log. */
  readonly reason: string;
}

/** A log's content, read from disk. */
export interface RecoveredLog {
  readonly metadata: WalMetadata;
  /** Term, vote and commit as last written; zeros when none ever were. Its commit is at least the snapshot's index. */
  readonly hardState: HardState;
  /** The newest usable snapshot; undefined when the log goes back to its beginning. */
  readonly snapshot?: SnapshotMeta;
  /** Everything after the snapshot (from index 1 without one), without gap. */
  readonly entries: readonly Entry[];
  /** Present when an unfinished write was cut off. */
  readonly repaired?: WalRepair;
}
