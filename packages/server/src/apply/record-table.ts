/**
 * Where replicated state beside the key space keeps itself: named records, all in memory, that reach the backend in the
 * same batch as the entry that changed them. The store's `meta` is one.
 */
export interface RecordTable {
  get(name: string): Uint8Array | undefined;
  set(name: string, value: Uint8Array): void;
  delete(name: string): void;
  /** Names with this prefix, sorted. */
  names(prefix: string): readonly string[];
}
