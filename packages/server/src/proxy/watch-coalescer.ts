/**
 * The watches that a proxy has open at the cluster for callers with the same credentials: one stream, one watcher for
 * each range, opened again where it was when its member fails.
 *
 * What always holds
 * - Whatever the cluster says of a watcher reaches its receivers in the turn in which it was read, in order.
 * - A stream that is opened, for whatever reason, has every watcher that the one before had.
 */
import {
  EtcdError,
  Status,
  type WatchCreateRequest,
  WatchRequest,
  WatchResponse,
} from '@etcd-ts/protocol';
import { toLatin1 } from '@etcd-ts/base';
import type { Clock, Timer } from '../clock.ts';
import type { OpenStream } from './upstream.ts';
import { type Receiver, WatchBroadcast } from './watch-broadcast.ts';

/** Pause before a stream that broke is opened again, in milliseconds. */
export const WATCH_RETRY_MS = 100;

/** Watchers of the whole stream, in progress answers. */
const ALL_WATCHERS = -1n;

type Opened = OpenStream<'etcdserverpb.Watch/Watch'>;
type Header = WatchResponse['header'];

/** What a coalescer is made of. */
export interface CoalescerParts {
  /** Opens a stream to the member in use. */
  readonly open: () => Opened;
  readonly clock: Clock;
  /** So many events were passed on to one more than the first. */
  readonly onShared: (events: number) => void;
}

/** A watcher of the cluster. */
interface Upstream {
  readonly broadcast: WatchBroadcast;
  readonly range: string;
  /** The cluster has made it, on this stream or on one before. */
  isMade: boolean;
}

/** Watches that share a stream. */
export class WatchCoalescer {
  readonly #parts: CoalescerParts;
  readonly #byId = new Map<bigint, Upstream>();
  readonly #progress = new Set<(header: Header) => void>();
  #opened: Opened | undefined;
  #retry: Timer | undefined;
  #lastId = 0n;
  #isClosed = false;

  constructor(parts: CoalescerParts) {
    this.#parts = parts;
  }

  /** Watchers that the cluster has for it. */
  get size(): number {
    return this.#byId.size;
  }

  /** Receivers that are served by a watcher of another one. */
  get sharing(): number {
    const all = [...this.#byId.values()];
    return all.reduce((sum, { broadcast }) => sum + Math.max(0, broadcast.receivers.size - 1), 0);
  }

  /** Serves a receiver what its request asks for, until it leaves or is told that it ended. */
  join(request: WatchCreateRequest, receiver: Receiver): void {
    const range = rangeOf(request);
    const fitting = [...this.#byId.values()].find(
      (each) => each.range === range && each.broadcast.fits(request.startRevision),
    );
    if (fitting !== undefined) {
      receiver.toldRevision = Math.max(fitting.broadcast.revision, request.startRevision - 1);
      return receiver.made(fitting.broadcast.join(receiver));
    }
    const broadcast = new WatchBroadcast({ ...request, fragment: false });
    broadcast.receivers.add(receiver);
    this.#lastId += 1n;
    const upstream: Upstream = { broadcast, range, isMade: false };
    this.#byId.set(this.#lastId, upstream);
    if (this.#opened === undefined) this.#open();
    else this.#create(this.#opened, this.#lastId, upstream);
  }

  /** Serves a receiver no more, whether it was made or not. Harmless when repeated. */
  leave(receiver: Receiver): void {
    for (const [id, { broadcast }] of this.#byId) {
      if (broadcast.receivers.delete(receiver) && broadcast.receivers.size === 0) this.#drop(id);
    }
  }

  /** Asks how far all watchers are; answered once they are all up to date, or never. */
  requestProgress(onAnswer: (header: Header) => void): void {
    this.#progress.add(onAnswer);
    this.#askProgress();
  }

  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#opened?.call.cancel();
  }

  #open(): void {
    if (this.#isClosed) return;
    this.#retry?.cancel();
    const opened = this.#parts.open();
    this.#opened = opened;
    void this.#read(opened);
    for (const [id, upstream] of this.#byId) this.#create(opened, id, upstream);
    if (this.#progress.size > 0) this.#askProgress();
  }

  /** Makes a watcher of the cluster, behind what it has passed on. */
  #create({ call }: Opened, id: bigint, { broadcast, isMade }: Upstream): void {
    const { request } = broadcast;
    const startRevision = isMade ? broadcast.revision + 1 : request.startRevision;
    const value = { ...request, watchId: id, startRevision };
    call.send(WatchRequest.fromPartial({ requestUnion: { $case: 'createRequest', value } }));
  }

  #askProgress(): void {
    const requestUnion = { $case: 'progressRequest', value: {} } as const;
    this.#opened?.call.send(WatchRequest.fromPartial({ requestUnion }));
  }

  async #read(opened: Opened): Promise<void> {
    let failure = new EtcdError('UNAVAILABLE', { message: 'the member ended the stream' });
    try {
      for await (const response of opened.call.responses) this.#take(response);
    } catch (error) {
      failure = EtcdError.from(error);
    }
    this.#opened = undefined;
    if (this.#isClosed || this.#byId.size === 0) return;
    if (!isPassing(failure)) return this.#endAll(failure);
    opened.failed(failure);
    this.#retry = this.#parts.clock.after(WATCH_RETRY_MS, () => {
      if (this.#opened === undefined && this.#byId.size > 0) this.#open();
    });
  }

