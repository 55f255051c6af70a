/**
 * The watches that a proxy has open at the cluster for callers with the same credentials: one stream, one watcher for
 * each range, opened again where it was when its member fails.
 *
 * What always holds
 * - Whatever the cluster says of a watcher reaches its receivers in the turn in which it was read, in order.
 * - A stream that is opened, for whatever reason, has every watcher that the one before had.
 * - The cluster answers creates in their order, so a refusal, which has no id, is for the oldest without an answer.
 */
import {
  EtcdError,
  rpcErrorText,
  Status,
  type WatchCreateRequest,
  WatchRequest,
  WatchResponse,
} from '@etcd-ts/protocol';
import { toLatin1 } from '@etcd-ts/base';
import type { Clock, Timer } from '../clock.ts';
import type { OpenStream } from './upstream.ts';
import { type Receiver, WatchBroadcast } from './watch-broadcast.ts';
import { type Made, WatchProgress } from './watch-progress.ts';

/** Pause before a stream that broke is opened again, in milliseconds. */
export const WATCH_RETRY_MS = 100;

/** The id of answers that are about the whole stream, and of refusals. */
const NO_WATCHER = -1n;

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
  readonly id: bigint;
  readonly broadcast: WatchBroadcast;
  readonly range: string;
  /** The cluster has made it, on this stream or on one before. */
  isMade: boolean;
  /** How it was made on this stream; undefined: not yet. */
  made: Made | undefined;
}

/** Watches that share a stream. */
export class WatchCoalescer {
  readonly #parts: CoalescerParts;
  readonly #byId = new Map<bigint, Upstream>();
  readonly #byRange = new Map<string, Set<Upstream>>();
  /** The range of each receiver that is served or waits. */
  readonly #rangeOf = new Map<Receiver, string>();
  /** Who waits to hear how far all watchers are. */
  readonly #waiting = new Set<(header: Header) => void>();
  /** Creates that the stream has not answered yet, oldest first. */
  #creating: bigint[] = [];
  #progress = new WatchProgress();
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
    this.#rangeOf.set(receiver, range);
    for (const { broadcast } of this.#ofRange(range)) {
      if (!broadcast.fits(request.startRevision)) continue;
      receiver.toldRevision = Math.max(broadcast.revision, request.startRevision - 1);
      return receiver.made(broadcast.join(receiver));
    }
    const broadcast = new WatchBroadcast({ ...request, fragment: false });
    broadcast.receivers.add(receiver);
    this.#lastId += 1n;
    const upstream = { id: this.#lastId, broadcast, range, isMade: false, made: undefined };
    this.#add(upstream);
    if (this.#opened === undefined) this.#open();
    else this.#create(this.#opened, upstream);
  }

  /** Serves a receiver no more, whether it was made or not. Harmless when repeated. */
  leave(receiver: Receiver): void {
    const range = this.#rangeOf.get(receiver);
    if (range === undefined) return;
    this.#rangeOf.delete(receiver);
    for (const upstream of this.#ofRange(range)) {
      const { receivers } = upstream.broadcast;
      if (receivers.delete(receiver) && receivers.size === 0) this.#drop(upstream);
    }
  }

  /**
   * Asks how far all watchers are; answered once they are all up to date, or never. Whoever asks again before that is
   * answered once.
   */
  requestProgress(onAnswer: (header: Header) => void): void {
    this.#waiting.add(onAnswer);
    this.#askProgress();
  }

  /** Does not want to hear of it any more. */
  forgetProgress(onAnswer: (header: Header) => void): void {
    this.#waiting.delete(onAnswer);
  }

  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#opened?.call.cancel();
  }

