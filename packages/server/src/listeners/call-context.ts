import type { CallContext, EtcdError, PeerInfo, RangeParts } from '@etcd-ts/protocol';

/** What of a call is asked for when its handler asks: its request comes after its headers. */
export type CallSource = Pick<CallContext, 'rawRequest' | 'rangeParts'>;

/** What a listener knows of a call when it comes in. */
export interface CallFacts {
  readonly metadata: ReadonlyMap<string, string>;
  readonly timeoutMs?: number | undefined;
  readonly peer: PeerInfo;
  readonly source?: CallSource | undefined;
}

/**
 * The context of one call. Its signal is made when somebody first asks for it: most calls end without anybody asking.
 *
 * Invariant: a call is cancelled at most once, and the signal, whenever it is made, has that reason.
 */
export class ListenerContext implements CallContext {
  readonly metadata: ReadonlyMap<string, string>;
  readonly timeoutMs: number | undefined;
  readonly peer: PeerInfo;
  readonly #source: CallSource | undefined;
  #controller: AbortController | undefined;
  #reason: EtcdError | undefined;

  constructor(facts: CallFacts) {
    this.metadata = facts.metadata;
    this.timeoutMs = facts.timeoutMs;
    this.peer = facts.peer;
    this.#source = facts.source;
  }

  get rawRequest(): Uint8Array | undefined {
    return this.#source?.rawRequest;
  }

  get rangeParts(): RangeParts | undefined {
    return this.#source?.rangeParts;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Why the call was cancelled; undefined while it was not. */
  get cancelReason(): EtcdError | undefined {
    return this.#reason;
  }

  /** Ends the call for its handler. The first reason counts. */
  cancel(reason: EtcdError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}
