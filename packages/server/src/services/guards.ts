/**
 * What is asked of every call before its handler sees it (etcd server/etcdserver/api/v3rpc/interceptor.go).
 *
 * - A learner serves serializable ranges, Status and Snapshot; it refuses everything else.
 * - While auth is on, a method for known users or for root alone is refused to everybody else.
 * - A call that insists on a leader (`hasleader`) fails where there is none.
 */
import {
  AlarmAction,
  type AlarmRequest,
  type CallContext,
  EtcdError,
  type Handlers,
  type MethodName,
  type RangeRequest,
  RPC_TABLE,
  type StreamHandler,
  type UnaryHandler,
  wrapHandlers,
} from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';
import { demand, type Identity } from './auth/identity.ts';
import { requiresLeader, whileLed } from './require-leader.ts';

/** The handlers, each behind the guards. */
export function guarded(node: NodePort, identity: Identity, handlers: Handlers): Handlers {
  return wrapHandlers(handlers, {
    unary: (handler, method) => guardedUnary({ node, identity, method }, handler),
    stream: (handler, method) => guardedStream({ node, identity, method }, handler),
  });
}

function guardedUnary(
  { node, identity, method }: { node: NodePort; identity: Identity; method: MethodName },
  handler: UnaryHandler<unknown, unknown>,
): UnaryHandler<unknown, unknown> {
  return (request, context) => {
    const { isLearner, leader } = node.status();
    if (isLearner && !isServedByLearner(method, request)) {
      return Promise.reject(new EtcdError('NOT_SUPPORTED_FOR_LEARNER'));
    }
    if (hasBrokenVersion(context)) {
      return Promise.reject(new EtcdError('INVALID_CLIENT_API_VERSION'));
    }
    if (leader === 0n && requiresLeader(context)) {
      return Promise.reject(new EtcdError('NO_LEADER'));
    }
    if (!identity.isRequired) return handler(request, context);
    return judge(identity, { method, request }, context).then(() => handler(request, context));
  };
}

/** Methods that need nothing but to be somebody, or to be root; the others are judged where their keys are known. */
async function judge(
  identity: Identity,
  { method, request }: { method: MethodName; request: unknown },
  context: CallContext,
): Promise<void> {
  const { auth } = RPC_TABLE[method];
  // The method says which message it is.
  const isLook = auth === 'root-to-change' && (request as AlarmRequest).action === AlarmAction.GET;
  if (auth === 'user' || isLook) {
    demand(identity.authoriser(await identity.callerOf(context)).user());
  } else if (auth === 'root' || auth === 'root-to-change') {
    demand(identity.authoriser(await identity.callerOf(context)).root());
  }
}

function guardedStream(
  { node, identity, method }: { node: NodePort; identity: Identity; method: MethodName },
  handler: StreamHandler<unknown, unknown>,
): StreamHandler<unknown, unknown> {
  return async (requests, context, responses) => {
    if (node.status().isLearner && method !== 'etcdserverpb.Maintenance/Snapshot') {
      throw new EtcdError('NOT_SUPPORTED_FOR_LEARNER');
    }
    if (hasBrokenVersion(context)) throw new EtcdError('INVALID_CLIENT_API_VERSION');
    if (identity.isRequired) await judge(identity, { method, request: undefined }, context);
    if (!requiresLeader(context)) {
      await handler(requests, context, responses);
      return;
    }
    await whileLed(node, context.signal, (signal) =>
      handler(requests, withSignal(context, signal), responses),
    );
  };
}

/** Whether the client's version is no UTF-8. Metadata come with a character for each byte. */
function hasBrokenVersion({ metadata }: CallContext): boolean {
  const version = metadata.get('client-api-version');
  // oxlint-disable-next-line no-control-regex -- ASCII is UTF-8
  if (version === undefined || /^[\u0000-\u007f]*$/.test(version)) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(
      Uint8Array.from(version, (character) => character.charCodeAt(0)),
    );
    return false;
  } catch {
    return true;
  }
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
