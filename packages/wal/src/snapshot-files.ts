/** Snapshot files: a Raft snapshot's content, whole or not there. */
import type { ClusterId } from '@etcd-ts/base';
import type { SnapshotMeta } from '@etcd-ts/raft';
import type { Disk } from './disk.ts';

/** How snapshot files are kept. */
export interface SnapshotFilesOptions {
  readonly disk: Disk;
  /** The directory of snapshot files alone; made when it is not there. */
  readonly directory: string;
  readonly clusterId: ClusterId;
  /** Complete snapshots that {@link SnapshotFiles.purge} leaves (etcd's `--max-snapshots`). @defaultValue 5 */
  readonly maxSnapshots?: number;
}

/** A snapshot that is being written. Ends with exactly one of `commit` and `abort`. */
export interface SnapshotWriter {
  readonly meta: SnapshotMeta;
  /** Content bytes taken so far. */
  readonly sizeBytes: number;
  /** Adds content. Resolves when the next part may come: a bounded part of the file is not yet synced then. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes it durable under its name: sync, rename, sync of the directory. */
  commit(): Promise<SnapshotFile>;
  /** Throws it away. Harmless after either end. */
  abort(): Promise<void>;
}

/** A complete snapshot on disk. */
export interface SnapshotFile {
  readonly meta: SnapshotMeta;
  /** Its name in the directory. */
  readonly name: string;
  readonly path: string;
  /** Of the file. */
  readonly sizeBytes: number;
}

/** A snapshot that is being read. While it is open, no purge removes it. */
export interface SnapshotReader {
  readonly file: SnapshotFile;
  /** The content, verified chunk by chunk, from `offsetBytes` of it on (0 without). To be iterated once. */
  chunks(offsetBytes?: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** The snapshot files of one member. */
export interface SnapshotFiles {
  /** Complete snapshots, newest (highest index, then term) first. Files whose header is unreadable are left out. */
  list(): Promise<readonly SnapshotFile[]>;
  /** Begins one. */
  create(meta: SnapshotMeta): Promise<SnapshotWriter>;
  /** Opens one for reading. */
  open(file: SnapshotFile): Promise<SnapshotReader>;
  /** Removes the oldest beyond `maxSnapshots`, never one that is open, pinned or at or above `keepIndex`. */
  purge(keepIndex?: number): Promise<readonly string[]>;
}
