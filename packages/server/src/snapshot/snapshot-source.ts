import type { SnapshotMeta } from '@etcd-ts/raft';

/** The whole state as of one index, ready to be streamed. */
export interface SnapshotSource {
  readonly meta: SnapshotMeta;
  /** The content in bounded chunks; to be iterated once. Leaving early is fine. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Frees what the copy holds. Harmless when called twice. */
  close(): Promise<void>;
}
