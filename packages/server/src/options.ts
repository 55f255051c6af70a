/**
 * What a node can be told: one family of options per file of `options/`. The flags of the program, the documentation
 * and the code all read them from there.
 */
import { mergeObjects } from '@etcd-ts/base';
import type { BackendStore } from './env.ts';
import type { Logger } from './logger.ts';
import { type AuthOptions, resolveAuth } from './options/auth-options.ts';
import { type CheckOptions, resolveChecks } from './options/check-options.ts';
import {
  type ClusterOptions,
  clusterText,
  type ResolvedClusterOptions,
  resolveCluster,
} from './options/cluster-options.ts';
import {
  type CompactionOptions,
  type ResolvedCompactionOptions,
  resolveCompaction,
} from './options/compaction-options.ts';
import {
  type MemberOptions,
  type ResolvedMemberOptions,
  resolveMember,
} from './options/member-options.ts';
import { type PeerOptions, resolvePeers } from './options/peer-options.ts';
import { type RaftOptions, resolveRaft } from './options/raft-options.ts';
import { type RequestOptions, resolveRequests } from './options/request-options.ts';
import { resolveServing, type ServingOptions } from './options/serving-options.ts';
import { resolveStorage, type StorageOptions } from './options/storage-options.ts';
import { resolveTracing, type TracingOptions } from './options/tracing-options.ts';
import {
  type DiscoveryOptions,
  resolveDiscovery,
  type ResolvedDiscoveryOptions,
} from './options/discovery-options.ts';
import type { InMemoryNetwork } from './peers/in-memory-network.ts';
import { StartError } from './start-error.ts';
import { type NodeTls, resolveTls, type TlsNodeOptions } from './tls/tls-options.ts';

/** Things that a node uses, and does not make a copy of. */
export interface Surroundings {
  /** Where the node reports. @defaultValue nowhere */
  readonly logger?: Logger;
  /** A network inside this process in place of TCP between the members. */
  readonly network?: InMemoryNetwork;
  /** Databases of your own in place of LevelDB below the data directory. */
  readonly backends?: BackendStore;
}

/** Options of {@link EtcdNode.start}. All have a default; names follow etcd's flags, with their units last. */
export interface EtcdNodeOptions
  extends
    MemberOptions,
    ClusterOptions,
    RaftOptions,
    StorageOptions,
    CompactionOptions,
    RequestOptions,
    PeerOptions,
    ServingOptions,
    AuthOptions,
    CheckOptions,
    TracingOptions,
    TlsNodeOptions,
    DiscoveryOptions,
    Surroundings {}

/** Options after {@link resolveOptions}: complete, checked, frozen. */
export interface ResolvedOptions
  extends
    ResolvedMemberOptions,
    ResolvedClusterOptions,
    Required<RaftOptions>,
    Required<StorageOptions>,
    ResolvedCompactionOptions,
    Required<RequestOptions>,
    Required<PeerOptions>,
    Required<ServingOptions>,
    Required<AuthOptions>,
    Required<CheckOptions>,
    Required<TracingOptions>,
    Surroundings {
  /** TLS by kind of URL. */
  readonly tls: NodeTls;
  /** How the first members are found. */
  readonly discovery: ResolvedDiscoveryOptions;
}

/**
 * Completes and checks options. The caller's object is not changed.
 *
 * @returns A frozen, complete copy.
 * @throws StartError BAD_OPTION: names the option, its value and what it may be, in etcd's words where etcd has them.
 */
export function resolveOptions(options: EtcdNodeOptions = {}): ResolvedOptions {
  const member = resolveMember(options);
  const resolved: ResolvedOptions = mergeObjects(
    member,
    resolveCluster(options, member),
    resolveRaft(options),
    resolveStorage(options),
    resolveCompaction(options),
    resolveRequests(options),
    resolvePeers(options),
    resolveServing(options),
    resolveAuth(options),
    resolveChecks(options),
    resolveTracing(options),
    { tls: resolveTls(options, member), discovery: resolveDiscovery(options) },
    surroundingsOf(options),
  );
  checkEngine(resolved);
  return Object.freeze(resolved);
}

function surroundingsOf({ logger, network, backends }: Surroundings): Surroundings {
  return {
    ...(logger === undefined ? {} : { logger }),
    ...(network === undefined ? {} : { network }),
    ...(backends === undefined ? {} : { backends }),
  };
}

function checkEngine(options: ResolvedOptions): void {
  const { size } = options.initialCluster;
  if (size > 1 && options.listenPeerUrls.length === 0 && options.network === undefined) {
    const members = clusterText(options);
    throw new StartError(
      'BAD_OPTION',
      `a cluster of ${size} members needs listenPeerUrls: ${members}`,
    );
  }
  if (options.engine === 'single-writer' && size > 1) {
    const members = clusterText(options);
    throw new StartError(
      'BAD_OPTION',
      `engine single-writer is for one member, the initial cluster has ${size}: ${members}`,
    );
  }
}
