/**
 * All watches of a client on one stream.
 *
 * What always holds
 * - While there are watches there is a stream, or one is about to be opened; without watches there is none.
 * - When a stream breaks, every watch is sent anew on the next one, from its `nextRevision`.
 * - The server answers creates in their order, so the answer to a refused one, which has no id, is for the oldest.
 * - A create that is refused for the stream's token, which may have grown too old since, is sent once more, on a stream
 *   with a new one.
 */
import {
  EtcdError,
  errorFromRpcText,
  errorFromWire,
  FilterType,
  Status,
  type StreamCall,
  WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
} from '@etcd-ts/protocol';
import { backoffMs, signalError, sleep } from '../backoff.ts';
import type { Caller, OpenedStream } from '../caller.ts';
import { wantsNewToken } from '../tokens.ts';
import { type Keys, toRange } from '../key.ts';
import { Subscription, type WatchOptions } from './subscription.ts';
import { Watcher } from './watcher.ts';

/** Watches that one client may have; one more fails with RESOURCE_EXHAUSTED. */
export const MAX_WATCHES_PER_CLIENT = 1_000_000;

/** The watch id of answers that concern the whole stream. */
const WHOLE_STREAM = -1n;
/** Asks the server to end the stream when its member has no leader, so that the client can turn to another. */
const REQUIRE_LEADER: ReadonlyMap<string, string> = new Map([['hasleader', 'true']]);

type WatchCall = StreamCall<WatchRequest, WatchResponse>;

