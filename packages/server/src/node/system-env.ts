/** The surroundings of a node on a real machine. */
import { isIP } from 'node:net';
import { MemoryDisk } from '@etcd-ts/wal';
import { NodeDisk } from '@etcd-ts/wal/node';
import { BcryptHasher } from '../auth/node/bcrypt-hasher.ts';
import { JwtTokens } from '../auth/node/jwt-tokens.ts';
import { layoutOf } from '../bootstrap/storage.ts';
import { socketAddress } from '../bootstrap/urls.ts';
import type { Clock } from '../clock.ts';
import type { Env } from '../env.ts';
import { type Logger, silentLogger } from '../logger.ts';
import type { PeerTraffic } from '../metrics/peer-traffic.ts';
import type { ResolvedOptions } from '../options.ts';
import { InMemoryNetwork } from '../peers/in-memory-network.ts';
import { TcpTransport } from '../peers/node/tcp-transport.ts';
import type { PeerTransport } from '../peers/peer-transport.ts';
import type { CallTracer } from '../tracing/call-tracer.ts';
import { Credentials } from '../tls/node/credentials.ts';
import { isTlsUrl, tlsWarnings } from '../tls/tls-options.ts';
import { StartError } from '../start-error.ts';
import { DiskReserve } from './disk-reserve.ts';
import { checkFree } from './free-addresses.ts';
import { classicLevelBackends, memoryLevelBackends, WRITE_BUFFER_BYTES } from './level-backends.ts';
import { nativeSha256 } from './native-sha256.ts';
import { nameResolver } from './name-resolver.ts';
import { connectRegistry } from './registry-client.ts';
import { serveNode } from './serve-node.ts';
import { systemClock, systemRandom } from './system-clock.ts';

/** The file in the member's directory that keeps room for a start on a full disk. */
const RESERVE_NAME = 'reserve';

/** Disk and database where the options say, TCP to peers and clients, the machine's clock. */
export function systemEnv(options: ResolvedOptions): Env {
  const clock = systemClock;
  const log = options.logger ?? silentLogger;
  const inMemory = options.dataDir === undefined;
  const { databaseDirectory, memberDirectory } = layoutOf(options);
  const reserve = new DiskReserve(`${memberDirectory}/${RESERVE_NAME}`, WRITE_BUFFER_BYTES, log);
  const hasher = new BcryptHasher(options.bcryptCost);
  const hostsOf = (urls: readonly string[]): string[] =>
    urls.map((url) => socketAddress(url)).flatMap((at) => ('host' in at ? [at.host] : []));
  const tls = {
    client: new Credentials(options.tls.client, hostsOf(options.listenClientUrls), log),
    peer: new Credentials(options.tls.peer, hostsOf(options.listenPeerUrls), log),
  };
  let tracer: CallTracer | undefined;
  return {
    clock,
    random: systemRandom,
    log,
    disk: inMemory ? new MemoryDisk() : new NodeDisk(),
    backends:
      options.backends ??
      (inMemory ? memoryLevelBackends() : classicLevelBackends(databaseDirectory, reserve)),
    canLoseData: !inMemory,
    prepare: async () => {
      await checkTls(options, tls, log);
      await checkFree(ownPorts(options));
    },
    peers: (resolved, traffic) => transportOf(resolved, { clock, traffic, tls: tls.peer }),
    listen: async (resolved, served) => {
      await makeOwnCertificates(resolved, tls);
      return serveNode(resolved, served, { clock, tls: tls.client });
    },
    newSha256: nativeSha256,
    hasher,
    openTokens: (settings) => JwtTokens.open(settings),
    names: nameResolver(),
    connectRegistry,
    openTracer: async (resolved) => (tracer = await openTracer(resolved, log)),
    close: async () => {
      await Promise.all([hasher.close(), tracer?.close(), reserve.close()]);
    },
  };
}

interface Identities {
  readonly client: Credentials;
  readonly peer: Credentials;
}

