/**
 * The port between a client and a node: what EtcdClient needs of a connection, and nothing of how it is made.
 *
 * Implementations: in process (server), gRPC (client/node), and whatever a user brings. All of them pass
 * `channelSuite` of `@etcd-ts/protocol/testing`.
 *
 * What always holds
 * - Every failure is an EtcdError. `mayHaveApplied` is false only when the request certainly had no effect.
 * - Messages are immutable once handed over, in both directions; no implementation lets one side see the other's
 *   later writes to the same bytes.
 * - A call whose signal is aborted or whose time is up fails at once (`CANCELED`, `DEADLINE_EXCEEDED`), whatever the
 *   other side does.
 */
import type { RequestOf, ResponseOf, StreamMethodName, UnaryMethodName } from './rpcs.ts';

/** What may come with a call. */
export interface CallOptions {
  /** Cancels the call. */
  readonly signal?: AbortSignal | undefined;
  /** The call fails with DEADLINE_EXCEEDED after so many milliseconds. Undefined or Infinity: no deadline. */
  readonly timeoutMs?: number | undefined;
  /** Text metadata to send; names in lower case. */
  readonly metadata?: ReadonlyMap<string, string> | undefined;
}

/** One open stream, seen from the client. */
export interface StreamCall<Request, Response> {
  /**
   * Sends a request. False: the buffer is full, wait for {@link drained}. Requests after {@link end} or after the call
   * has ended are dropped.
   */
  send(request: Request): boolean;
  /** Resolves when there is room again, and also when the call has ended. Never rejects. */
  drained(): Promise<void>;
  /** Half-close: no more requests. */
  end(): void;
  /**
   * What the node answers, in order; to be iterated once. Ends when the node ends the call with OK, throws an EtcdError
   * otherwise. Leaving the loop early cancels the call. Not reading holds the node back; nothing is dropped.
   */
  readonly responses: AsyncIterable<Response>;
  /** Ends the call at once; `responses` then throws CANCELED. Harmless when it has ended already. */
  cancel(): void;
}

/** A connection to one node. */
export interface Channel {
  /** @throws EtcdError as the promise's rejection. */
  unary<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    options?: CallOptions,
  ): Promise<ResponseOf<Method>>;
  /** Opens a server or bidi stream. Never throws: failures come through `responses`. */
  stream<Method extends StreamMethodName>(
    method: Method,
    options?: CallOptions,
  ): StreamCall<RequestOf<Method>, ResponseOf<Method>>;
  /** Ends all calls with CANCELED and frees the connection. Harmless when closed already. */
  close(): Promise<void>;
}
