/**
 * What a node can be told. One list: the flags of the bin, the documentation and the code all read it from here.
 */
import type { BackendStore } from './env.ts';
import type { Logger } from './logger.ts';
import type { InMemoryNetwork } from './peers/in-memory-network.ts';
import { StartError } from './start-error.ts';
import {
  formatInitialCluster,
  initialCluster,
  parseInitialCluster,
} from './bootstrap/initial-cluster.ts';
import { bindAddress, urlProblem } from './bootstrap/urls.ts';

/** Options of {@link EtcdNode.start}. All have a default; names follow etcd's flags, with their units last. */
export interface EtcdNodeOptions {
  /** The member's name. etcd --name. @defaultValue 'default' */
  readonly name?: string;
  /** Where log and database live; everything is in memory without it, gone with the process. etcd --data-dir. */
  readonly dataDir?: string;
  /** A place of its own for the log. etcd --wal-dir. @defaultValue `<dataDir>/member/wal` */
  readonly walDir?: string;
  /** Where clients come in over the network; none: only in process. etcd --listen-client-urls. @defaultValue [] */
  readonly listenClientUrls?: readonly string[];
  /** What other members tell clients of this one. etcd --advertise-client-urls. @defaultValue listenClientUrls */
  readonly advertiseClientUrls?: readonly string[];
  /** Where peers come in; none: a cluster of one. etcd --listen-peer-urls. @defaultValue [] */
  readonly listenPeerUrls?: readonly string[];
  /**
   * What peers dial. The first start makes the member's id of it.
   * etcd --initial-advertise-peer-urls. @defaultValue listenPeerUrls, or http://localhost:2380
   */
  readonly initialAdvertisePeerUrls?: readonly string[];
  /** First members, as `name=url,name=url` or by name. Only the first start reads it. @defaultValue this one alone */
  readonly initialCluster?: string | Readonly<Record<string, string | readonly string[]>>;
  /** `new` founds the cluster, `existing` joins one that already knows this member. @defaultValue 'new' */
  readonly initialClusterState?: 'new' | 'existing';
  /** Goes into all ids, so that clusters cannot mix. @defaultValue 'etcd-cluster' */
  readonly initialClusterToken?: string;
  /**
   * `raft`, or `single-writer`: the same log and state without elections and replication, for exactly one member.
   * @defaultValue 'raft'
   */
  readonly engine?: 'raft' | 'single-writer';
  /** A Raft tick, and a leader's heartbeat. etcd --heartbeat-interval. @defaultValue 100 */
  readonly heartbeatIntervalMs?: number;
  /** Without a leader for so long a member campaigns; ≥ 5 heartbeats. etcd --election-timeout. @defaultValue 1000 */
  readonly electionTimeoutMs?: number;
  /** Ask before campaigning. etcd --pre-vote. @defaultValue true */
  readonly preVote?: boolean;
  /** Entries applied between two marks behind which the log may be dropped. etcd --snapshot-count. @defaultValue 10000 */
  readonly snapshotCount?: number;
  /** Entries kept behind a mark for slow followers. etcd --snapshot-catchup-entries. @defaultValue 5000 */
  readonly snapshotCatchUpEntries?: number;
  /** Segments of the log that stay even when nothing needs them; 0 keeps all. etcd --max-wals. @defaultValue 5 */
  readonly maxWals?: number;
  /** Size at which a new segment of the log begins. @defaultValue 64 MiB */
  readonly walSegmentBytes?: number;
  /** Largest request. etcd --max-request-bytes. @defaultValue 1572864 */
  readonly maxRequestBytes?: number;
  /** Operations in one transaction. etcd --max-txn-ops. @defaultValue 128 */
  readonly maxTxnOps?: number;
  /** Size at which writes are refused; negative: never. etcd --quota-backend-bytes. @defaultValue 2 GiB */
  readonly quotaBackendBytes?: number;
  /** Longest delay of the write-behind into the database. etcd --backend-batch-interval. @defaultValue 100 */
  readonly backendBatchIntervalMs?: number;
  /** Entries after which it is written without delay. etcd --backend-batch-limit. @defaultValue 10000 */
  readonly backendBatchEntries?: number;
  /** Unwritten bytes at which applying waits for the database. @defaultValue 64 MiB */
  readonly maxDirtyBytes?: number;
  /** Applying one entry for longer is logged. etcd --warning-apply-duration. @defaultValue 100 */
  readonly warningApplyDurationMs?: number;
  /** Where the node reports. @defaultValue nowhere */
  readonly logger?: Logger;
  /** A network inside this process in place of TCP between the members. */
  readonly network?: InMemoryNetwork;
  /** Databases of your own in place of LevelDB below the data directory. */
  readonly backends?: BackendStore;
}

