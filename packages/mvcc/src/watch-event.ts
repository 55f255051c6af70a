/**
 * Events, made when the first watcher wants them and then shared by all: with and without what the key held before.
 */
import { fromLatin1 } from '@etcd-ts/base';
import { type Event, EVENT_DELETE, EVENT_PUT, type KeyValue } from './key-value.ts';
import type { StoreState } from './store-state.ts';
import { deletedKeyValue } from './write-txn.ts';

/** One change as events. */
export class WatchEvent {
  readonly main: number;
  readonly isDelete: boolean;
  /** Bytes of key and value, for the bounds of batches. */
  readonly bytes: number;
  readonly #state: StoreState;
  readonly #slot: number;
  readonly #kv: KeyValue;
  readonly #before: KeyValue | undefined;
  #plain: Event | undefined;
  #full: Event | undefined;

  /** @param before The version before this one, when it is at hand. */
  constructor(
    state: StoreState,
    change: { slot: number; kv: KeyValue; isDelete: boolean; before: KeyValue | undefined },
  ) {
    this.#state = state;
    this.#slot = change.slot;
    this.#kv = change.kv;
    this.#before = change.before;
    this.main = change.kv.modRevision;
    this.isDelete = change.isDelete;
    this.bytes = change.kv.key.length + change.kv.value.length;
  }

  /** The event as a watcher wants it. */
  for(watcher: { readonly prevKv: boolean }): Event {
    return watcher.prevKv ? this.#withPrev() : (this.#plain ??= this.#event());
  }

  #event(): Event {
    return { type: this.isDelete ? EVENT_DELETE : EVENT_PUT, kv: this.#kv };
  }

  #withPrev(): Event {
    if (this.#full === undefined) {
      const prevKv = this.#previous();
      this.#full = prevKv === undefined ? this.#event() : { ...this.#event(), prevKv };
    }
    return this.#full;
  }

  /**
   * What a read at the revision before this one gives (etcd server/etcdserver/api/v3rpc/watch.go): nothing for a put
   * that created the key, and nothing when that revision is compacted.
   */
  #previous(): KeyValue | undefined {
    const state = this.#state;
    const isCreate = !this.isDelete && this.#kv.createRevision === this.main;
    if (isCreate || this.main - 1 < state.compactRevision) return undefined;
    if (this.#before !== undefined && this.#before.modRevision < this.main) return this.#before;
    const ref = state.index.at(this.#slot, this.main - 1);
    return ref === undefined ? undefined : state.readVersion(this.#slot, ref);
  }
}

/** The event of a version in the history. */
export function historyEvent(
  state: StoreState,
  version: {
    readonly main: number;
    readonly sub: number;
    readonly slot: number;
    readonly tombstone: boolean;
  },
): WatchEvent {
  const { slot, main, tombstone } = version;
  const kv = tombstone
    ? deletedKeyValue(fromLatin1(state.index.keyOf(slot)), main)
    : state.readVersion(slot, { main, sub: version.sub });
  return new WatchEvent(state, { slot, kv, isDelete: tombstone, before: undefined });
}
