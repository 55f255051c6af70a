/**
 * The watches that a proxy has open at the cluster for callers with the same credentials: one stream, one watcher for
 * each range, opened again where it was when its member fails.
 */
import {
  type EtcdError,
  EtcdError as Failure,
  Status,
  type StreamCall,
  type WatchCreateRequest,
  WatchRequest,
  type WatchResponse,
} from '@etcd-ts/protocol';
import { toLatin1 } from '@etcd-ts/base';
import type { Clock } from '../clock.ts';
import { type Receiver, WatchBroadcast } from './watch-broadcast.ts';

/** Pause before a stream that broke is opened again, in milliseconds. */
export const WATCH_RETRY_MS = 100;

/** Watchers of the whole stream, in progress answers. */
const ALL_WATCHERS = -1n;

type Call = StreamCall<WatchRequest, WatchResponse>;

/** What a coalescer is made of. */
export interface CoalescerParts {
  /** Opens a stream to the member in use; `failed` turns to the next one. */
  readonly open: () => OpenStream;
  readonly clock: Clock;
  readonly counts: WatchCounts;
}

/** What the proxy's metrics say of watches. */
export interface WatchCounts {
  /** Watchers of clients that share one of the cluster. */
  watchers: number;
  /** Events that were passed on to one more than the first. */
  events: number;
}

/** A watcher of a client, joined to a broadcast. */
export interface Joined {
  readonly header: WatchResponse['header'];
  /** Set when the cluster would not make the watcher. */
  readonly refusal?: WatchResponse;
  leave(): void;
}

interface OpenStream {
  readonly call: Call;
  /** Turns to the next member. */
  readonly failed: () => void;
}

interface Upstream {
  readonly broadcast: WatchBroadcast;
  readonly range: string;
  onMade: ((response: WatchResponse) => void) | undefined;
}

/** Watches that share a stream. */
export class WatchCoalescer {
  readonly #parts: CoalescerParts;
  readonly #byId = new Map<bigint, Upstream>();
  readonly #progress = new Set<(header: WatchResponse['header']) => void>();
  #call: OpenStream | undefined;
  readonly #endings = new Map<Receiver, (response: WatchResponse) => void>();
  #lastId = 0n;
  #isClosed = false;

  constructor(parts: CoalescerParts) {
    this.#parts = parts;
  }

  /** Watchers that the cluster has for it. */
  get size(): number {
    return this.#byId.size;
  }

  /**
   * Serves a receiver what its request asks for; resolves when the cluster has the watcher.
   *
   * @param onEnded Called when the cluster ends the watcher, with its last response.
   */
  async join(
    request: WatchCreateRequest,
    receiver: Receiver,
    onEnded: (response: WatchResponse) => void,
  ): Promise<Joined> {
    const range = rangeOf(request);
    this.#endings.set(receiver, onEnded);
    const leave = (): void => this.#leave(receiver);
    const fitting = [...this.#byId.values()].find(
      (each) => each.range === range && each.broadcast.fits(request.startRevision),
    );
    if (fitting !== undefined) {
      this.#parts.counts.watchers += 1;
      const { broadcast } = fitting;
      receiver.toldRevision = Math.max(broadcast.revision, request.startRevision - 1);
      return { header: broadcast.join(receiver), leave };
    }
    const broadcast = new WatchBroadcast({ ...request, fragment: false });
    const made = await this.#make(broadcast, range);
    if (made.canceled) return { header: made.header, refusal: made, leave };
    receiver.toldRevision = broadcast.revision;
    broadcast.receivers.add(receiver);
    return { header: made.header, leave };
  }

  /** Asks how far all watchers are; answered once they are all up to date, or never. */
  requestProgress(onAnswer: (header: WatchResponse['header']) => void): void {
    this.#progress.add(onAnswer);
    this.#send({ $case: 'progressRequest', value: {} });
  }

  close(): void {
    this.#isClosed = true;
    this.#call?.call.cancel();
  }

