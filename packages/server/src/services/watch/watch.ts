/** The Watch service. */
import type { Handlers } from '@etcd-ts/protocol';
import type { NodePort } from '../../node-port.ts';
import type { CatchUp } from './catch-up.ts';
import { WatchStream } from './watch-stream.ts';

/**
 * The handler of etcdserverpb.Watch.
 *
 * The client's half-close does not end the stream: events go on until it cancels the call.
 */
export function watchHandlers(node: NodePort, catchUp: CatchUp): Handlers {
  return {
    'etcdserverpb.Watch/Watch': async (requests, context, responses) => {
      const refusal = (): undefined => undefined;
      const stream = new WatchStream({ node, catchUp, responses, refusal });
      try {
        for await (const request of requests) await stream.handle(request);
        await ended(context.signal);
      } finally {
        stream.close();
      }
    },
  };
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