/** Runs the watches of one client. */
export class WatchHub {
  readonly #caller: Caller;
  readonly #subscriptions = new Set<Subscription>();
  /** Subscriptions that the current stream knows, by id. */
  #byId = new Map<bigint, Subscription>();
  /** Creates that the current stream has not answered yet, oldest first. */
  #creating: Subscription[] = [];
  #call: WatchCall | undefined;
  #isRunning = false;
  #isClosed = false;
  #lastId = 0n;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Starts a watch. Never throws for what the server or the network do: the watcher's loop does.
   *
   * @throws EtcdError EMPTY_KEY; INVALID_ARGUMENT for a start revision that is not a whole number.
   */
  watch(keys: Keys, options: WatchOptions = {}): Watcher {
    const { signal } = options;
    const onAbort = (): void => {
      if (signal !== undefined) this.#close(subscription, signalError(signal));
    };
    const subscription = new Subscription(toRange(keys), options, () => this.#close(subscription));
    const watcher = new Watcher(
      subscription,
      () => this.#close(subscription),
      () => this.#requestProgress(),
    );
    const refusal = this.#refusal(signal);
    if (refusal !== undefined) {
      subscription.close(refusal);
      return watcher;
    }
    signal?.addEventListener('abort', onAbort, { once: true });
    subscription.onClosed = () => signal?.removeEventListener('abort', onAbort);
    this.#subscriptions.add(subscription);
    if (this.#call === undefined) this.#start();
    else this.#create(this.#call, subscription);
    return watcher;
  }

  /** Ends all watches with CANCELED. */
  close(): void {
    this.#isClosed = true;
    this.#failAll(closedError());
    if (this.#call !== undefined) this.#leave(this.#call);
  }

  #refusal(signal: AbortSignal | undefined): EtcdError | undefined {
    if (this.#isClosed) return closedError();
    if (signal?.aborted === true) return signalError(signal);
    if (this.#subscriptions.size < MAX_WATCHES_PER_CLIENT) return undefined;
    return new EtcdError('RESOURCE_EXHAUSTED', {
      message: `too many watches: ${this.#subscriptions.size} (limit ${MAX_WATCHES_PER_CLIENT})`,
    });
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Keeps a stream open for as long as there are watches. Never rejects. */
  async #run(): Promise<void> {
    let failures = 0;
    while (this.#subscriptions.size > 0) {
      const error = await this.#runStream(() => {
        failures = 0;
      });
      this.#call = undefined;
      this.#byId = new Map();
      this.#creating = [];
      for (const subscription of this.#subscriptions) {
        if (subscription.state !== 'parked') subscription.suspend('waiting');
      }
      if (error === undefined) continue;
      if (!isResumable(error)) {
        this.#failAll(error);
        break;
      }
      failures++;
      await sleep(this.#caller.clock, backoffMs(failures, this.#caller.random));
    }
    this.#isRunning = false;
  }

  /** One stream from its opening to its end; returns why it broke, or undefined when it was no longer needed. */
  async #runStream(onResponse: () => void): Promise<EtcdError | undefined> {
    let opened: OpenedStream<WatchRequest, WatchResponse> | undefined;
    let error: EtcdError;
    try {
      opened = await this.#caller.stream('etcdserverpb.Watch/Watch', { metadata: REQUIRE_LEADER });
      const { call } = opened;
      this.#call = call;
      for (const subscription of this.#subscriptions) {
        if (subscription.state === 'waiting') this.#create(call, subscription);
      }
      if (this.#subscriptions.size === 0) this.#leave(call);
      for await (const response of call.responses) {
        onResponse();
        this.#onResponse(call, response);
      }
      error = new EtcdError('UNAVAILABLE', { message: 'the watch stream has ended' });
    } catch (thrown) {
      error = EtcdError.from(thrown);
    }
    // Left on purpose, or closed: not the endpoint's fault.
    if (opened !== undefined && this.#call !== opened.call) return undefined;
    opened?.failed(error);
    return error;
  }

  /** Ends a stream that nobody needs. A watch that comes now gets a new one. */
  #leave(call: WatchCall): void {
    this.#call = undefined;
    call.cancel();
  }

  #create(call: WatchCall, subscription: Subscription): void {
    const { options, range } = subscription;
    this.#lastId++;
    subscription.id = this.#lastId;
    subscription.state = 'creating';
    this.#byId.set(subscription.id, subscription);
    this.#creating.push(subscription);
    const filters =
      options.ignore === undefined
        ? []
        : [options.ignore === 'puts' ? FilterType.NOPUT : FilterType.NODELETE];
    const value = WatchCreateRequest.fromPartial({
      ...range,
      startRevision: subscription.nextRevision,
      progressNotify: options.progressNotify ?? false,
      prevKv: options.previous ?? false,
      filters,
      watchId: subscription.id,
      fragment: true,
    });
    call.send({ requestUnion: { $case: 'createRequest', value } });
  }

  #onResponse(call: WatchCall, response: WatchResponse): void {
    const revision = response.header?.revision ?? 0;
    if (response.created) {
      const subscription = this.#creating.shift();
      if (subscription === undefined || subscription.state === 'closed') return;
      if (response.canceled) this.#refused(subscription, response);
      else subscription.onCreated(revision);
      return;
    }
    if (response.watchId === WHOLE_STREAM) {
      for (const subscription of this.#subscriptions) {
        if (subscription.state === 'active') subscription.onProgress(revision);
      }
      return;
    }
    const subscription = this.#byId.get(response.watchId);
    if (subscription === undefined || subscription.state !== 'active') return;
    if (response.canceled) this.#refused(subscription, response);
    else if (response.events.length === 0) subscription.onProgress(revision);
    else if (!subscription.onEvents(response)) this.#park(call, subscription);
  }

  /** The server will not go on with a watch. @throws EtcdError for all the stream: another may be served. */
  #refused(subscription: Subscription, response: WatchResponse): void {
    if (response.compactRevision > 0) {
      subscription.compactRevision = response.compactRevision;
      return this.#close(
        subscription,
        new EtcdError('COMPACTED', { detail: `history begins at ${response.compactRevision}` }),
      );
    }
    const { cancelReason } = response;
    const error =
      errorFromRpcText(cancelReason) ?? errorFromWire(Status.OUT_OF_RANGE, cancelReason);
    if (wantsNewToken(error) && !subscription.hasOldToken) {
      subscription.hasOldToken = true;
      throw error;
    }
    const known = error.code === 'OUT_OF_RANGE' || error.code === 'UNKNOWN';
    this.#close(
      subscription,
      known ? new EtcdError('FAILED_PRECONDITION', { message: cancelReason }) : error,
    );
  }

  /** Tells the server to stop until the reader has caught up. */
  #park(call: WatchCall, subscription: Subscription): void {
    this.#forget(call, subscription);
    subscription.suspend('parked');
    void subscription.queue.drained().then(() => {
      if (subscription.state !== 'parked') return;
      subscription.suspend('waiting');
      if (this.#call !== undefined) this.#create(this.#call, subscription);
      else this.#start();
    });
  }

  #forget(call: WatchCall, subscription: Subscription): void {
    if (!this.#byId.delete(subscription.id)) return;
    call.send({ requestUnion: { $case: 'cancelRequest', value: { watchId: subscription.id } } });
  }

  #close(subscription: Subscription, error?: EtcdError): void {
    if (!this.#subscriptions.delete(subscription)) return;
    subscription.close(error);
    if (this.#call === undefined) return;
    if (this.#subscriptions.size === 0) this.#leave(this.#call);
    else this.#forget(this.#call, subscription);
  }

  #failAll(error: EtcdError): void {
    for (const subscription of this.#subscriptions) {
      this.#subscriptions.delete(subscription);
      subscription.close(error);
    }
  }

  #requestProgress(): void {
    this.#call?.send({ requestUnion: { $case: 'progressRequest', value: {} } });
  }
}

/**
 * Whether a broken stream is worth another (etcd client/v3/watch.go, isHaltErr, and streams that the server ends). A
 * stream has no deadline of its own, so one that passed is that of asking for the token.
 */
function isResumable(error: EtcdError): boolean {
  return (
    wantsNewToken(error) ||
    error.status === Status.UNAVAILABLE ||
    error.status === Status.INTERNAL ||
    error.status === Status.DEADLINE_EXCEEDED ||
    error.code === 'WATCH_CANCELED'
  );
}

function closedError(): EtcdError {
  return new EtcdError('CANCELED', { message: 'the client is closed' });
}
