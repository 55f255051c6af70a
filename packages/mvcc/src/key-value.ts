/** One version of a key (etcd mvccpb.KeyValue). */
export interface KeyValue {
  key: Uint8Array;
  /** Revision of the first put of this generation. */
  createRevision: number;
  /** Revision of this version. */
  modRevision: number;
  /** 1 for the first put of a generation. 0 in a tombstone. */
  version: number;
  value: Uint8Array;
  /** Id of the lease attached to the key; 0n for none. */
  lease: bigint;
}

/** What a watch delivers (etcd mvccpb.Event). */
export interface Event {
  /** 0: put, 1: delete (etcd's numbers). */
  type: number;
  /** For a delete only key and modRevision are set. */
  kv: KeyValue;
  prevKv?: KeyValue | undefined;
}

/** Event.type of a put. */
export const EVENT_PUT = 0;
/** Event.type of a delete. */
export const EVENT_DELETE = 1;
