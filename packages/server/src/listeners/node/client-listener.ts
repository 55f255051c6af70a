/** The doors for clients over the network: on every listen URL one port with gRPC and HTTP behind it. */
import type { Handlers } from '@etcd-ts/protocol';
import type { Clock } from '../../clock.ts';
import type { ClientListener } from '../../env.ts';
import { CallMetrics } from '../../metrics/call-metrics.ts';
import { MAX_STREAMS_PER_CONNECTION } from '../../options/serving-options.ts';
import { verifiedCommonName } from '../../tls/node/tls-door.ts';
import { AnswerBudget } from '../answer-budget.ts';
import type { AccessRules } from '../access.ts';
import type { Routes } from '../route.ts';
import { GrpcServer, type Keepalive } from './grpc.ts';
import { Gateway } from './gateway.ts';
import { HttpServer } from './http.ts';
import { type ClientTls, type Listening, listenOn } from './listen-on.ts';
import type { PortOptions } from './port.ts';

/** What {@link listenForClients} needs. */
export interface ClientListenerOptions {
  /** Where to listen; port 0 lets the system choose. */
  readonly urls: readonly string[];
  /** Where HTTP alone is served; `urls` then take gRPC alone. @defaultValue [] */
  readonly httpUrls?: readonly string[];
  /** Several processes may listen on the ports. @defaultValue false */
  readonly isPortShared?: boolean;
  readonly handlers: Handlers;
  readonly clock: Clock;
  /** Where calls are counted. @defaultValue nowhere */
  readonly metrics?: CallMetrics;
  /** For URLs of TLS; absent: none can be listened on. */
  readonly tls?: ClientTls | undefined;
  /** Largest request. etcd --max-request-bytes. */
  readonly maxRequestBytes: number;
  /** What HTTP answers besides the gateway. */
  readonly routes: Routes;
  /** Who may ask over HTTP. @defaultValue anybody */
  readonly access?: AccessRules;
  /** Whether there is a gateway. etcd --enable-grpc-gateway. @defaultValue true */
  readonly hasGateway?: boolean;
  /** Whether users and their rights count now. @defaultValue never */
  readonly isAuthOn?: () => boolean;
  /** What may wait for clients that do not read. @defaultValue {@link AnswerBudget} with its own limit */
  readonly answers?: AnswerBudget;
  /** etcd --max-concurrent-streams. @defaultValue {@link MAX_STREAMS_PER_CONNECTION} */
  readonly maxStreamsPerConnection?: number;
  /** etcd --grpc-keepalive-*. @defaultValue etcd's */
  readonly keepalive?: Keepalive;
}

/** What a message may be larger than the request inside it (etcd v3rpc/grpc.go, grpcOverheadBytes). */
export const GRPC_OVERHEAD_BYTES: number = 512 * 1024;

/** etcd's defaults. */
const DEFAULT_KEEPALIVE: Keepalive = {
  minPingIntervalMs: 5_000,
  intervalMs: 7_200_000,
  timeoutMs: 20_000,
};

const ANYBODY: AccessRules = { origins: ['*'], hosts: ['*'] };

/**
 * Listens on all URLs, or on none.
 *
 * @throws StartError BAD_OPTION for a URL that cannot be bound to, LISTEN_FAILED when the system refuses.
 */
export async function listenForClients(options: ClientListenerOptions): Promise<ClientListener> {
  const { handlers, clock, tls, metrics = new CallMetrics() } = options;
  const maxReceiveBytes = options.maxRequestBytes + GRPC_OVERHEAD_BYTES;
  const hasGateway = options.hasGateway ?? true;
  const shared = { handlers, clock, metrics, answers: options.answers ?? new AnswerBudget() };
  const http1 = new HttpServer({
    routes: options.routes,
    access: options.access ?? ANYBODY,
    clock,
    ...(hasGateway
      ? { gateway: new Gateway({ ...shared, maxMessageBytes: maxReceiveBytes }) }
      : {}),
    ...(tls === undefined
      ? {}
      : {
          isClaimed: (connection) =>
            options.isAuthOn?.() === true &&
            verifiedCommonName(connection, tls.credentials) !== undefined,
        }),
  });
  const http2 = new GrpcServer({
    ...shared,
    maxReceiveBytes,
    maxStreamsPerConnection: options.maxStreamsPerConnection ?? MAX_STREAMS_PER_CONNECTION,
    keepalive: options.keepalive ?? DEFAULT_KEEPALIVE,
    http1,
    ...(tls === undefined
      ? {}
      : { commonNameOf: (socket) => verifiedCommonName(socket, tls.credentials) }),
  });
  const ports = await listenApart(options, { http2, http1 }, tls);
  const close = async (graceMs: number): Promise<void> => {
    for (const { port } of ports) port.stopAccepting();
    http1.close();
    await http2.close(graceMs);
    await Promise.all(ports.map(({ port }) => port.destroy()));
  };
  return { urls: ports.map(({ url }) => url), close };
}

/**
 * Listens on all URLs, or on none, for monitors alone: HTTP without gateway and without gRPC.
 *
 * @throws StartError as {@link listenForClients}.
 */
export async function listenForMonitors(
  urls: readonly string[],
  routes: Routes,
  tls?: ClientTls,
  isPortShared = false,
): Promise<ClientListener> {
  const http1 = new HttpServer({ routes });
  const only = tls === undefined ? undefined : { ...tls, protocols: ['http/1.1'] };
  const ports = await listenAll(urls, { http2: HANG_UP, http1, isPortShared }, only);
  const close = async (): Promise<void> => {
    for (const { port } of ports) port.stopAccepting();
    http1.close();
    await Promise.all(ports.map(({ port }) => port.destroy()));
  };
  return { urls: ports.map(({ url }) => url), close };
}

/** gRPC and HTTP on the same ports, or each on its own. */
async function listenApart(
  { urls, httpUrls = [], isPortShared }: ClientListenerOptions,
  { http1, http2 }: Pick<PortOptions, 'http1' | 'http2'>,
  tls: ClientTls | undefined,
): Promise<readonly Listening[]> {
  if (httpUrls.length === 0) return listenAll(urls, { http2, http1, isPortShared }, tls);
  const speaking = (protocol: string): ClientTls | undefined =>
    tls === undefined ? undefined : { ...tls, protocols: [protocol] };
  const grpc = await listenAll(urls, { http2, http1: HANG_UP, isPortShared }, speaking('h2'));
  try {
    const doors = { http2: HANG_UP, http1, isPortShared };
    return [...grpc, ...(await listenAll(httpUrls, doors, speaking('http/1.1')))];
  } catch (error) {
    await Promise.all(grpc.map(({ port }) => port.destroy()));
    throw error;
  }
}

const HANG_UP: PortOptions['http2'] = { accept: (connection) => connection.destroy() };

async function listenAll(
  urls: readonly string[],
  doors: Pick<PortOptions, 'http1' | 'http2' | 'isPortShared'>,
  tls: ClientTls | undefined,
): Promise<readonly Listening[]> {
  const listening: Listening[] = [];
  try {
    for (const url of urls) listening.push(await listenOn(url, doors, tls));
  } catch (error) {
    await Promise.all(listening.map(({ port }) => port.destroy()));
    throw error;
  }
  return listening;
}
