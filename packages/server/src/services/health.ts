/** The gRPC health service (grpc.health.v1): the whole server is the one service that has a name, the empty one. */
import { EtcdError, type Handlers, type HealthCheckResponse } from '@etcd-ts/protocol';

const SERVING = 1;
const SERVICE_UNKNOWN = 3;
/** The server as a whole. */
const SERVER = '';

/** The handlers of grpc.health.v1.Health. Never guarded: health is asked without a token and without a leader. */
export function healthHandlers(): Handlers {
  const statusOf = (service: string): HealthCheckResponse => ({
    status: service === SERVER ? SERVING : SERVICE_UNKNOWN,
  });
  return {
    'grpc.health.v1.Health/Check': ({ service }) =>
      service === SERVER
        ? Promise.resolve(statusOf(service))
        : Promise.reject(new EtcdError('UNKNOWN_SERVICE')),
    'grpc.health.v1.Health/Watch': async (requests, { signal }, responses) => {
      for await (const { service } of requests) {
        responses.send(statusOf(service));
        await new Promise<void>((resolve) => {
          if (signal.aborted) resolve();
          else signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    },
    'grpc.health.v1.Health/List': () =>
      Promise.resolve({ statuses: new Map([[SERVER, statusOf(SERVER)]]) }),
  };
}
