/** What follows calls from their beginning to their end, so that whoever asked can see where time went. */
import type { EtcdError, MethodName, Rpc } from '@etcd-ts/protocol';

/** A call that is traced. */
export interface CallSpan {
  /** The call is over: well, or with this error. Once. */
  ended(error?: EtcdError): void;
}

/** Follows the calls of one node. Nothing that it does fails a call or holds one up. */
export interface CallTracer {
  /**
   * A call begins.
   *
   * @param metadata Of the call; names the caller's trace, if it has one.
   * @returns undefined when this call is not sampled.
   */
  started(rpc: Rpc<MethodName>, metadata: ReadonlyMap<string, string>): CallSpan | undefined;
  /** Sends what waits, in bounded time, and ends. */
  close(): Promise<void>;
}