  /** The cluster will not serve these callers: every watcher ends with its words. */
  #endAll(failure: EtcdError): void {
    const cancelReason = `rpc error: code = ${failure.status} desc = ${failure.message}`;
    for (const id of this.#byId.keys()) {
      this.#end(id, WatchResponse.fromPartial({ watchId: id, canceled: true, cancelReason }));
    }
  }

  #take(response: WatchResponse): void {
    const { canceled, created, events, header, watchId } = response;
    if (watchId === ALL_WATCHERS) return this.#progressed(header);
    const upstream = this.#byId.get(watchId);
    if (upstream === undefined) return;
    const { broadcast } = upstream;
    if (canceled) return this.#end(watchId, response);
    if (created) {
      if (!upstream.isMade) {
        upstream.isMade = true;
        broadcast.made(header);
      }
      // Nothing else tells when a watcher of the past has come to the present.
      if (!broadcast.isLive) this.#askProgress();
      return;
    }
    const others = broadcast.receivers.size - 1;
    if (others > 0) this.#parts.onShared(others * events.length);
    broadcast.take(response);
    this.#merge(watchId, upstream);
  }

  #progressed(header: Header): void {
    for (const [id, upstream] of this.#byId) {
      if (!upstream.isMade) continue;
      upstream.broadcast.progressed(header?.revision ?? 0);
      this.#merge(id, upstream);
    }
    const waiting = [...this.#progress];
    this.#progress.clear();
    for (const answer of waiting) answer(header);
  }

  /** A watcher that has come as far as another of its range is not needed any more. */
  #merge(id: bigint, { broadcast, range }: Upstream): void {
    for (const [otherId, other] of this.#byId) {
      if (otherId === id || other.range !== range || !other.broadcast.isLive) continue;
      if (!other.isMade || broadcast.revision < other.broadcast.revision) continue;
      other.broadcast.absorb(broadcast);
      this.#drop(id);
      return;
    }
  }

  #drop(id: bigint): void {
    this.#byId.delete(id);
    const requestUnion = { $case: 'cancelRequest', value: { watchId: id } } as const;
    this.#opened?.call.send(WatchRequest.fromPartial({ requestUnion }));
  }

  #end(id: bigint, response: WatchResponse): void {
    const receivers = this.#byId.get(id)?.broadcast.receivers ?? [];
    this.#byId.delete(id);
    for (const receiver of receivers) receiver.ended(response);
  }
}

/** Whether another attempt may help. */
function isPassing({ status }: EtcdError): boolean {
  return status === Status.UNAVAILABLE || status === Status.CANCELED || status === Status.UNKNOWN;
}

/** What must be equal for two watchers to be served by one. */
function rangeOf({ key, rangeEnd, filters, prevKv, progressNotify }: WatchCreateRequest): string {
  const flags = `${[...filters].sort((a, b) => a - b).join()}/${prevKv}/${progressNotify}`;
  return `${key.length}:${toLatin1(key)}${toLatin1(rangeEnd)}/${flags}`;
}
