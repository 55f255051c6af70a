/** The surroundings of a node on a real machine. */
import { MemoryDisk } from '@etcd-ts/wal';
import { NodeDisk } from '@etcd-ts/wal/node';
import { BcryptHasher } from '../auth/node/bcrypt-hasher.ts';
import { JwtTokens } from '../auth/node/jwt-tokens.ts';
import { layoutOf } from '../bootstrap/storage.ts';
import type { Clock } from '../clock.ts';
import type { Env } from '../env.ts';
import { silentLogger } from '../logger.ts';
import type { PeerTraffic } from '../metrics/peer-traffic.ts';
import type { ResolvedOptions } from '../options.ts';
import { InMemoryNetwork } from '../peers/in-memory-network.ts';
import { TcpTransport } from '../peers/node/tcp-transport.ts';
import type { PeerTransport } from '../peers/peer-transport.ts';
import { classicLevelBackends, memoryLevelBackends } from './level-backends.ts';
import { serveNode } from './serve-node.ts';
import { systemClock, systemRandom } from './system-clock.ts';

/** Disk and database where the options say, TCP to peers and clients, the machine's clock. */
export function systemEnv(options: ResolvedOptions): Env {
  const clock = systemClock;
  const log = options.logger ?? silentLogger;
  const inMemory = options.dataDir === undefined;
  const { databaseDirectory } = layoutOf(options);
  const hasher = new BcryptHasher(options.bcryptCost);
  return {
    clock,
    random: systemRandom,
    log,
    disk: inMemory ? new MemoryDisk() : new NodeDisk(),
    backends:
      options.backends ??
      (inMemory ? memoryLevelBackends() : classicLevelBackends(databaseDirectory)),
    peers: (resolved, traffic) => transportOf(resolved, clock, traffic),
    listen: (resolved, served) => serveNode(resolved, served, clock),
    hasher,
    openTokens: (settings) => JwtTokens.open(settings),
    close: () => hasher.close(),
  };
}

function transportOf(options: ResolvedOptions, clock: Clock, traffic: PeerTraffic): PeerTransport {
  if (options.network !== undefined) return options.network.transport();
  // A member that listens nowhere is alone: its network has nobody else on it.
  if (options.listenPeerUrls.length === 0) return new InMemoryNetwork(clock).transport();
  const log = options.logger ?? silentLogger;
  return new TcpTransport({ listenUrls: options.listenPeerUrls, clock, log, traffic });
}