/** Certificates that a member signs itself are there before it serves. @throws StartError when they cannot be made. */
async function makeOwnCertificates(
  { tls: { client, peer }, listenClientUrls, listenPeerUrls }: ResolvedOptions,
  identities: Identities,
): Promise<void> {
  if (client.selfSigned !== undefined && listenClientUrls.some(isTlsUrl))
    await identities.client.check();
  if (peer.selfSigned !== undefined && listenPeerUrls.some(isTlsUrl)) await identities.peer.check();
}

/** Addresses that nobody else may listen on. */
function ownPorts(options: ResolvedOptions): readonly string[] {
  if (options.socketReusePort) return [];
  const peers = options.network === undefined ? options.listenPeerUrls : [];
  const { listenClientUrls, listenClientHttpUrls, listenMetricsUrls } = options;
  return [...peers, ...listenClientUrls, ...listenClientHttpUrls, ...listenMetricsUrls];
}

/** Loads what tracing takes only now: most nodes do without. */
async function openTracer(options: ResolvedOptions, log: Logger): Promise<CallTracer> {
  const { OtlpTracer } = await import('../tracing/node/otlp-tracer.ts');
  try {
    return new OtlpTracer(options, log);
  } catch (cause) {
    const { distributedTracingAddress: address } = options;
    const message = `no collector of traces can have the address "${address}"`;
    throw new StartError('BAD_OPTION', message, { cause });
  }
}

/** Certificates that are given are there and fit; those that no URL has a use for are warned of. */
async function checkTls(options: ResolvedOptions, tls: Identities, log: Logger): Promise<void> {
  for (const kind of ['client', 'peer'] as const) {
    const urls = kind === 'client' ? options.listenClientUrls : options.listenPeerUrls;
    for (const { message, fields } of tlsWarnings(kind, urls, options.tls[kind])) {
      log.warn(message, fields);
    }
    // A certificate of its own is made in the data directory, which is not yet claimed here.
    if (options.tls[kind].selfSigned === undefined) await tls[kind].check();
  }
}

function transportOf(
  options: ResolvedOptions,
  {
    clock,
    traffic,
    tls,
  }: { readonly clock: Clock; readonly traffic: PeerTraffic; readonly tls: Credentials },
): PeerTransport {
  if (options.network !== undefined) return options.network.transport();
  // A member that listens nowhere is alone: its network has nobody else on it.
  if (options.listenPeerUrls.length === 0) return new InMemoryNetwork(clock).transport();
  const log = options.logger ?? silentLogger;
  const { listenPeerUrls: listenUrls } = options;
  const { srv } = options.discovery;
  // Without an authority of its own, whoever was found by DNS must be of that domain (as in etcd, PeerURLsMapAndToken).
  const serverName = options.tls.peer.trustedCaFile === '' ? srv?.domain : undefined;
  const dialling = { credentials: tls, serverName };
  return new TcpTransport({
    listenUrls,
    clock,
    log,
    traffic,
    tls: dialling,
    timeouts: { readMs: options.raftReadTimeoutMs, writeMs: options.raftWriteTimeoutMs },
    localAddress: options.setMemberLocalAddress
      ? localAddressOf(options.initialAdvertisePeerUrls, log)
      : undefined,
    isPortShared: options.socketReusePort,
  });
}

/** The first advertised address that other machines reach (etcd embed/config.go, InferLocalAddr). */
function localAddressOf(urls: readonly string[], log: Logger): string | undefined {
  const addresses = urls
    .map((url) => socketAddress(url))
    .flatMap((at) => ('host' in at ? [at.host] : []));
  const found = addresses.find((host) => isIP(host) !== 0 && !isLoopback(host));
  if (found === undefined) {
    log.warn('unable to set a member local address due to lack of suitable local addresses', {
      'advertise-peer-urls': urls,
    });
  } else log.info('setting member local address', { LocalAddr: found });
  return found;
}

function isLoopback(host: string): boolean {
  return host.startsWith('127.') || ['::1', '::', '0.0.0.0'].includes(host);
}
