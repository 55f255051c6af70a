/** A client's watch stream at a proxy: ids of its own, watchers shared with others. */
import {
  EtcdError,
  type ResponseSink,
  type WatchCreateRequest,
  type WatchRequest,
  WatchResponse,
} from '@etcd-ts/protocol';
import { type Deferred, deferred } from '@etcd-ts/base';
import { fragments } from '../services/watch/fragments.ts';
import type { Namespace } from './namespace.ts';
import type { WatchCoalescer } from './watch-coalescer.ts';
import type { Receiver } from './watch-broadcast.ts';

/** Responses that may wait for a client that does not read; one more ends its stream. */
export const MAX_UNREAD_RESPONSES = 10_000;

/** Bytes of keys and values in several of them; more end its stream. */
export const MAX_UNREAD_BYTES: number = 64 << 20;

/** Responses of more bytes are split where a client takes fragments (etcd: --max-request-bytes + 512 KiB). */
const FRAGMENT_BYTES = 2 * 1024 * 1024;

const NO_ID = -1n;

/** What a stream is made of. */
export interface WatchStreamParts {
  readonly coalescer: WatchCoalescer;
  readonly namespace: Namespace;
  readonly responses: ResponseSink<WatchResponse>;
  /** Ends the stream with an error. */
  readonly fail: (error: EtcdError) => void;
}

/** A watcher of the client. */
interface Entry {
  readonly receiver: Receiver;
  /** The one of its `created`. */
  readonly header: WatchResponse['header'];
}

/** A watcher that is not there yet. */
interface Joining {
  readonly receiver: Receiver;
  readonly over: Deferred<void>;
}

/** One stream. */
export class ProxyWatchStream {
  readonly #parts: WatchStreamParts;
  readonly #entries = new Map<bigint, Entry>();
  /** Ids whose watcher was ended by the cluster and not yet by the client. */
  readonly #ended = new Set<bigint>();
  #joining: Joining | undefined;
  #nextId = 0n;
  #unread = 0;
  #unreadBytes = 0;
  #isOver = false;

  constructor(parts: WatchStreamParts) {
    this.#parts = parts;
  }

  /** Serves requests, one after the other: a watcher is there before the next request is looked at. */
  async serve(requests: AsyncIterable<WatchRequest>): Promise<void> {
    for await (const { requestUnion } of requests) {
      switch (requestUnion?.$case) {
        case undefined:
          break;
        case 'createRequest':
          await this.#create(requestUnion.value);
          break;
        case 'cancelRequest':
          this.#cancel(requestUnion.value.watchId);
          break;
        case 'progressRequest':
          this.#progress();
      }
    }
  }

  /** Ends all watchers, those included that are not there yet. */
  close(): void {
    this.#isOver = true;
    const { coalescer } = this.#parts;
    coalescer.forgetProgress(this.#onProgress);
    for (const { receiver } of this.#entries.values()) coalescer.leave(receiver);
    this.#entries.clear();
    if (this.#joining === undefined) return;
    coalescer.leave(this.#joining.receiver);
    this.#joining.over.resolve();
  }

  async #create(request: WatchCreateRequest): Promise<void> {
    if (this.#isOver) return;
    const id = this.#idFor(request.watchId);
    if (id === undefined) {
      const cancelReason = 'mvcc: duplicate watch ID provided on the WatchStream';
      return this.#send({ watchId: NO_ID, created: true, canceled: true, cancelReason });
    }
    const over = deferred<void>();
    const receiver: Receiver = {
      toldRevision: 0,
      made: (header) => {
        over.resolve();
        this.#entries.set(id, { receiver, header });
        this.#send({ header, watchId: id, created: true });
      },
      tell: (response) =>
        this.#deliver(this.#inside({ ...response, watchId: id }), request.fragment),
      ended: (last) => {
        over.resolve();
        if (this.#entries.has(id)) this.#lost(id, last);
        else this.#send({ ...last, watchId: NO_ID, created: true, canceled: true });
      },
    };
    this.#joining = { receiver, over };
    const { coalescer, namespace } = this.#parts;
    coalescer.join(namespace.interval(withKey(request)), receiver);
    await over.promise;
    this.#joining = undefined;
  }

  #idFor(wanted: bigint): bigint | undefined {
    const isTaken = (id: bigint): boolean => this.#entries.has(id) || this.#ended.has(id);
    if (wanted !== 0n) return isTaken(wanted) ? undefined : wanted;
    while (isTaken(this.#nextId)) this.#nextId += 1n;
    const id = this.#nextId;
    this.#nextId += 1n;
    return id;
  }

  #cancel(id: bigint): void {
    const entry = this.#entries.get(id);
    if (entry === undefined && !this.#ended.delete(id)) return;
    if (entry !== undefined) this.#parts.coalescer.leave(entry.receiver);
    this.#entries.delete(id);
    this.#send({ header: entry?.header, watchId: id, canceled: true });
  }

  #lost(id: bigint, last: WatchResponse): void {
    if (!this.#entries.delete(id)) return;
    this.#ended.add(id);
    this.#send({ ...last, watchId: id, created: false, canceled: true });
  }

  /** A stream without watchers gets no answer, as in etcd. */
  #progress(): void {
    if (this.#entries.size > 0) this.#parts.coalescer.requestProgress(this.#onProgress);
  }

  readonly #onProgress = (header: WatchResponse['header']): void => {
    if (this.#entries.size > 0) this.#send({ header, watchId: NO_ID });
  };

  #inside(response: WatchResponse): WatchResponse {
    const { namespace } = this.#parts;
    return { ...response, events: response.events.map((event) => namespace.event(event)) };
  }

  #deliver(response: WatchResponse, isFragmented: boolean): void {
    for (const part of isFragmented ? fragments(response, FRAGMENT_BYTES) : [response]) {
      this.#send(part);
    }
  }

  #send(partial: Partial<WatchResponse>): void {
    if (this.#isOver) return;
    const { responses, fail } = this.#parts;
    const header = partial.header ?? { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };
    const whole = WatchResponse.fromPartial({ ...partial, header } as never);
    if (responses.send(whole)) return;
    this.#unread += 1;
    this.#unreadBytes += bytesOf(whole);
    if (this.#unread === 1) void responses.drained().then(() => this.#wasRead());
    // One response may have any size: it is its client's own range.
    const fits = this.#unreadBytes <= MAX_UNREAD_BYTES || this.#unread === 1;
    if (fits && this.#unread < MAX_UNREAD_RESPONSES) return;
    const message = `the client does not read: ${this.#unread} responses of ${this.#unreadBytes} bytes wait (limit ${MAX_UNREAD_RESPONSES} of ${MAX_UNREAD_BYTES} bytes)`;
    fail(new EtcdError('RESOURCE_EXHAUSTED', { message }));
  }

  #wasRead(): void {
    this.#unread = 0;
    this.#unreadBytes = 0;
  }
}

function bytesOf({ events }: WatchResponse): number {
  let bytes = 0;
  for (const { kv, prevKv } of events) {
    bytes += (kv?.key.length ?? 0) + (kv?.value.length ?? 0) + (prevKv?.value.length ?? 0);
  }
  return bytes;
}

/** No key means the least one (etcd v3rpc/watch.go). */
function withKey(request: WatchCreateRequest): WatchCreateRequest {
  return request.key.length === 0 ? { ...request, key: new Uint8Array(1) } : request;
}
