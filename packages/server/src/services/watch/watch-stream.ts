/**
 * One Watch stream: its watchers, their ids, and what the client hears of them
 * (etcd server/etcdserver/api/v3rpc/watch.go, server/storage/mvcc/watcher.go).
 *
 * What always holds
 * - Every create is answered by exactly one `created`, in the order of the requests and before any event of it.
 * - A failed create is `created` and `canceled` with id -1, and the stream goes on.
 * - After a `canceled` nothing more comes for that id, but for the second `canceled` that a client gets when it cancels
 *   a watcher which a compaction had ended: until then its id stays taken.
 * - Events are taken from the hub only while the client keeps up; else the watcher is parked there, without a buffer:
 *   what waits is bounded by the buffer of the door through which the client came.
 */
import {
  checkWatch,
  type WatchBatch,
  type Watcher,
  type WatchRequest as HubRequest,
} from '@etcd-ts/mvcc';
import {
  FilterType,
  type ResponseHeader,
  type ResponseSink,
  type WatchCreateRequest,
  type WatchRequest,
  WATCH_CANCEL_REASONS,
  type WatchResponse,
} from '@etcd-ts/protocol';
import type { Timer } from '../../clock.ts';
import type { NodePort } from '../../node-port.ts';
import { headerAt, headerNow } from '../header.ts';
import type { CatchUp } from './catch-up.ts';
import { fragments } from './fragments.ts';

/** The id of answers that concern no watcher: failed creates, progress of the whole stream. */
export const NO_WATCH_ID = -1n;
/** In a create: the server chooses. */
const AUTO_WATCH_ID = 0n;
/** What gRPC's overhead adds to the request limit before a response is split (etcd grpcOverheadBytes). */
const GRPC_OVERHEAD_BYTES = 512 * 1024;

const NUL = new Uint8Array([0]);

interface Entry {
  readonly id: bigint;
  readonly request: WatchCreateRequest;
  /** Undefined once a compaction ended it. */
  watcher: Watcher | undefined;
  /** Nothing was sent since the last tick of the progress timer. */
  isIdle: boolean;
  /** Events that found no room and wait. */
  pendingEvents: number;
}

/** What a stream needs beside its node. */
export interface WatchStreamParts {
  readonly node: NodePort;
  readonly catchUp: CatchUp;
  readonly responses: ResponseSink<WatchResponse>;
  /** Why the caller may not watch this range, as the cancel reason says it; undefined: it may. */
  readonly refusal: (request: WatchCreateRequest) => Promise<string | undefined>;
}

/** The server's half of a stream. */
export class WatchStream {
  readonly #node: NodePort;
  readonly #catchUp: CatchUp;
  readonly #responses: ResponseSink<WatchResponse>;
  readonly #refusal: WatchStreamParts['refusal'];
  readonly #entries = new Map<bigint, Entry>();
  /** Watchers whose events found no room. */
  readonly #parked = new Set<Entry>();
  readonly #stopObserving: () => void;
  #nextId = 0n;
  #isFull = false;
  #isClosed = false;
  #progressTimer: Timer | undefined;

  constructor({ node, catchUp, responses, refusal }: WatchStreamParts) {
    this.#node = node;
    this.#catchUp = catchUp;
    this.#responses = responses;
    this.#refusal = refusal;
    this.#stopObserving = node.state.observe({ replaced: () => this.#moveToNewStore() });
    node.metrics.watchStreams += 1;
  }

  /** How many ids are taken. */
  get size(): number {
    return this.#entries.size;
  }

  /** Acts on one message of the client. Unknown ones are passed over. Resolves when the client keeps up again. */
  async handle({ requestUnion }: WatchRequest): Promise<void> {
    switch (requestUnion?.$case) {
      case 'createRequest':
        this.#create(requestUnion.value, await this.#refusal(requestUnion.value));
        break;
      case 'cancelRequest':
        this.#cancel(requestUnion.value.watchId);
        break;
      case 'progressRequest':
        this.#progress();
        break;
      default:
    }
    if (this.#isFull) await this.#responses.drained();
  }

  /** Ends all watchers. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#node.metrics.watchStreams -= 1;
    for (const entry of this.#parked) this.#unpark(entry);
    this.#stopObserving();
    this.#progressTimer?.cancel();
    for (const { watcher } of this.#entries.values()) watcher?.cancel();
    this.#entries.clear();
    this.#parked.clear();
  }

  #create(request: WatchCreateRequest, refusal: string | undefined): void {
    // The call may have ended while the caller was looked up.
    if (this.#isClosed) return;
    const header = headerNow(this.#node);
    const id = refusal ?? this.#chooseId(request);
    if (typeof id === 'string') {
      const refused = { watchId: NO_WATCH_ID, created: true, canceled: true, cancelReason: id };
      this.#send({ header, ...refused });
      return;
    }
    // The answer leaves before the hub knows the watcher, and so before any event.
    this.#send({ header, watchId: id, created: true });
    const entry: Entry = { id, request, watcher: undefined, isIdle: true, pendingEvents: 0 };
    this.#entries.set(id, entry);
    this.#register(entry, request.startRevision);
    if (request.progressNotify) this.#armProgress();
  }

  /** The id that a create gets, or why it gets none; in etcd's order of checks. */
  #chooseId(request: WatchCreateRequest): bigint | string {
    if (request.startRevision < 0) {
      return WATCH_CANCEL_REASONS.COMPACTED;
    }
    const problem = checkWatch(hubRequest(request, request.startRevision));
    if (problem !== undefined) return problem.message;
    if (this.#entries.size >= this.#node.limits.maxWatchersPerStream) {
      return `etcdserver: too many watchers on one stream, limit ${this.#node.limits.maxWatchersPerStream}`;
    }
    if (request.watchId !== AUTO_WATCH_ID) {
      return this.#entries.has(request.watchId)
        ? WATCH_CANCEL_REASONS.DUPLICATE_ID
        : request.watchId;
    }
    while (this.#entries.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  #register(entry: Entry, startRevision: number): void {
    const request = hubRequest(entry.request, startRevision);
    entry.watcher = this.#node.state.store.hub.watch(request, (batch) =>
      this.#deliver(entry, batch),
    );
    if (entry.watcher.state === 'behind') this.#catchUp.wake();
  }

