/** `etcd-ts grpc-proxy start`: the proxy with its sockets. */
import { utf8 } from '@etcd-ts/base';
import { connect, GrpcChannel, type GrpcChannelOptions } from '@etcd-ts/client/node';
import type { Channel } from '@etcd-ts/protocol';
import type { NameResolver } from '../../bootstrap/srv.ts';
import type { Clock } from '../../clock.ts';
import {
  GRPC_OVERHEAD_BYTES,
  listenForClients,
  listenForMonitors,
} from '../../listeners/node/client-listener.ts';
import { profileRoutes } from '../../listeners/node/debug-routes.ts';
import type { Logger } from '../../logger.ts';
import { systemClock } from '../../node/system-clock.ts';
import { StartError } from '../../start-error.ts';
import { Credentials } from '../../tls/node/credentials.ts';
import { resolveTls, type TlsNodeOptions } from '../../tls/tls-options.ts';
import { logged } from '../call-log.ts';
import { LeasingKv, type LeasingParts } from '../leasing/leasing-kv.ts';
import { Namespace } from '../namespace.ts';
import { ProxyHandlers } from '../proxy-handlers.ts';
import { Upstream } from '../upstream.ts';
import type { CommandValues } from './command-flags.ts';
import { discoverEndpoints, readAddress } from './gateway-command.ts';
import { memberTls, type MemberTls } from './member-tls.ts';
import { loneProxy, ProxyRegistration } from './proxy-registration.ts';
import { proxyRoutes } from './proxy-routes.ts';

/** Largest message of a client, unless larger ones may be sent on (grpc-go's default, which etcd's proxy has). */
const MAX_CLIENT_MESSAGE_BYTES = 4 << 20;

/** A member list that takes longer is not waited for (etcd client/v3, autoSync). */
const SYNC_LIMIT_MS = 5_000;

/** A proxy that serves. */
export interface GrpcProxy {
  /** Where clients come in, with the real port. */
  readonly url: string;
  /** Where monitors come in; undefined without --metrics-addr. */
  readonly metricsUrl: string | undefined;
  close(graceMs: number): Promise<void>;
}

/**
 * Starts a proxy.
 *
 * @throws StartError: values that do not go together, files that cannot be read, or LISTEN_FAILED.
 */
export async function startGrpcProxy(
  values: CommandValues,
  log: Logger,
  names: NameResolver,
): Promise<GrpcProxy> {
  const text = (name: string): string => values.get(name) as string;
  check(values);
  const tls = memberTls(values, log);
  const channel = channelOptions(values, tls);
  const endpoints = await endpointsOf(values, log, names);
  const clock: Clock = systemClock;
  const make = (endpoint: string): Channel => {
    log.debug('connecting to a member', { endpoint });
    return new GrpcChannel(endpoint, channel);
  };
  const upstream = new Upstream(endpoints, make);
  const client = connect({ endpoints, channel });
  const registration = register(values, log, client);
  const leasing = leasingOf(values, { calls: upstream, client, clock, log });
  const proxy = new ProxyHandlers({
    upstream,
    calls: leasing,
    namespace: new Namespace(utf8(text('namespace'))),
    clock,
    ordersReads: values.get('experimental-serializable-ordering') === true,
    more: registration?.handlers ?? loneProxy(text('advertise-client-url')),
  });
  const pages = proxyRoutes({ upstream, proxy, tls });
  const listener = await listen(values, log, proxy, pages);
  const metricsUrls = text('metrics-addr') === '' ? [] : [text('metrics-addr')];
  const monitors = await listenForMonitors(metricsUrls, pages, listener.tls);
  const stopSync = sync(values, { clock, log, upstream, client });
  log.info('started gRPC proxy', { address: text('listen-addr') });
  return {
    url: listener.url,
    metricsUrl: monitors.urls[0],
    close: async (graceMs) => {
      stopSync();
      const doors = [listener.close(graceMs), monitors.close(graceMs)];
      await Promise.all([registration?.close(), ...doors]);
      await leasing?.close();
      proxy.close();
      await Promise.all([upstream.close(), client.close()]);
    },
  };
}

function leasingOf(
  values: CommandValues,
  parts: Pick<LeasingParts, 'calls' | 'client' | 'clock' | 'log'>,
): LeasingKv | undefined {
  const prefix = values.get('experimental-leasing-prefix') as string;
  if (prefix === '') return undefined;
  const namespace = utf8(values.get('namespace') as string);
  return new LeasingKv({ ...parts, namespace, prefix: utf8(prefix) });
}

/** What etcd refuses (server/etcdmain/grpc_proxy.go, checkArgs). */
function check(values: CommandValues): void {
  const ttl = values.get('resolver-ttl') as number;
  const prefix = values.get('resolver-prefix') as string;
  const advertised = values.get('advertise-client-url') as string;
  if (prefix !== '' && ttl < 1) throw bad(`invalid resolver-ttl ${ttl}`);
  if (prefix === '' && ttl > 0) throw bad(`invalid resolver-prefix "${prefix}"`);
  if (prefix !== '' && advertised === '') throw bad('invalid advertise-client-url ""');
  const maxSendBytes = values.get('max-send-bytes') as number;
  const maxReceiveBytes = values.get('max-recv-bytes') as number;
  if (maxReceiveBytes > 0 && maxSendBytes > maxReceiveBytes) {
    throw bad(
      `gRPC message recv limit (${maxReceiveBytes} bytes) must be greater than send limit (${maxSendBytes} bytes)`,
    );
  }
}

