/** One watcher as the hub sees it. */
import { keyRange, isSingleKey, type KeyRange } from './key-range.ts';
import type { Watcher, WatcherState, WatchRequest, WatchSink } from './watch.ts';
import type { Watching } from './watcher-group.ts';

/** What a watcher asks of its hub. */
export interface WatcherOwner {
  /** Everything through here is known to synced watchers. */
  readonly revision: number;
  resume(watcher: HubWatcher): void;
  cancel(watcher: HubWatcher): void;
}

const FIRST_KEY = new Uint8Array([0]);

/** See {@link Watcher}. Only the hub changes it. */
export class HubWatcher implements Watcher, Watching {
  readonly range: KeyRange;
  readonly key: string | undefined;
  readonly startRevision: number;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly sink: WatchSink;
  state: WatcherState = 'behind';
  /** The lowest revision not yet delivered; of a synced watcher the store's next one, when that is higher. */
  next: number;
  readonly #owner: WatcherOwner;

  constructor(owner: WatcherOwner, request: WatchRequest, sink: WatchSink, next: number) {
    // An empty key is taken as the first key there can be, as etcd does.
    this.range = keyRange(request.key.length === 0 ? FIRST_KEY : request.key, request.rangeEnd);
    this.key = isSingleKey(request.rangeEnd) ? this.range.start : undefined;
    this.startRevision = request.startRevision;
    this.prevKv = request.prevKv;
    this.noPut = request.noPut;
    this.noDelete = request.noDelete;
    this.sink = sink;
    this.next = next;
    this.#owner = owner;
  }

  get nextRevision(): number {
    return this.state === 'synced' ? Math.max(this.next, this.#owner.revision + 1) : this.next;
  }

  resume(): void {
    this.#owner.resume(this);
  }

  cancel(): void {
    this.#owner.cancel(this);
  }

  /** False when a filter drops the event. */
  wants(event: { readonly isDelete: boolean }): boolean {
    return event.isDelete ? !this.noDelete : !this.noPut;
  }
}
