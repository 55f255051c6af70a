import { fromUtf8 } from '@etcd-ts/base';
import type { Event, KeyValue } from '@etcd-ts/protocol';

/** One version of a key, as it was read. */
export class Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Revision of the first put since the key came into being. */
  readonly createRevision: number;
  /** Revision of this version: compare with it for optimistic updates. */
  readonly modRevision: number;
  /** 1 for the first put since the key came into being. */
  readonly version: number;
  /** Lease that the key is attached to; 0n for none. */
  readonly lease: bigint;

  constructor(kv: KeyValue) {
    this.key = kv.key;
    this.value = kv.value;
    this.createRevision = kv.createRevision;
    this.modRevision = kv.modRevision;
    this.version = kv.version;
    this.lease = kv.lease;
  }

  /** The key as UTF-8 text. */
  get keyText(): string {
    return fromUtf8(this.key);
  }

  /** The value as UTF-8 text. */
  get text(): string {
    return fromUtf8(this.value);
  }

  /**
   * The value parsed as JSON.
   *
   * @throws SyntaxError when it is not JSON.
   */
  json(): unknown {
    return JSON.parse(this.text);
  }
}

/** A change of a key. */
export interface WatchEvent {
  readonly type: 'put' | 'delete';
  /** The key after the change; after a delete only `key` and `modRevision` mean anything. */
  readonly entry: Entry;
  /** The key before the change, when the watch asked for it and it was there. */
  readonly previous: Entry | undefined;
}

/** etcd's number for a deletion (mvccpb.Event.DELETE). */
const DELETE = 1;

/** The event that a message of the wire is. */
export function toWatchEvent(event: Event): WatchEvent {
  const kv = event.kv ?? EMPTY_KV;
  return {
    type: event.type === DELETE ? 'delete' : 'put',
    entry: new Entry(kv),
    previous: event.prevKv === undefined ? undefined : new Entry(event.prevKv),
  };
}

const EMPTY_KV: KeyValue = {
  key: new Uint8Array(0),
  createRevision: 0,
  modRevision: 0,
  version: 0,
  value: new Uint8Array(0),
  lease: 0n,
};