async function endpointsOf(
  values: CommandValues,
  log: Logger,
  names: NameResolver,
): Promise<readonly string[]> {
  const domain = values.get('discovery-srv') as string;
  if (domain === '') {
    const endpoints = values.get('endpoints') as readonly string[];
    if (endpoints.length === 0) throw bad('no endpoints found');
    return endpoints;
  }
  const suffix = values.get('discovery-srv-name') as string;
  const found = await discoverEndpoints({ domain, suffix }, values, log, names);
  return found.map(({ scheme, host, port }) => `${scheme}://${host}:${port}`);
}

/** TLS, signs of life and largest messages towards the members. Sizes and times that are not positive: none said. */
function channelOptions(values: CommandValues, tls: MemberTls | undefined): GrpcChannelOptions {
  const intervalMs = values.get('dial-keepalive-time') as number;
  const positive = (name: string, option: string): Record<string, number> => {
    const value = values.get(name) as number;
    return value > 0 ? { [option]: value } : {};
  };
  return {
    ...(tls === undefined ? {} : { tls }),
    ...positive('dial-keepalive-time', 'keepAliveIntervalMs'),
    ...positive('dial-keepalive-timeout', 'keepAliveTimeoutMs'),
    ...positive('max-send-bytes', 'maxSendBytes'),
    ...positive('max-recv-bytes', 'maxReceiveBytes'),
    // As in grpc-go, who has no interval asks nobody.
    keepAliveWithoutCalls: values.get('permit-without-stream') === true && intervalMs > 0,
  };
}

async function listen(
  values: CommandValues,
  log: Logger,
  proxy: ProxyHandlers,
  pages: ReturnType<typeof proxyRoutes>,
): Promise<{
  readonly url: string;
  readonly tls: { readonly credentials: Credentials; readonly log: Logger };
  close(graceMs: number): Promise<void>;
}> {
  const { host, port } = readAddress(values.get('listen-addr') as string);
  const shown = host.includes(':') ? `[${host}]` : host;
  const isSecure = values.get('cert-file') !== '' || values.get('auto-tls') === true;
  const url = `${isSecure ? 'https' : 'http'}://${shown}:${port}`;
  const metrics = values.get('metrics-addr') as string;
  const given: TlsNodeOptions = {
    certFile: values.get('cert-file') as string,
    keyFile: values.get('key-file') as string,
    trustedCaFile: values.get('trusted-ca-file') as string,
    clientCrlFile: values.get('client-crl-file') as string,
    autoTls: values.get('auto-tls') as boolean,
    selfSignedCertValidityYears: values.get('self-signed-cert-validity') as number,
    cipherSuites: values.get('listen-cipher-suites') as readonly string[],
    tlsMinVersion: values.get('tls-min-version') as string,
    tlsMaxVersion: values.get('tls-max-version') as string,
  };
  const info = resolveTls(given, {
    dataDir: values.get('data-dir') as string,
    listenClientUrls: metrics === '' ? [url] : [url, metrics],
    listenPeerUrls: [],
  }).client;
  const credentials = new Credentials(info, [host], log);
  if (isSecure) await credentials.check();
  const tls = { credentials, log };
  const isLogged = values.get('experimental-enable-grpc-logging') === true;
  const maxMessageBytes = Math.max(
    MAX_CLIENT_MESSAGE_BYTES,
    (values.get('max-send-bytes') as number) + GRPC_OVERHEAD_BYTES,
  );
  const listener = await listenForClients({
    urls: [url],
    handlers: isLogged ? logged(proxy.handlers, log) : proxy.handlers,
    clock: systemClock,
    maxRequestBytes: maxMessageBytes - GRPC_OVERHEAD_BYTES,
    routes: new Map([...pages, ...(values.get('enable-pprof') === true ? profileRoutes() : [])]),
    hasGateway: false,
    tls,
    maxStreamsPerConnection: values.get('max-concurrent-streams') as number,
    keepalive: {
      minPingIntervalMs: values.get('grpc-keepalive-min-time') as number,
      intervalMs: values.get('grpc-keepalive-interval') as number,
      timeoutMs: values.get('grpc-keepalive-timeout') as number,
    },
  });
  const [real = url] = listener.urls;
  log.info('listening for gRPC proxy client requests', {
    address: real.replace(/^[a-z]+:\/\//, ''),
  });
  return { url: real, tls, close: (graceMs) => listener.close(graceMs) };
}

function register(
  values: CommandValues,
  log: Logger,
  client: ReturnType<typeof connect>,
): ProxyRegistration | undefined {
  const prefix = values.get('resolver-prefix') as string;
  if (prefix === '') return undefined;
  return new ProxyRegistration({
    client,
    clock: systemClock,
    log,
    prefix: `${values.get('namespace') as string}${prefix}`,
    address: values.get('advertise-client-url') as string,
    ttlSeconds: values.get('resolver-ttl') as number,
  });
}

interface SyncParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly upstream: Upstream;
  readonly client: ReturnType<typeof connect>;
}

/** Follows the member list, where that is asked for; learners and members that never started are passed over. */
function sync(values: CommandValues, { clock, log, upstream, client }: SyncParts): () => void {
  const intervalMs = values.get('endpoints-auto-sync-interval') as number;
  if (intervalMs <= 0) return () => undefined;
  let timer = clock.after(intervalMs, look);
  async function ask(): Promise<void> {
    const members = await client.cluster.members({ timeoutMs: SYNC_LIMIT_MS });
    const serving = members.filter(({ isLearner, name }) => !isLearner && name !== '');
    upstream.setEndpoints(serving.flatMap(({ clientURLs }) => clientURLs));
  }
  function look(): void {
    ask().catch((error: unknown) => log.info('Auto sync endpoints failed.', { error }));
    timer = clock.after(intervalMs, look);
  }
  return () => timer.cancel();
}

function bad(message: string): StartError {
  return new StartError('BAD_OPTION', message);
}
