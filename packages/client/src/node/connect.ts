import { EtcdClient, type EtcdClientOptions } from '../etcd-client.ts';
import { GrpcChannel, type GrpcChannelOptions } from './grpc-channel.ts';
import { systemClock, systemRandom } from './system-clock.ts';

/** How to reach a cluster over the network. */
export type ConnectOptions = Pick<EtcdClientOptions, 'timeoutMs' | 'credentials'> & {
  /** The members, as `host:port` or URL. */
  readonly endpoints: readonly string[];
  /** TLS and keep-alive of the connections. */
  readonly channel?: GrpcChannelOptions;
};

/**
 * A client over gRPC. Nothing is sent before the first call.
 *
 * @example
 * const client = connect({ endpoints: ['127.0.0.1:2379'] });
 */
export function connect({ channel, ...options }: ConnectOptions): EtcdClient {
  return new EtcdClient({
    ...options,
    connect: (endpoint) => new GrpcChannel(endpoint, channel),
    clock: systemClock,
    random: systemRandom,
  });
}
