/**
 * Watchers of the same range, served by one watcher of the cluster (etcd server/proxy/grpcproxy/watch_broadcast.go).
 *
 * What always holds
 * - A receiver is told of each revision at most once, in order, and of none before its start.
 * - A broadcast has passed on everything up to its `revision`; receivers that join begin behind it.
 */
import type { Event, ResponseHeader, WatchCreateRequest, WatchResponse } from '@etcd-ts/protocol';

/** A watcher of a client. It is made first, then told, then ended; or ended at once. Nothing of it throws. */
export interface Receiver {
  /** Revision up to which it has been told everything. */
  toldRevision: number;
  /** Is there, with the header for its `created`. */
  readonly made: (header: ResponseHeader | undefined) => void;
  /** Takes a response whose id is another's. */
  readonly tell: (response: WatchResponse) => void;
  /** Is served no more, for the reason that the response says. */
  readonly ended: (response: WatchResponse) => void;
}

/** One watcher of the cluster and whom it serves. */
export class WatchBroadcast {
  readonly request: WatchCreateRequest;
  readonly receivers: Set<Receiver> = new Set();
  header: ResponseHeader | undefined;
  /** Everything up to here has been passed on. */
  revision: number;
  /** Has come to what is new: whoever wants what comes from now on may join. */
  isLive = false;
  /** Revision at which the cluster made the watcher. */
  #madeRevision = 0;

  constructor(request: WatchCreateRequest) {
    this.request = request;
    this.revision = Math.max(0, request.startRevision - 1);
  }

  /** The cluster has made the watcher. */
  made(header: ResponseHeader | undefined): void {
    this.header = header;
    this.#madeRevision = header?.revision ?? 0;
    if (this.request.startRevision === 0) {
      this.revision = Math.max(this.revision, this.#madeRevision);
      this.isLive = true;
    }
    for (const receiver of this.receivers) {
      receiver.toldRevision = this.revision;
      receiver.made(header);
    }
  }

  /** Whether a watcher that starts there can join: nothing that it wants has been passed on already. */
  fits(startRevision: number): boolean {
    if (startRevision === 0) return this.isLive;
    return this.isLive && startRevision > this.revision;
  }

  /** Adds a receiver; the header is that of its `created`. */
  join(receiver: Receiver): ResponseHeader | undefined {
    this.receivers.add(receiver);
    return this.header === undefined ? undefined : { ...this.header, revision: this.revision };
  }

  /** The cluster tells of events, or of none for so long. */
  take(response: WatchResponse): void {
    this.header = response.header ?? this.header;
    const last = response.events.at(-1)?.kv?.modRevision;
    this.revision = Math.max(this.revision, last ?? response.header?.revision ?? 0);
    if (this.revision >= this.#madeRevision && last !== undefined) this.isLive = true;
    for (const receiver of this.receivers) this.#pass(receiver, response);
  }

  /** The cluster says that everything up to here has been told. */
  progressed(revision: number): void {
    this.revision = Math.max(this.revision, revision);
    this.isLive = true;
  }

  /** Takes over the receivers of another one of the same range that has come as far. */
  absorb(other: WatchBroadcast): void {
    for (const receiver of other.receivers) this.receivers.add(receiver);
    other.receivers.clear();
  }

  #pass(receiver: Receiver, response: WatchResponse): void {
    const events = response.events.filter((event) => isNew(event, receiver));
    const isProgress = response.events.length === 0;
    if (events.length === 0 && !isProgress) return;
    const revision = events.at(-1)?.kv?.modRevision ?? response.header?.revision ?? 0;
    if (isProgress && revision < receiver.toldRevision) return;
    receiver.toldRevision = Math.max(receiver.toldRevision, revision);
    receiver.tell({ ...response, events });
  }
}

function isNew(event: Event, { toldRevision }: Receiver): boolean {
  return (event.kv?.modRevision ?? 0) > toldRevision;
}