  #ofRange(range: string): Iterable<Upstream> {
    return this.#byRange.get(range) ?? [];
  }

  #add(upstream: Upstream): void {
    this.#byId.set(upstream.id, upstream);
    const sameRange = this.#byRange.get(upstream.range) ?? new Set();
    this.#byRange.set(upstream.range, sameRange.add(upstream));
  }

  #remove(upstream: Upstream): void {
    this.#byId.delete(upstream.id);
    const sameRange = this.#byRange.get(upstream.range);
    sameRange?.delete(upstream);
    if (sameRange?.size === 0) this.#byRange.delete(upstream.range);
  }

  #open(): void {
    if (this.#isClosed) return;
    this.#retry?.cancel();
    const opened = this.#parts.open();
    this.#opened = opened;
    this.#creating = [];
    this.#progress = new WatchProgress();
    void this.#read(opened);
    for (const upstream of this.#byId.values()) this.#create(opened, upstream);
    if (this.#waiting.size > 0) this.#askProgress();
  }

  /** Makes a watcher of the cluster, behind what it has passed on. */
  #create({ call }: Opened, upstream: Upstream): void {
    const { id, isMade } = upstream;
    const { request, revision } = upstream.broadcast;
    upstream.made = undefined;
    this.#creating.push(id);
    const startRevision = isMade ? revision + 1 : request.startRevision;
    const value = { ...request, watchId: id, startRevision };
    call.send(WatchRequest.fromPartial({ requestUnion: { $case: 'createRequest', value } }));
  }

  #askProgress(): void {
    if (this.#opened === undefined) return;
    this.#progress.asks();
    const requestUnion = { $case: 'progressRequest', value: {} } as const;
    this.#opened.call.send(WatchRequest.fromPartial({ requestUnion }));
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
    const cancelReason = rpcErrorText(failure);
    for (const upstream of this.#byId.values()) {
      const { id: watchId } = upstream;
      this.#end(upstream, WatchResponse.fromPartial({ watchId, canceled: true, cancelReason }));
    }
  }

  #take(response: WatchResponse): void {
    const { canceled, created, events, header, watchId } = response;
    const oldest = created ? this.#creating.shift() : undefined;
    if (watchId === NO_WATCHER && !canceled) return this.#progressed(header);
    const upstream = this.#byId.get(watchId === NO_WATCHER ? (oldest ?? watchId) : watchId);
    if (upstream === undefined) return;
    if (canceled) {
      // One that a compaction ended stays with the cluster, which tells of no progress until it is cancelled.
      if (watchId !== NO_WATCHER) this.#cancel(watchId);
      return this.#end(upstream, response);
    }
    if (created) return this.#made(upstream, header);
    const { broadcast } = upstream;
    const others = broadcast.receivers.size - 1;
    if (others > 0) this.#parts.onShared(others * events.length);
    broadcast.take(response);
    this.#merge(upstream);
  }

  #made(upstream: Upstream, header: Header): void {
    const { broadcast, isMade } = upstream;
    upstream.made = this.#progress.made(header?.revision ?? 0);
    upstream.isMade = true;
    if (!isMade) broadcast.made(header);
    // Nothing else tells when a watcher of the past has come to the present.
    if (!broadcast.isLive) this.#askProgress();
  }

  #progressed(header: Header): void {
    const revision = header?.revision ?? 0;
    this.#progress.answers();
    let speaksOfAll = true;
    for (const upstream of this.#byId.values()) {
      // Nobody waits for the progress of a watcher that was never made.
      if (!upstream.isMade) continue;
      if (upstream.made !== undefined && this.#progress.speaksOf(upstream.made, revision)) {
        upstream.broadcast.progressed(revision);
        this.#merge(upstream);
      } else speaksOfAll = false;
    }
    if (this.#waiting.size === 0) return;
    if (!speaksOfAll) return this.#askProgress();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const answer of waiting) answer(header);
  }

  /** A watcher that has come as far as another of its range is not needed any more. */
  #merge(upstream: Upstream): void {
    const { broadcast, range } = upstream;
    for (const other of this.#ofRange(range)) {
      if (other === upstream || !other.isMade || !other.broadcast.isLive) continue;
      if (broadcast.revision < other.broadcast.revision) continue;
      other.broadcast.absorb(broadcast);
      return this.#drop(upstream);
    }
  }

  #drop(upstream: Upstream): void {
    this.#remove(upstream);
    this.#cancel(upstream.id);
  }

  #cancel(watchId: bigint): void {
    const requestUnion = { $case: 'cancelRequest', value: { watchId } } as const;
    this.#opened?.call.send(WatchRequest.fromPartial({ requestUnion }));
  }

  #end(upstream: Upstream, response: WatchResponse): void {
    this.#remove(upstream);
    for (const receiver of upstream.broadcast.receivers) {
      this.#rangeOf.delete(receiver);
      receiver.ended(response);
    }
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
