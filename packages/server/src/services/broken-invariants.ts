/**
 * A broken invariant ends the node, also where a request ran into it.
 *
 * Whoever asked is answered like after any failure; nobody else is answered by a program that is known to be wrong.
 */
import { InvariantError } from '@etcd-ts/base';
import { type Handlers, wrapHandlers } from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';

/** The handlers; the first of them that breaks an invariant halts the node. */
export function haltingWhenBroken(node: NodePort, handlers: Handlers): Handlers {
  const look = (error: unknown): void => {
    const broken = brokenInvariant(error);
    if (broken !== undefined) node.halt(broken);
  };
  // On a branch of its own: whoever waits for the answer does not wait for this.
  const looked = <T>(end: Promise<T>): Promise<T> => {
    end.catch(look);
    return end;
  };
  return wrapHandlers(handlers, {
    unary: (handler) => (request, context) => looked(handler(request, context)),
    stream: (handler) => (requests, context, responses) =>
      looked(handler(requests, context, responses)),
  });
}

/** The invariant that is behind this failure, itself or as a cause. */
function brokenInvariant(error: unknown): InvariantError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof InvariantError) return cause;
  }
  return undefined;
}
