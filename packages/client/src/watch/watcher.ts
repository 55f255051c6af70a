import type { WatchEvent } from '../entry.ts';
import type { Subscription, WatchBatch } from './subscription.ts';

/**
 * A running watch. To be iterated once, by event or by batch.
 *
 * Reconnects, turns to other members and goes on where it was: no event is lost, none comes twice, all come in the
 * order of their revisions. It ends only when it is cancelled, when its history is compacted (the loop throws
 * COMPACTED, {@link compactRevision} tells where history begins now), or when the server refuses it.
 *
 * @example
 * for await (const event of client.watch({ prefix: 'config/' })) apply(event.entry.keyText, event.entry.text);
 */
export class Watcher implements AsyncIterable<WatchEvent> {
  readonly #subscription: Subscription;
  readonly #cancel: () => void;
  readonly #requestProgress: () => void;

  /** @internal */
  constructor(subscription: Subscription, cancel: () => void, requestProgress: () => void) {
    this.#subscription = subscription;
    this.#cancel = cancel;
    this.#requestProgress = requestProgress;
  }

  /**
   * Resolves when the server has made the watch, to the revision of the store at that moment: what happens after it is
   * delivered.
   */
  get created(): Promise<number> {
    return this.#subscription.created.promise;
  }

  /** With the error COMPACTED: the least revision from which a new watch may start. */
  get compactRevision(): number | undefined {
    return this.#subscription.compactRevision;
  }

  /** Everything before this revision has been delivered to the reader or waits for it; 0 until known. */
  get nextRevision(): number {
    return this.#subscription.nextRevision;
  }

  /** Ends the watch; the loop ends after what has come already. */
  cancel(): void {
    this.#cancel();
  }

  /**
   * Asks the server to say how far it is. It answers to all watches of this client with a batch without events, as
   * soon as all of them are up to date; etcd keeps silent until then.
   */
  requestProgress(): void {
    this.#requestProgress();
  }

  /** By batch: all events of what came together, or none in a progress notice. Progress notices come only here. */
  batches(): AsyncIterable<WatchBatch> {
    return this.#subscription.queue;
  }

  /** By event. */
  async *[Symbol.asyncIterator](): AsyncGenerator<WatchEvent, void, undefined> {
    for await (const batch of this.#subscription.queue) yield* batch.events;
  }
}
