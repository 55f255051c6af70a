/**
 * What is asked of every call before its handler sees it (etcd server/etcdserver/api/v3rpc/interceptor.go).
 *
 * - A learner serves serializable ranges, Status and Snapshot; it refuses everything else.
 * - A call that insists on a leader (`hasleader`) fails where there is none.
 */
import {
  type CallContext,
  EtcdError,
  type Handlers,
  type MethodName,
  type RangeRequest,
  RPC_TABLE,
  type StreamHandler,
  type UnaryHandler,
} from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';
import { requiresLeader, whileLed } from './require-leader.ts';

/** The handlers, each behind the guards. */
export function guarded(node: NodePort, handlers: Handlers): Handlers {
  // The table's kinds and the handlers' types come from the same RpcTypes, which `Object.entries` forgets.
  const entries = Object.entries(handlers) as [MethodName, unknown][];
  return Object.fromEntries(
    entries.map(([method, handler]) => [
      method,
      RPC_TABLE[method].kind === 'unary'
        ? guardedUnary(node, method, handler as UnaryHandler<unknown, unknown>)
        : guardedStream(node, handler as StreamHandler<unknown, unknown>),
    ]),
  );
}

function guardedUnary(
  node: NodePort,
  method: MethodName,
  handler: UnaryHandler<unknown, unknown>,
): UnaryHandler<unknown, unknown> {
  return (request, context) => {
    const { isLearner, leader } = node.status();
    if (isLearner && !isServedByLearner(method, request)) {
      return Promise.reject(new EtcdError('NOT_SUPPORTED_FOR_LEARNER'));
    }
    if (leader === 0n && requiresLeader(context)) {
      return Promise.reject(new EtcdError('NO_LEADER'));
    }
    return handler(request, context);
  };
}

function guardedStream(
  node: NodePort,
  handler: StreamHandler<unknown, unknown>,
): StreamHandler<unknown, unknown> {
  return async (requests, context, responses) => {
    if (node.status().isLearner) throw new EtcdError('NOT_SUPPORTED_FOR_LEARNER');
    if (!requiresLeader(context)) {
      await handler(requests, context, responses);
      return;
    }
    await whileLed(node, context.signal, (signal) =>
      handler(requests, withSignal(context, signal), responses),
    );
  };
}

function isServedByLearner(method: MethodName, request: unknown): boolean {
  if (method === 'etcdserverpb.Maintenance/Status') return true;
  // The method says which message it is.
  return method === 'etcdserverpb.KV/Range' && (request as RangeRequest).serializable;
}

function withSignal(context: CallContext, signal: AbortSignal): CallContext {
  const { metadata, timeoutMs, peer, rawRequest } = context;
  return { signal, metadata, timeoutMs, peer, rawRequest };
}
