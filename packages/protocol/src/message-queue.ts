/**
 * A bounded queue between one sender and one reader: how a stream's messages wait for whoever reads them.
 *
 * Invariants
 * - Items come out in the order they went in, each once.
 * - At most one reader waits, and only while the queue is empty and open.
 * - After {@link MessageQueue.end} the waiting items still come out; after {@link MessageQueue.abort} nothing does.
 */
import { assert, type Deferred, deferred } from '@etcd-ts/base';

type State =
  | { readonly kind: 'open' }
  | { readonly kind: 'ended'; readonly error: unknown }
  | { readonly kind: 'aborted'; readonly error: unknown };

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** A bounded queue of messages; see the head of this file. */
export class MessageQueue<Item> implements AsyncIterable<Item> {
  readonly #capacity: number;
  readonly #onReturn: (() => void) | undefined;
  #items: Item[] = [];
  /** Index of the first item not yet read. */
  #head = 0;
  #state: State = { kind: 'open' };
  #reader: Deferred<IteratorResult<Item, undefined>> | undefined;
  #drain: Deferred<void> | undefined;

  /**
   * @param capacity Items from which on {@link push} says that it is full. It takes more all the same: whoever sends
   *   is trusted to stop.
   * @param onReturn Called when the reader leaves its loop before the end.
   */
  constructor(capacity: number, onReturn?: () => void) {
    assert(capacity > 0, () => `capacity must be positive, is ${capacity}`);
    this.#capacity = capacity;
    this.#onReturn = onReturn;
  }

  /** Items that wait. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  /** True once nothing more will be taken in. */
  get isClosed(): boolean {
    return this.#state.kind !== 'open';
  }

  /** Appends an item; drops it when the queue is closed. False: full, wait for {@link drained}. */
  push(item: Item): boolean {
    if (this.#state.kind !== 'open') return false;
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve({ done: false, value: item });
      return true;
    }
    this.#items.push(item);
    return this.size < this.#capacity;
  }

  /** Resolves when the queue is no longer full, or closed. Never rejects. */
  drained(): Promise<void> {
    if (this.#state.kind !== 'open' || this.size < this.#capacity) return Promise.resolve();
    this.#drain ??= deferred();
    return this.#drain.promise;
  }

  /** No more items; the reader's loop ends, or throws `error`, after those that wait. The first end counts. */
  end(error?: unknown): void {
    if (this.#state.kind !== 'open') return;
    this.#close({ kind: 'ended', error });
  }

  /** Drops what waits; the reader's loop ends, or throws `error`, at once. */
  abort(error?: unknown): void {
    if (this.#state.kind === 'aborted') return;
    this.#items = [];
    this.#head = 0;
    this.#close({ kind: 'aborted', error });
  }

  [Symbol.asyncIterator](): AsyncIterator<Item, undefined> {
    return {
      next: () => this.#next(),
      return: () => {
        const leftEarly = this.#state.kind === 'open' || this.size > 0;
        this.abort();
        if (leftEarly) this.#onReturn?.();
        return Promise.resolve(DONE);
      },
    };
  }

  #next(): Promise<IteratorResult<Item, undefined>> {
    if (this.size > 0) return Promise.resolve({ done: false, value: this.#take() });
    if (this.#state.kind === 'open') {
      assert(this.#reader === undefined, 'a stream has one reader, which waits already');
      this.#reader = deferred();
      return this.#reader.promise;
    }
    const { error } = this.#state;
    if (error === undefined) return Promise.resolve(DONE);
    // Thrown once; a loop that goes on after it sees the end.
    this.#state = { kind: 'aborted', error: undefined };
    return Promise.reject(error);
  }

  #take(): Item {
    const item = this.#items[this.#head] as Item;
    this.#head++;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= 1024) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    if (this.size < this.#capacity) this.#wakeSender();
    return item;
  }

  #close(state: State): void {
    this.#state = state;
    this.#wakeSender();
    const reader = this.#reader;
    if (reader === undefined) return;
    this.#reader = undefined;
    this.#next().then(reader.resolve, reader.reject);
  }

  #wakeSender(): void {
    this.#drain?.resolve();
    this.#drain = undefined;
  }
}
