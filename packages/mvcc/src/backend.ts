/**
 * Where the store keeps its bytes: an ordered map from byte strings to byte strings.
 *
 * The store is the only writer. It reads single records synchronously, writes atomic batches behind the applied
 * state, and reads in key order when it loads or dumps. `backendSuite` of `@etcd-ts/mvcc/testing` is this contract
 * as tests.
 *
 * Ownership: nobody writes to an array that has crossed this port, in either direction.
 * Failures: a method that fails rejects (or throws) with the cause; the store makes nothing of it and passes it on,
 * and the node stops (fail-stop: after a failed write the content is unknown).
 */
export interface Backend {
  /** The value of a key, or undefined. Sees every write whose promise has resolved. */
  get(key: Uint8Array): Uint8Array | undefined;
  /**
   * Applies all operations in order, all or nothing, even over a crash of the process. Needs no fsync: what a power
   * cut takes, the log brings back. Batches take effect in the order of the calls.
   *
   * The operations may be gone through once, at any time until the promise settles: a large batch need not exist as a
   * whole.
   */
  write(operations: Iterable<BackendOperation>): Promise<void>;
  /**
   * Makes every write whose promise has resolved, and all that was there when it was opened, durable against a power cut.
   * Asked for before the log is dropped behind the state, and before another database is removed in favour of this one;
   * nothing else needs it.
   */
  sync(): Promise<void>;
  /** Reads keys in [start, end) in byte order. Sees at least what was written before the call. */
  iterate(start: Uint8Array, end: Uint8Array): BackendIterator;
  /** Bytes on the medium, roughly. May lag behind the writes. */
  sizeBytes(): Promise<number>;
  /** Gives the medium's space of dropped records back, without stopping reads and writes. */
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>;
  /** Releases everything. Nothing may be called afterwards. */
  close(): Promise<void>;
}

/** One operation of a batch: a put when it has a value, else a delete (of a key that need not exist). */
export interface BackendOperation {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** A key with its value. */
export type BackendEntry = readonly [key: Uint8Array, value: Uint8Array];

/** Pages of entries in key order. */
export interface BackendIterator {
  /**
   * The next entries, at most this many; fewer when they are large (a page is bounded at about `PAGE_BYTES_MAX`).
   * An empty page is the end.
   */
  nextPage(entriesMax: number): Promise<readonly BackendEntry[]>;
  /** Must be called once, also after the end. */
  close(): Promise<void>;
}

/** Bytes after which an iterator ends a page early: 1 MiB. A single larger entry still comes, alone. */
export const PAGE_BYTES_MAX: number = 1 << 20;
