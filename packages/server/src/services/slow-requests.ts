/** Says in the log which answers took long, in etcd's words (server/etcdserver/api/v3rpc/interceptor.go, txn/util.go). */
import { type Handlers, type MethodName, type UnaryHandler, wrapHandlers } from '@etcd-ts/protocol';
import { formatDuration } from '../go-values.ts';
import type { NodePort } from '../node-port.ts';

/** The handlers; unary ones are timed, streams are not. */
export function watchedForSlowness(node: NodePort, handlers: Handlers): Handlers {
  return wrapHandlers(handlers, { unary: (handler, method) => timed(node, method, handler) });
}

function timed(
  node: NodePort,
  method: MethodName,
  handler: UnaryHandler<unknown, unknown>,
): UnaryHandler<unknown, unknown> {
  return (request, context) => {
    const beganMs = node.clock.monotonicMs();
    const answer = handler(request, context);
    const look = (): void => {
      const tookMs = node.clock.monotonicMs() - beganMs;
      const { warningApplyDurationMs, warningUnaryRequestDurationMs } = node.limits;
      if (tookMs <= Math.min(warningApplyDurationMs, warningUnaryRequestDurationMs)) return;
      const size = context.rawRequest?.length;
      if (method === 'etcdserverpb.KV/Range' && tookMs > warningApplyDurationMs) {
        sayReadTookLong(node, tookMs, size);
      }
      if (tookMs <= warningUnaryRequestDurationMs) return;
      node.log.warn('request stats', {
        'time spent': formatDuration(tookMs),
        remote: context.peer.address,
        'response type': `/${method}`,
        'request size': size,
      });
    };
    // On its own branch: whoever waits for the answer does not wait for this.
    void answer.then(look, look);
    return answer;
  };
}

function sayReadTookLong(node: NodePort, tookMs: number, size: number | undefined): void {
  node.log.warn('apply request took too long', {
    took: formatDuration(tookMs),
    'expected-duration': formatDuration(node.limits.warningApplyDurationMs),
    prefix: 'read-only range ',
    'request size': size,
  });
}