/** Options that may stay without a value. */
type OptionalOption = 'dataDir' | 'walDir' | 'logger' | 'network' | 'backends';

/** Options after {@link resolveOptions}: complete, checked, frozen. */
export interface ResolvedOptions
  extends
    Omit<Required<EtcdNodeOptions>, OptionalOption | 'initialCluster'>,
    Pick<EtcdNodeOptions, 'logger' | 'network' | 'backends'> {
  readonly dataDir: string | undefined;
  readonly walDir: string | undefined;
  /** Peer URLs by name. */
  readonly initialCluster: ReadonlyMap<string, readonly string[]>;
}

/** Longest election timeout (etcd embed/config.go, maxElectionMs). */
export const MAX_ELECTION_TIMEOUT_MS = 50_000;

const DEFAULT_PEER_URL = 'http://localhost:2380';

/** Every number among the options: default, least and greatest value. */
const NUMBERS = {
  heartbeatIntervalMs: [100, 0, MAX_ELECTION_TIMEOUT_MS],
  electionTimeoutMs: [1_000, 0, Number.MAX_SAFE_INTEGER],
  snapshotCount: [10_000, 1, Number.MAX_SAFE_INTEGER],
  snapshotCatchUpEntries: [5_000, 0, Number.MAX_SAFE_INTEGER],
  maxWals: [5, 0, 1_000_000],
  walSegmentBytes: [64 * 1024 ** 2, 1_024, 1024 ** 3],
  maxRequestBytes: [1_572_864, 1, 1 << 30],
  maxTxnOps: [128, 1, 1_000_000],
  quotaBackendBytes: [2 * 1024 ** 3, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  backendBatchIntervalMs: [100, 1, 60_000],
  backendBatchEntries: [10_000, 1, 10_000_000],
  maxDirtyBytes: [64 * 1024 ** 2, 1 << 20, 1 << 30],
  warningApplyDurationMs: [100, 0, Number.MAX_SAFE_INTEGER],
} as const;

type NumberOption = keyof typeof NUMBERS;

/**
 * Completes and checks options. The caller's object is not changed.
 *
 * @returns A frozen, complete copy.
 * @throws StartError BAD_OPTION: names the option, its value and what it may be, in etcd's words where etcd has them.
 */
export function resolveOptions(options: EtcdNodeOptions = {}): ResolvedOptions {
  const name = options.name ?? 'default';
  const listenPeerUrls = [...(options.listenPeerUrls ?? [])];
  const listenClientUrls = [...(options.listenClientUrls ?? [])];
  const ownPeerUrls = listenPeerUrls.length > 0 ? listenPeerUrls : [DEFAULT_PEER_URL];
  const advertised = [...(options.initialAdvertisePeerUrls ?? ownPeerUrls)];
  const quota = number(options, 'quotaBackendBytes');
  const resolved: ResolvedOptions = {
    name,
    dataDir: options.dataDir,
    walDir: options.walDir,
    listenClientUrls,
    advertiseClientUrls: [...(options.advertiseClientUrls ?? listenClientUrls)],
    listenPeerUrls,
    initialAdvertisePeerUrls: advertised,
    initialCluster: cluster(options.initialCluster, name, advertised),
    initialClusterState: options.initialClusterState ?? 'new',
    initialClusterToken: options.initialClusterToken ?? 'etcd-cluster',
    engine: options.engine ?? 'raft',
    heartbeatIntervalMs: number(options, 'heartbeatIntervalMs'),
    electionTimeoutMs: number(options, 'electionTimeoutMs'),
    preVote: options.preVote ?? true,
    snapshotCount: number(options, 'snapshotCount'),
    snapshotCatchUpEntries: number(options, 'snapshotCatchUpEntries'),
    maxWals: number(options, 'maxWals'),
    walSegmentBytes: number(options, 'walSegmentBytes'),
    maxRequestBytes: number(options, 'maxRequestBytes'),
    maxTxnOps: number(options, 'maxTxnOps'),
    quotaBackendBytes: quota === 0 ? NUMBERS.quotaBackendBytes[0] : quota,
    backendBatchIntervalMs: number(options, 'backendBatchIntervalMs'),
    backendBatchEntries: number(options, 'backendBatchEntries'),
    maxDirtyBytes: number(options, 'maxDirtyBytes'),
    warningApplyDurationMs: number(options, 'warningApplyDurationMs'),
    ...(options.logger === undefined ? {} : { logger: options.logger }),
    ...(options.network === undefined ? {} : { network: options.network }),
    ...(options.backends === undefined ? {} : { backends: options.backends }),
  };
  checkUrls(resolved);
  checkTimes(resolved);
  checkEngine(resolved);
  return Object.freeze(resolved);
}

function number(options: EtcdNodeOptions, option: NumberOption): number {
  const [fallback, least, greatest] = NUMBERS[option];
  const value = options[option] ?? fallback;
  if (!Number.isSafeInteger(value) || value < least || value > greatest) {
    throw new StartError(
      'BAD_OPTION',
      `${option} must be a whole number from ${least} to ${greatest}, is ${String(value)}`,
    );
  }
  return value;
}

function cluster(
  given: EtcdNodeOptions['initialCluster'],
  name: string,
  advertised: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  if (given === undefined || given === '') return new Map([[name, advertised]]);
  if (typeof given === 'string') return parseInitialCluster(given);
  const pairs = Object.entries(given).flatMap(([member, urls]) =>
    (typeof urls === 'string' ? [urls] : urls).map((url) => `${member}=${url}`),
  );
  return parseInitialCluster(pairs.join(','));
}

function checkUrls(options: ResolvedOptions): void {
  for (const url of [...options.listenPeerUrls, ...options.listenClientUrls]) bindAddress(url);
  for (const url of [...options.advertiseClientUrls, ...options.initialAdvertisePeerUrls]) {
    const problem = urlProblem(url);
    if (problem !== undefined) throw new StartError('BAD_OPTION', problem);
  }
  // Throws when the members contradict the local name or the advertised URLs.
  initialCluster({
    name: options.name,
    token: options.initialClusterToken,
    cluster: options.initialCluster,
    advertisePeerUrls: options.initialAdvertisePeerUrls,
  });
}

/** The relations that etcd checks (embed/config.go, Validate). */
function checkTimes(options: ResolvedOptions): void {
  const { heartbeatIntervalMs: heartbeat, electionTimeoutMs: election } = options;
  const fail = (message: string): never => {
    throw new StartError('BAD_OPTION', message);
  };
  if (heartbeat === 0) fail(`--heartbeat-interval must be >0 (set to ${heartbeat}ms)`);
  if (election === 0) fail(`--election-timeout must be >0 (set to ${election}ms)`);
  if (5 * heartbeat > election) {
    fail(
      `--election-timeout[${election}ms] should be at least as 5 times as --heartbeat-interval[${heartbeat}ms]`,
    );
  }
  if (election > MAX_ELECTION_TIMEOUT_MS) {
    fail(
      `--election-timeout[${election}ms] is too long, and should be set less than ${MAX_ELECTION_TIMEOUT_MS}ms`,
    );
  }
}

function checkEngine(options: ResolvedOptions): void {
  const size = options.initialCluster.size;
  if (size > 1 && options.listenPeerUrls.length === 0 && options.network === undefined) {
    throw new StartError(
      'BAD_OPTION',
      `a cluster of ${size} members needs listenPeerUrls: ${formatInitialCluster(options.initialCluster)}`,
    );
  }
  if (options.engine === 'single-writer' && options.initialCluster.size > 1) {
    throw new StartError(
      'BAD_OPTION',
      `engine single-writer is for one member, the initial cluster has ${options.initialCluster.size}: ${formatInitialCluster(options.initialCluster)}`,
    );
  }
}
