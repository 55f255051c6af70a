import { compareBytes } from '@etcd-ts/base';
import {
  type CallContext,
  Event,
  type Handlers,
  type ResponseSink,
  type WatchCreateRequest,
  type WatchRequest,
  WatchResponse,
} from '@etcd-ts/protocol';

interface ServerWatcher {
  readonly id: bigint;
  readonly create: WatchCreateRequest;
  /** First revision that was not sent yet. */
  next: number;
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A watch service over a history that a test writes: one event for each revision from 2 on. */
export class WatchServer {
  readonly handlers: Handlers;
  compactRevision = 0;
  /** Events in one response at most. */
  batchEvents = 3;
  /** Split responses into fragments of one event. */
  fragments = false;
  /** Why the next create is refused. */
  refusal: string | undefined;
  /** Why all creates are refused. */
  #refusesAll: string | undefined;
  /** Watchers over all streams. */
  watcherCount = 0;
  readonly #history: Event[] = [];
  #wakers = new Set<() => void>();

  constructor() {
    this.handlers = {
      'etcdserverpb.Watch/Watch': (requests, context, responses) =>
        this.#serve(requests, context, responses),
    };
  }

  get revision(): number {
    return this.#history.length + 1;
  }

  refuseAll(reason: string): void {
    this.#refusesAll = reason;
  }

  put(key: string, value = ''): number {
    const modRevision = this.revision + 1;
    this.#history.push(
      Event.fromPartial({ kv: { key: utf8(key), value: utf8(value), modRevision } }),
    );
    for (const wake of this.#wakers) wake();
    return modRevision;
  }

  async #serve(
    requests: AsyncIterable<WatchRequest>,
    context: CallContext,
    responses: ResponseSink<WatchResponse>,
  ): Promise<void> {
    const watchers = new Map<bigint, ServerWatcher>();
    const deliver = (): void => {
      for (const watcher of watchers.values()) this.#catchUp(watcher, watchers, responses);
    };
    this.#wakers.add(deliver);
    context.signal.addEventListener('abort', () => {
      this.#wakers.delete(deliver);
      this.watcherCount -= watchers.size;
      watchers.clear();
    });
    for await (const { requestUnion } of requests) {
      if (requestUnion?.$case === 'createRequest')
        this.#create(requestUnion.value, watchers, responses);
      if (requestUnion?.$case === 'cancelRequest' && watchers.delete(requestUnion.value.watchId)) {
        this.watcherCount--;
        responses.send(this.#response({ watchId: requestUnion.value.watchId, canceled: true }));
      }
      if (requestUnion?.$case === 'progressRequest')
        responses.send(this.#response({ watchId: -1n }));
      deliver();
    }
    await new Promise<void>((resolve) => {
      if (context.signal.aborted) resolve();
      context.signal.addEventListener('abort', () => resolve());
    });
  }

  #create(
    create: WatchCreateRequest,
    watchers: Map<bigint, ServerWatcher>,
    responses: ResponseSink<WatchResponse>,
  ): void {
    const cancelReason = this.refusal ?? this.#refusesAll;
    if (cancelReason !== undefined) {
      this.refusal = undefined;
      responses.send(this.#response({ watchId: -1n, created: true, canceled: true, cancelReason }));
      return;
    }
    const id = create.watchId;
    const next = create.startRevision === 0 ? this.revision + 1 : create.startRevision;
    watchers.set(id, { id, create, next });
    this.watcherCount++;
    responses.send(this.#response({ watchId: id, created: true }));
  }

  #catchUp(
    watcher: ServerWatcher,
    watchers: Map<bigint, ServerWatcher>,
    responses: ResponseSink<WatchResponse>,
  ): void {
    if (watcher.next < this.compactRevision) {
      watchers.delete(watcher.id);
      this.watcherCount--;
      const { compactRevision } = this;
      responses.send(
        WatchResponse.fromPartial({
          header: {},
          watchId: watcher.id,
          canceled: true,
          compactRevision,
        }),
      );
      return;
    }
    const events = this.#history
      .slice(Math.max(0, watcher.next - 2))
      .filter(({ kv }) => covers(watcher.create, kv?.key ?? new Uint8Array(0)));
    watcher.next = this.revision + 1;
    for (let i = 0; i < events.length; i += this.batchEvents) {
      const batch = events.slice(i, i + this.batchEvents);
      if (!this.fragments) {
        responses.send(this.#response({ watchId: watcher.id, events: batch }));
        continue;
      }
      batch.forEach((event, n) => {
        const fragment = n < batch.length - 1;
        responses.send(this.#response({ watchId: watcher.id, events: [event], fragment }));
      });
    }
  }

  #response(parts: Parameters<typeof WatchResponse.fromPartial>[0]): WatchResponse {
    return WatchResponse.fromPartial({ header: { revision: this.revision }, ...parts });
  }
}

function covers({ key, rangeEnd }: WatchCreateRequest, candidate: Uint8Array): boolean {
  if (rangeEnd.length === 0) return compareBytes(candidate, key) === 0;
  if (compareBytes(candidate, key) < 0) return false;
  return (rangeEnd.length === 1 && rangeEnd[0] === 0) || compareBytes(candidate, rangeEnd) < 0;
}
