/** What the two sides of a watch tell each other. */
import type { Event } from './key-value.ts';

/** Which events a watcher wants, and from when. */
export interface WatchRequest {
  /** First key. Empty is taken as `\0`, as etcd does. */
  readonly key: Uint8Array;
  /** Empty: the one key. `\0`: every key from `key` on. Else exclusive end. */
  readonly rangeEnd: Uint8Array;
  /** First revision to deliver; 0: the next one after now. A future one is waited for. */
  readonly startRevision: number;
  /** Deliver with each event what the key held before it. */
  readonly prevKv: boolean;
  /** Drop puts. */
  readonly noPut: boolean;
  /** Drop deletes. */
  readonly noDelete: boolean;
}

/**
 * What a sink is given: events, or the news that the watch is over.
 *
 * Invariant: all events of a revision are in one batch, in operation order; revisions rise from batch to batch,
 * and none that matches is left out.
 *
 * Batches, events and key-values are shared between watchers and with the store: never write to them.
 */
export interface WatchBatch {
  /** Empty only when `compactRevision` is set. */
  readonly events: readonly Event[];
  /** For the response's header: the store's revision when the batch was made. 0 with a compaction. */
  readonly revision: number;
  /** > 0: the watcher needs revisions below this one, which are gone. It is cancelled and gets nothing more. */
  readonly compactRevision: number;
}

/**
 * Takes a batch, synchronously; must not call the store or the hub.
 *
 * @returns false when it has no room: the batch is NOT taken, the watcher is parked, and the same events come again
 * after `watcher.resume()`.
 */
export type WatchSink = (batch: WatchBatch) => boolean;

/**
 * Where a watcher stands.
 *
 * - `synced`: has everything through the current revision; gets events in the turn of the write.
 * - `behind`: reads history, in the bounded steps of `WatchHub.step`.
 * - `parked`: its sink had no room; holds no events, and waits for `resume()`.
 * - `ended`: cancelled, by its owner or by a compaction.
 */
export type WatcherState = 'synced' | 'behind' | 'parked' | 'ended';

/** One watch, as its owner sees it. */
export interface Watcher {
  readonly state: WatcherState;
  /** The start revision of the request; 0 for "from now on". */
  readonly startRevision: number;
  /** Everything that matches below this revision has been delivered. Monotonic. */
  readonly nextRevision: number;
  /** The sink has room again: a parked watcher goes on. Harmless otherwise. */
  resume(): void;
  /** Ends the watch: nothing is delivered after this call. Harmless when ended. */
  cancel(): void;
}