  #make(broadcast: WatchBroadcast, range: string): Promise<WatchResponse> {
    this.#lastId += 1n;
    const id = this.#lastId;
    return new Promise((resolve) => {
      const onMade = (response: WatchResponse): void => {
        if (response.canceled) this.#byId.delete(id);
        else broadcast.made(response.header);
        resolve(response);
        // Nothing else tells when a watcher of the past has come to the present.
        if (!broadcast.isLive) this.#send({ $case: 'progressRequest', value: {} });
      };
      this.#byId.set(id, { broadcast, range, onMade });
      this.#create(id, broadcast.request.startRevision);
    });
  }

  #create(id: bigint, startRevision: number): void {
    const upstream = this.#byId.get(id);
    if (upstream === undefined) return;
    const { request } = upstream.broadcast;
    const value = { ...request, watchId: id, startRevision };
    this.#send({ $case: 'createRequest', value });
  }

  #send(requestUnion: NonNullable<WatchRequest['requestUnion']>): void {
    this.#stream().call.send(WatchRequest.fromPartial({ requestUnion }));
  }

  #stream(): OpenStream {
    if (this.#call === undefined) {
      const opened = this.#parts.open();
      this.#call = opened;
      void this.#read(opened);
    }
    return this.#call;
  }

  async #read(opened: OpenStream): Promise<void> {
    let failure: EtcdError | undefined;
    try {
      for await (const response of opened.call.responses) this.#take(response);
    } catch (error) {
      failure = Failure.from(error);
    }
    if (this.#call !== opened) return;
    this.#call = undefined;
    if (this.#isClosed || this.#byId.size === 0) return;
    if (failure !== undefined && !isPassing(failure)) return this.#endAll(failure);
    opened.failed();
    this.#parts.clock.after(WATCH_RETRY_MS, () => this.#again());
  }

  /** Goes on at another member, each watcher behind what it has passed on. */
  #again(): void {
    if (this.#isClosed || this.#call !== undefined) return;
    for (const [id, { broadcast, onMade }] of this.#byId) {
      const { startRevision } = broadcast.request;
      this.#create(id, onMade === undefined ? broadcast.revision + 1 : startRevision);
    }
  }

  /** The cluster will not serve these callers: every watcher ends with its words. */
  #endAll(failure: EtcdError): void {
    for (const [id, upstream] of this.#byId) {
      const response = ended(id, `rpc error: code = ${failure.status} desc = ${failure.message}`);
      upstream.onMade?.(response);
      this.#end(id, response);
    }
  }

  #take(response: WatchResponse): void {
    const { watchId } = response;
    if (watchId === ALL_WATCHERS) return this.#progressed(response);
    const upstream = this.#byId.get(watchId);
    if (upstream === undefined) return;
    const { broadcast } = upstream;
    if (response.created) {
      const { onMade } = upstream;
      upstream.onMade = undefined;
      if (onMade !== undefined) return onMade(response);
      if (response.canceled) this.#end(watchId, response);
      return;
    }
    if (response.canceled) return this.#end(watchId, response);
    if (broadcast.receivers.size > 1) {
      this.#parts.counts.events += (broadcast.receivers.size - 1) * response.events.length;
    }
    broadcast.take(response);
    this.#merge(watchId, upstream);
  }

  #progressed({ header }: WatchResponse): void {
    for (const [id, upstream] of this.#byId) {
      if (upstream.onMade !== undefined) continue;
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
      if (other.onMade !== undefined || broadcast.revision < other.broadcast.revision) continue;
      this.#parts.counts.watchers += broadcast.receivers.size;
      other.broadcast.absorb(broadcast);
      this.#drop(id);
      return;
    }
  }

  #leave(receiver: Receiver): void {
    this.#endings.delete(receiver);
    for (const [id, { broadcast }] of this.#byId) {
      if (!broadcast.receivers.delete(receiver)) continue;
      if (broadcast.receivers.size === 0) this.#drop(id);
      else this.#parts.counts.watchers -= 1;
    }
  }

  #drop(id: bigint): void {
    this.#byId.delete(id);
    this.#send({ $case: 'cancelRequest', value: { watchId: id } });
  }

  #end(id: bigint, response: WatchResponse): void {
    const upstream = this.#byId.get(id);
    this.#byId.delete(id);
    for (const receiver of upstream?.broadcast.receivers ?? []) {
      const onEnded = this.#endings.get(receiver);
      this.#endings.delete(receiver);
      onEnded?.(response);
    }
  }
}

function ended(watchId: bigint, cancelReason: string): WatchResponse {
  return {
    watchId,
    created: false,
    canceled: true,
    compactRevision: 0,
    cancelReason,
    fragment: false,
    events: [],
  };
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
