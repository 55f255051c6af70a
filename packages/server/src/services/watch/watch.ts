/** The Watch service. */
import {
  type CallContext,
  EtcdError,
  type Handlers,
  rpcErrorText,
  untilAborted,
  type WatchCreateRequest,
} from '@etcd-ts/protocol';
import { demand, type Identity } from '../auth/identity.ts';
import type { NodePort } from '../../node-port.ts';
import type { CatchUp } from './catch-up.ts';
import { WatchStream } from './watch-stream.ts';

const NUL = new Uint8Array([0]);

/**
 * The handler of etcdserverpb.Watch.
 *
 * The client's half-close does not end the stream: events go on until it cancels the call.
 */
export function watchHandlers(node: NodePort, catchUp: CatchUp, identity: Identity): Handlers {
  return {
    'etcdserverpb.Watch/Watch': async (requests, context, responses) => {
      const refusal = (request: WatchCreateRequest) => refused(identity, request, context);
      const stream = new WatchStream({ node, catchUp, responses, refusal });
      try {
        for await (const request of requests) await stream.handle(request);
        await untilAborted(context.signal);
      } finally {
        stream.close();
      }
    },
  };
}

/**
 * Why a caller may not watch a range, as the cancel reason says it. Judged once, when the watcher is made, by the range
 * as the client sent it: a range end of one zero byte is everything from the key on.
 */
async function refused(
  identity: Identity,
  { key, rangeEnd }: WatchCreateRequest,
  context: CallContext,
): Promise<string | undefined> {
  if (!identity.isRequired) return undefined;
  try {
    const caller = await identity.callerOf(context);
    demand(identity.authoriser(caller).read({ key: key.length === 0 ? NUL : key, rangeEnd }));
    return undefined;
  } catch (error) {
    return rpcErrorText(EtcdError.from(error));
  }
}
