/**
 * A broken invariant ends the node, also where a request ran into it.
 *
 * Whoever asked is answered like after any failure; nobody else is answered by a program that is known to be wrong.
 */
import { InvariantError } from '@etcd-ts/base';
import {
  type Handlers,
  type MethodName,
  RPC_TABLE,
  type StreamHandler,
  type UnaryHandler,
} from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';

/** The handlers; the first of them that breaks an invariant halts the node. */
export function haltingWhenBroken(node: NodePort, handlers: Handlers): Handlers {
  const look = (error: unknown): void => {
    const broken = brokenInvariant(error);
    if (broken !== undefined) node.halt(broken);
  };
  // The table's kinds and the handlers' types come from the same RpcTypes, which `Object.entries` forgets.
  const entries = Object.entries(handlers) as [MethodName, unknown][];
  return Object.fromEntries(
    entries.map(([method, handler]) => [
      method,
      RPC_TABLE[method].kind === 'unary'
        ? watchedUnary(handler as UnaryHandler<unknown, unknown>, look)
        : watchedStream(handler as StreamHandler<unknown, unknown>, look),
    ]),
  );
}

/** The invariant that is behind this failure, itself or as a cause. */
function brokenInvariant(error: unknown): InvariantError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof InvariantError) return cause;
  }
  return undefined;
}

function watchedUnary(
  handler: UnaryHandler<unknown, unknown>,
  look: (error: unknown) => void,
): UnaryHandler<unknown, unknown> {
  return (request, context) => {
    const answer = handler(request, context);
    // On its own branch: whoever waits for the answer does not wait for this.
    answer.catch(look);
    return answer;
  };
}

function watchedStream(
  handler: StreamHandler<unknown, unknown>,
  look: (error: unknown) => void,
): StreamHandler<unknown, unknown> {
  return (requests, context, responses) => {
    const end = handler(requests, context, responses);
    end.catch(look);
    return end;
  };
}
