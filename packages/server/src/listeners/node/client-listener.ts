/** The doors for clients over the network: on every listen URL one port with gRPC and HTTP behind it. */
import type { Handlers } from '@etcd-ts/protocol';
import { bindAddress } from '../../bootstrap/urls.ts';
import type { Clock } from '../../clock.ts';
import type { ClientListener } from '../../env.ts';
import type { Route } from '../health-routes.ts';
import { StartError } from '../../start-error.ts';
import { GrpcServer } from './grpc.ts';
import { gateway, jsonBytesFor } from './gateway.ts';
import { HttpServer } from './http.ts';
import { ClientPort, type PortOptions } from './port.ts';

/** What {@link listenForClients} needs. */
export interface ClientListenerOptions {
  /** Where to listen; port 0 lets the system choose. */
  readonly urls: readonly string[];
  readonly handlers: Handlers;
  readonly clock: Clock;
  /** Largest request. etcd --max-request-bytes. */
  readonly maxRequestBytes: number;
  /** Answers to GET by path. */
  readonly routes: ReadonlyMap<string, Route>;
  /** etcd --max-concurrent-streams. @defaultValue {@link MAX_STREAMS_PER_CONNECTION} */
  readonly maxStreamsPerConnection?: number;
  /** etcd --grpc-keepalive-min-time. @defaultValue 5000 */
  readonly minPingIntervalMs?: number;
}

/** What a message may be larger than the request inside it (etcd v3rpc/grpc.go, grpcOverheadBytes). */
export const GRPC_OVERHEAD_BYTES: number = 512 * 1024;

/** etcd's own default is 2^32 - 1, which bounds nothing. */
export const MAX_STREAMS_PER_CONNECTION = 1_000_000;

/**
 * Listens on all URLs, or on none.
 *
 * @throws StartError BAD_OPTION for a URL that cannot be bound to, LISTEN_FAILED when the system refuses.
 */
export async function listenForClients(options: ClientListenerOptions): Promise<ClientListener> {
  const { handlers, clock } = options;
  const maxReceiveBytes = options.maxRequestBytes + GRPC_OVERHEAD_BYTES;
  const http2 = new GrpcServer({
    handlers,
    clock,
    maxReceiveBytes,
    maxStreamsPerConnection: options.maxStreamsPerConnection ?? MAX_STREAMS_PER_CONNECTION,
    minPingIntervalMs: options.minPingIntervalMs ?? 5_000,
  });
  const maxBodyBytes = jsonBytesFor(maxReceiveBytes);
  const http1 = new HttpServer(options.routes, gateway({ handlers, clock, maxBodyBytes }));
  const ports: ClientPort[] = [];
  const urls: string[] = [];
  try {
    for (const url of options.urls) {
      const { host, port: wanted, tls } = bindAddress(url);
      if (tls) {
        throw new StartError('BAD_OPTION', `cannot listen on ${url}: TLS is not supported yet`);
      }
      const port = await listen({ host, port: wanted, http2, http1 });
      ports.push(port);
      urls.push(`http://${host.includes(':') ? `[${host}]` : host}:${port.port}`);
    }
  } catch (error) {
    await Promise.all(ports.map((port) => port.destroy()));
    throw error;
  }
  const close = async (graceMs: number): Promise<void> => {
    for (const port of ports) port.stopAccepting();
    http1.close();
    await http2.close(graceMs);
    await Promise.all(ports.map((port) => port.destroy()));
  };
  return { urls, close };
}

/** As ClientPort.listen, with the refusal in Go's words, which tools wait for. */
async function listen(options: PortOptions): Promise<ClientPort> {
  try {
    return await ClientPort.listen(options);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EADDRINUSE' ? 'bind: address already in use' : String(error);
    throw new StartError('LISTEN_FAILED', `listen tcp ${options.host}:${options.port}: ${why}`, {
      cause: error,
    });
  }
}
