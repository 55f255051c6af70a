import { deferred } from '@etcd-ts/base';
import { EtcdError, type Event, MessageQueue, type WatchResponse } from '@etcd-ts/protocol';
import { toWatchEvent, type WatchEvent } from '../entry.ts';
import type { KeyRange } from '../key.ts';
import { whole } from '../kv.ts';

/** Batches that wait for a reader; a watch whose reader is slower is parked and caught up from the history later. */
export const WATCH_BUFFER_BATCHES = 128;

/** What was said to a watch at one point of the history. */
export interface WatchBatch {
  /** In the order in which they happened. Empty in a progress notice. */
  readonly events: readonly WatchEvent[];
  /** Revision of the store when this was sent; nothing up to it is still to come after a progress notice. */
  readonly revision: number;
}

/** What to watch, and how. */
export interface WatchOptions {
  /** First revision whose events are wanted. @defaultValue the one after the current */
  readonly startRevision?: number;
  /** Give each event the key as it was before. */
  readonly previous?: boolean;
  /** Say now and then how far the watch is, though there are no events. See {@link Watcher.batches}. */
  readonly progressNotify?: boolean;
  /** Leave out puts or deletions. */
  readonly ignore?: 'puts' | 'deletes';
  /** Ends the watch with CANCELED. */
  readonly signal?: AbortSignal;
}

/**
 * - `creating`: sent to the server, not answered yet.
 * - `active`: the server delivers.
 * - `parked`: its reader is slow, so the server was told to stop; goes on when there is room.
 * - `waiting`: no stream.
 * - `closed`: nothing more comes.
 */
export type SubscriptionState = 'creating' | 'active' | 'parked' | 'waiting' | 'closed';

/**
 * One watch as the client keeps it: where it is in the history, and what its reader has not seen yet.
 *
 * Invariant: everything before `nextRevision` that the watch is to deliver is in the queue or read already, nothing
 * from it on is. So a new start at `nextRevision` neither loses nor repeats an event.
 */
export class Subscription {
  readonly range: KeyRange;
  readonly options: WatchOptions;
  readonly queue: MessageQueue<WatchBatch>;
  /** Resolves to the revision at which the watch came into being on the server. */
  readonly created: ReturnType<typeof deferred<number>> = deferred<number>();
  state: SubscriptionState = 'waiting';
  /** Id on the current stream. A new one each time it is sent, so that late answers are told apart. */
  id = 0n;
  /** 0 until the server has said where the watch begins. */
  nextRevision: number;
  /** Its last create was refused for a token that was too old; refused again, it ends. */
  hasOldToken = false;
  /** Set when the history that the watch needs is gone. */
  compactRevision: number | undefined;
  /** Called once, when the watch is closed. */
  onClosed: (() => void) | undefined;
  /** Events of a response whose other fragments are to come. */
  #fragments: Event[] = [];

  constructor(range: KeyRange, options: WatchOptions, onReturn: () => void) {
    this.range = range;
    this.options = options;
    this.nextRevision = whole('startRevision', options.startRevision);
    this.queue = new MessageQueue(WATCH_BUFFER_BATCHES, onReturn);
    // Whoever does not ask for it need not handle it.
    this.created.promise.catch(() => undefined);
  }

  /** The server has made the watch. */
  onCreated(revision: number): void {
    this.state = 'active';
    this.hasOldToken = false;
    this.#fragments = [];
    if (this.nextRevision === 0) this.nextRevision = revision + 1;
    this.created.resolve(revision);
  }

  /** Takes events in. False: the reader is behind, park. */
  onEvents(response: WatchResponse): boolean {
    // One by one: as arguments of one call they may be too many for the stack.
    for (const event of response.events) this.#fragments.push(event);
    if (response.fragment) return true;
    const events = this.#fragments;
    this.#fragments = [];
    const last = events.at(-1)?.kv?.modRevision ?? 0;
    if (last >= this.nextRevision) this.nextRevision = last + 1;
    return this.queue.push({
      events: events.map(toWatchEvent),
      revision: response.header?.revision ?? last,
    });
  }

  /** The server says that all up to a revision was delivered. */
  onProgress(revision: number): void {
    if (revision >= this.nextRevision) this.nextRevision = revision + 1;
    // A reader who is behind will learn of it by the next one.
    if (this.queue.size < WATCH_BUFFER_BATCHES) this.queue.push({ events: [], revision });
  }

  /** The stream is gone, or was left: what is incomplete will come again. */
  suspend(state: 'waiting' | 'parked'): void {
    this.#fragments = [];
    if (this.state !== 'closed') this.state = state;
  }

  /** Nothing more comes; the reader gets what waits, then the error or the end. */
  close(error?: EtcdError): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.queue.end(error);
    this.created.reject(error ?? new EtcdError('CANCELED'));
    this.onClosed?.();
  }
}
