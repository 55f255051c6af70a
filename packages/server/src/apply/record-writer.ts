/**
 * Where replicated state beside the key space writes itself: named records that reach the backend in the same batch as
 * the entry that changed them. The store's write-behind implements it.
 */
export interface RecordWriter {
  /** Writes a record. Undefined removes it. */
  put(name: string, value: Uint8Array | undefined): void;
}
