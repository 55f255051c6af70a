/**
 * Events, made when the first watcher wants them and then shared by all: with and without what the key held before.
 */
import { EMPTY_BYTES, fromLatin1 } from '@etcd-ts/base';
import { type Event, EVENT_DELETE, EVENT_PUT, type KeyValue } from './key-value.ts';
import type { StoreState } from './store-state.ts';

/** Where a change stands. */
export interface ChangeRef {
  readonly slot: number;
  readonly key: string;
  readonly main: number;
  readonly sub: number;
  readonly isDelete: boolean;
}

/** One change as events. */
export class WatchEvent {
  readonly main: number;
  readonly isDelete: boolean;
  readonly #state: StoreState;
  readonly #change: ChangeRef;
  #kv: KeyValue | undefined;
  #plain: Event | undefined;
  #full: Event | undefined;

  constructor(state: StoreState, change: ChangeRef) {
    this.#state = state;
    this.#change = change;
    this.main = change.main;
    this.isDelete = change.isDelete;
  }

  /** The event as a watcher wants it. */
  for(watcher: { readonly prevKv: boolean }): Event {
    return watcher.prevKv ? this.#withPrev() : (this.#plain ??= this.#event());
  }

  /** Bytes of key and value, for the bounds of batches. */
  get bytes(): number {
    const kv = this.#version();
    return kv.key.length + kv.value.length;
  }

  #event(): Event {
    return { type: this.isDelete ? EVENT_DELETE : EVENT_PUT, kv: this.#version() };
  }

  #withPrev(): Event {
    if (this.#full === undefined) {
      const prevKv = this.#previous();
      this.#full = prevKv === undefined ? this.#event() : { ...this.#event(), prevKv };
    }
    return this.#full;
  }

  /** The version that the change made; of a delete only key and mod revision are set. */
  #version(): KeyValue {
    this.#kv ??= this.isDelete
      ? deletedKeyValue(fromLatin1(this.#change.key), this.main)
      : this.#state.readVersion(this.#change.slot, this.#change);
    return this.#kv;
  }

  /**
   * What a read at the revision before this one gives (etcd server/etcdserver/api/v3rpc/watch.go): nothing for a put
   * that created the key, and nothing when that revision is compacted.
   */
  #previous(): KeyValue | undefined {
    const state = this.#state;
    const isCreate = !this.isDelete && this.#version().createRevision === this.main;
    if (isCreate || this.main - 1 < state.compactRevision) return undefined;
    const { slot } = this.#change;
    const ref = state.index.at(slot, this.main - 1);
    return ref === undefined ? undefined : state.readVersion(slot, ref);
  }
}

function deletedKeyValue(key: Uint8Array, main: number): KeyValue {
  return { key, createRevision: 0, modRevision: main, version: 0, value: EMPTY_BYTES, lease: 0n };
}
