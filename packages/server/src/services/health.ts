/** The gRPC health service (grpc.health.v1): the whole server is the one service that has a name, the empty one. */
import {
  EtcdError,
  type Handlers,
  type HealthCheckResponse,
  untilAborted,
} from '@etcd-ts/protocol';
import type { ServingState } from './serving-state.ts';

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;
/** The server as a whole. */
const SERVER = '';

/** The handlers of grpc.health.v1.Health. Never guarded: health is asked without a token and without a leader. */
export function healthHandlers(serving: ServingState): Handlers {
  const statusOf = (service: string): HealthCheckResponse => {
    if (service !== SERVER) return { status: SERVICE_UNKNOWN };
    return { status: serving.isServing ? SERVING : NOT_SERVING };
  };
  return {
    'grpc.health.v1.Health/Check': ({ service }) =>
      service === SERVER
        ? Promise.resolve(statusOf(service))
        : Promise.reject(new EtcdError('UNKNOWN_SERVICE')),
    'grpc.health.v1.Health/Watch': async (requests, { signal }, responses) => {
      for await (const { service } of requests) {
        responses.send(statusOf(service));
        const stop = serving.onChange(() => {
          if (service === SERVER) responses.send(statusOf(service));
        });
        await untilAborted(signal);
        stop();
      }
    },
    'grpc.health.v1.Health/List': () =>
      Promise.resolve({ statuses: new Map([[SERVER, statusOf(SERVER)]]) }),
  };
}
