/** Methods that a proxy hands on to the cluster without a look at them. */
import {
  type CallContext,
  EtcdError,
  type HandlerOf,
  type MethodName,
  RPC_TABLE,
  type StreamMethodName,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import { optionsOf, type Upstream } from './upstream.ts';

/** A method that the cluster serves as it is. */
export function forward(name: MethodName, upstream: Upstream): unknown {
  if (RPC_TABLE[name].kind === 'unary') {
    const method = name as UnaryMethodName;
    return (request: never, context: CallContext): Promise<unknown> =>
      upstream.unary(method, request, context);
  }
  return forwardStream(name as StreamMethodName, upstream, (message) => message);
}

/** A stream that the cluster serves; requests go through `map`. */
export function forwardStream(
  method: StreamMethodName,
  upstream: Upstream,
  map: (request: unknown) => unknown,
  mapAnswer: (response: unknown) => unknown = (response) => response,
): unknown {
  const handler: HandlerOf<StreamMethodName> = async (
    requests: AsyncIterable<unknown>,
    context,
    responses,
  ) => {
    const { call, failed } = upstream.stream(method, optionsOf(context));
    const pump = async (): Promise<void> => {
      for await (const request of requests) {
        if (!call.send(map(request) as never)) await call.drained();
      }
      call.end();
    };
    pump().catch(() => call.cancel());
    try {
      for await (const response of call.responses) {
        if (!responses.send(mapAnswer(response) as never)) await responses.drained();
      }
    } catch (thrown) {
      const error = EtcdError.from(thrown);
      failed(error);
      throw error;
    }
  };
  return handler;
}
