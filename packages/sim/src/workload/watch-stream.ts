/**
 * A client's watch stream: opens watches, writes down what comes, and takes them up again where they were when the stream
 * breaks. Each stretch between two breaks is a watch of its own in the history.
 */
import { must } from '@etcd-ts/base';
import type { Event } from '@etcd-ts/mvcc';
import {
  EtcdError,
  type StreamCall,
  type WatchRequest,
  type WatchResponse,
} from '@etcd-ts/protocol';
import type { HistoryRecorder, WatchHandle } from '../history/recorder.ts';
import type { RecordedConnection } from './connection.ts';
import { cancelMessage, createMessage, type WatchAsked, watchResponseOf } from './watch-wire.ts';
import { keyBytes } from './wire.ts';

/** Watches on one stream; the oldest is cancelled for a further one. */
export const MAX_WATCHES_PER_CLIENT = 8;

/** Rest between a broken stream and the next. */
const RECONNECT_MS = 100;

/** What a watch is asked for. */
export interface WatchWish {
  readonly key: string;
  readonly rangeEnd: string;
  readonly startRevision: number;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  /** Hears of the events as they come. */
  readonly onEvents?: (events: readonly Event[]) => void;
  /** Hears that the watch is over for good, and not because the client wanted it so. */
  readonly onGone?: () => void;
}

interface OpenWatch {
  readonly wish: WatchWish;
  /** Where it is written down; undefined between a break and the next connection. */
  handle: WatchHandle | undefined;
  id: bigint | undefined;
  /** Where to go on after a break. */
  nextRevision: number;
}

/** The watches of one client. */
export class WatchStream {
  readonly #recorder: HistoryRecorder;
  readonly #connection: () => RecordedConnection;
  readonly #sleep: (milliseconds: number) => Promise<void>;
  readonly #watches: OpenWatch[] = [];
  /** Asked for and not yet created, in the order of asking. */
  #pending: OpenWatch[] = [];
  #call: StreamCall<WatchRequest, WatchResponse> | undefined;
  /** Whose stream it is, and to which member: the client may have gone to another one meanwhile. */
  #by: RecordedConnection['by'] | undefined;
  #isClosed = false;
  /** Set while the client does not read. */
  #stall: Promise<void> | undefined;

  constructor(
    recorder: HistoryRecorder,
    connection: () => RecordedConnection,
    sleep: (milliseconds: number) => Promise<void>,
  ) {
    this.#recorder = recorder;
    this.#connection = connection;
    this.#sleep = sleep;
  }

  /** Opens a watch. */
  open(wish: WatchWish): void {
    if (this.#isClosed) return;
    if (this.#watches.length >= MAX_WATCHES_PER_CLIENT) this.#cancelOldest();
    const watch: OpenWatch = {
      wish,
      handle: undefined,
      id: undefined,
      nextRevision: wish.startRevision,
    };
    this.#watches.push(watch);
    if (this.#call === undefined) this.#connect();
    else this.#ask(watch);
  }

  /** Asks for progress on the stream. */
  progress(): void {
    this.#call?.send({ requestUnion: { $case: 'progressRequest', value: {} } });
  }

  /** Reads nothing for so long: what comes fills the window, and then waits at the member. */
  stall(milliseconds: number): void {
    this.#stall ??= this.#sleep(milliseconds).then(() => {
      this.#stall = undefined;
    });
  }

  /** The client goes to another member: the stream breaks and begins anew there. */
  reconnect(): void {
    this.#call?.cancel();
  }

  /** Ends all watches for good. */
  close(): void {
    this.#isClosed = true;
    this.#call?.cancel();
  }

  #connect(): void {
    const { channel, by } = this.#connection();
    const call = channel.stream('etcdserverpb.Watch/Watch');
    this.#call = call;
    this.#by = by;
    this.#pending = [];
    for (const watch of this.#watches) this.#ask(watch);
    void this.#read(call);
  }

  #ask(watch: OpenWatch): void {
    const { wish, nextRevision } = watch;
    watch.id = undefined;
    const asked: WatchAsked = {
      key: keyBytes(wish.key),
      rangeEnd: keyBytes(wish.rangeEnd),
      startRevision: nextRevision,
      prevKv: wish.prevKv,
      noPut: wish.noPut,
      noDelete: wish.noDelete,
    };
    const { client, member } = must(this.#by, 'connection of the stream');
    const openedAt = this.#recorder.nextPosition();
    watch.handle = this.#recorder.openWatch({ client, member, ...asked, openedAt });
    this.#pending.push(watch);
    this.#call?.send(createMessage(asked));
  }

  async #read(call: StreamCall<WatchRequest, WatchResponse>): Promise<void> {
    try {
      for await (const response of call.responses) {
        this.#onResponse(response);
        await this.#stall;
      }
    } catch (error) {
      // Whatever broke the stream: the watches go on elsewhere.
      if (!EtcdError.is(error)) throw error;
    }
    this.#call = undefined;
    for (const watch of this.#watches) {
      watch.handle?.end('the stream broke');
      watch.handle = undefined;
    }
    await this.#sleep(RECONNECT_MS);
    if (!this.#isClosed && this.#call === undefined && this.#watches.length > 0) this.#connect();
  }

  #onResponse(response: WatchResponse): void {
    if (response.created) {
      const watch = this.#pending.shift();
      if (watch === undefined) return;
      watch.id = response.watchId;
      this.#receive(watch, response);
      if (response.canceled) this.#over(watch, 'refused');
      return;
    }
    // Progress of the whole stream counts for every watch on it.
    const concerned = this.#watches.filter((watch) =>
      response.watchId === -1n ? watch.id !== undefined : watch.id === response.watchId,
    );
    for (const watch of concerned) {
      this.#receive(watch, response);
      if (response.canceled) this.#over(watch, 'cancelled');
    }
  }

  #over(watch: OpenWatch, why: string): void {
    this.#forget(watch, why);
    watch.wish.onGone?.();
  }

  #receive(watch: OpenWatch, response: WatchResponse): void {
    const received = watchResponseOf(response, this.#recorder.sharedKeyValues);
    const { created, canceled, headerRevision, events } = received;
    watch.handle?.receive(received);
    watch.wish.onEvents?.(events);
    if (created && watch.nextRevision === 0) watch.nextRevision = headerRevision + 1;
    const last = events.at(-1)?.kv.modRevision;
    if (last !== undefined) watch.nextRevision = Math.max(watch.nextRevision, last + 1);
    else if (!created && !canceled) {
      watch.nextRevision = Math.max(watch.nextRevision, headerRevision + 1);
    }
  }

  #cancelOldest(): void {
    // A cache lives as long as its client.
    const oldest = this.#watches.find(({ wish }) => wish.onGone === undefined);
    if (oldest === undefined) return;
    const { id } = oldest;
    if (id !== undefined) {
      this.#call?.send(cancelMessage(id));
      this.#forget(oldest, 'given up');
    }
  }

  #forget(watch: OpenWatch, why: string): void {
    watch.handle?.end(why);
    const at = this.#watches.indexOf(watch);
    if (at >= 0) this.#watches.splice(at, 1);
  }
}