  #deliver(entry: Entry, batch: WatchBatch): boolean {
    const watchId = entry.id;
    if (batch.compactRevision > 0) {
      const header = headerAt(this.#node, 0);
      const { compactRevision } = batch;
      entry.watcher = undefined;
      this.#unpark(entry);
      this.#send({ header, watchId, canceled: true, compactRevision });
      return true;
    }
    const { metrics } = this.#node;
    if (this.#isFull) {
      this.#parked.add(entry);
      metrics.pendingWatchEvents += batch.events.length - entry.pendingEvents;
      entry.pendingEvents = batch.events.length;
      return false;
    }
    metrics.watchEvents += batch.events.length;
    entry.isIdle = false;
    const header = headerAt(this.#node, batch.revision);
    const response = makeResponse({ header, watchId, events: [...batch.events] });
    const { maxRequestBytes } = this.#node.limits;
    const parts = entry.request.fragment
      ? fragments(response, maxRequestBytes + GRPC_OVERHEAD_BYTES)
      : [response];
    for (const part of parts) this.#pass(part);
    return true;
  }

  #cancel(id: bigint): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.watcher?.cancel();
    this.#entries.delete(id);
    this.#unpark(entry);
    this.#send({ header: headerNow(this.#node), watchId: id, canceled: true });
  }

  /** Answers a progress request, if there are watchers and all have seen all there is; else, as etcd, says nothing. */
  #progress(): void {
    const watchers: Watcher[] = [];
    for (const { watcher } of this.#entries.values()) {
      if (watcher === undefined) return;
      watchers.push(watcher);
    }
    const revision = this.#node.state.store.hub.progress(watchers);
    if (revision === undefined) return;
    this.#send({ header: headerAt(this.#node, revision), watchId: NO_WATCH_ID });
  }

  #armProgress(): void {
    if (this.#progressTimer !== undefined || this.#isClosed) return;
    const { limits, clock } = this.#node;
    const intervalMs = limits.watchProgressNotifyIntervalMs;
    // The moment at which the stream asked is as good as chance to spread the streams.
    const jitterMs = clock.monotonicMs() % Math.max(1, intervalMs / 10);
    this.#progressTimer = clock.after(intervalMs + jitterMs, () => {
      this.#progressTimer = undefined;
      if (this.#notifyProgress()) this.#armProgress();
    });
  }

  /** Tells each idle watcher that asked for it where the store is. False: no watcher asks for it any more. */
  #notifyProgress(): boolean {
    let isWanted = false;
    for (const entry of this.#entries.values()) {
      if (!entry.request.progressNotify || entry.watcher === undefined) continue;
      isWanted = true;
      // A client that does not read would have one more waiting for it with every interval.
      const isTold = entry.isIdle && !this.#isFull;
      const revision = isTold ? this.#node.state.store.hub.progress([entry.watcher]) : undefined;
      entry.isIdle = true;
      if (revision === undefined) continue;
      this.#send({ header: headerAt(this.#node, revision), watchId: entry.id });
    }
    return isWanted;
  }

  /** A snapshot replaced the store: every watcher goes on in the new one, from where it stood. */
  #moveToNewStore(): void {
    for (const entry of this.#parked) this.#unpark(entry);
    const { revision } = this.#node.state.store;
    for (const entry of this.#entries.values()) {
      if (entry.watcher === undefined) continue;
      const { nextRevision, startRevision } = entry.watcher;
      entry.watcher.cancel();
      // One that has seen everything does not wait for a revision in the future, as a client's start there does.
      const isSynced = nextRevision > revision && startRevision <= revision;
      this.#register(entry, isSynced ? 0 : nextRevision);
    }
    this.#catchUp.wake();
  }

  #unpark(entry: Entry): void {
    this.#parked.delete(entry);
    this.#node.metrics.pendingWatchEvents -= entry.pendingEvents;
    entry.pendingEvents = 0;
  }

  #send(partial: Partial<WatchResponse> & { header: ResponseHeader }): void {
    this.#pass(makeResponse(partial));
  }

  #pass(response: WatchResponse): void {
    if (this.#responses.send(response) || this.#isFull) return;
    this.#isFull = true;
    void this.#responses.drained().then(() => this.#onDrained());
  }

  #onDrained(): void {
    this.#isFull = false;
    if (this.#isClosed || this.#parked.size === 0) return;
    const parked = [...this.#parked];
    for (const entry of parked) this.#unpark(entry);
    for (const { watcher } of parked) watcher?.resume();
    this.#catchUp.wake();
  }
}

/** The hub's view of a create. An empty key is the key of one zero byte, as in etcd. */
function hubRequest(request: WatchCreateRequest, startRevision: number): HubRequest {
  return {
    key: request.key.length === 0 ? NUL : request.key,
    rangeEnd: request.rangeEnd,
    startRevision,
    prevKv: request.prevKv,
    noPut: request.filters.includes(FilterType.NOPUT),
    noDelete: request.filters.includes(FilterType.NODELETE),
  };
}

function makeResponse(partial: Partial<WatchResponse>): WatchResponse {
  return {
    header: undefined,
    watchId: NO_WATCH_ID,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: '',
    fragment: false,
    events: [],
    ...partial,
  };
}
