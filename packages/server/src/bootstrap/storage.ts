/** A node's storage: its directories, the claim on them, and what was recovered from them. */
import { endAll, idToHex } from '@etcd-ts/base';
import { type Disk, DiskError, WalError, type WalObserver } from '@etcd-ts/wal';
import type { Env } from '../env.ts';
import type { Logger } from '../logger.ts';
import type { NodeMetrics } from '../metrics/node-metrics.ts';
import type { ResolvedOptions } from '../options.ts';
import { DEFAULT_NAME, DEFAULT_PEER_URL } from '../options/member-options.ts';
import type { Peer, PeerTransport } from '../peers/peer-transport.ts';
import { ETCD_VERSION } from '../services/version.ts';
import { versionRefusal } from '../services/version-monitor.ts';
import { StartError } from '../start-error.ts';
import { UnsyncedDisk } from '../state/unsynced-disk.ts';
import { RevocableDisk } from '../state/revocable-disk.ts';
import { bootstrapped, refuseBootstrapped } from './bootstrapped.ts';
import { recover, type Recovered } from './recovery.ts';
import type { FirstCluster } from './recovery-parts.ts';
import { defragmentAtStart } from './defragment.ts';
import { fetchState } from './fetch-state.ts';
import { discovered, isAdvertised } from './discover.ts';
import { joinCluster } from './join.ts';
import { AdvertisedElsewhere, initialCluster } from './initial-cluster.ts';

/** A member's content, and how it is given up. */
export interface Storage extends Recovered {
  /** Whom a member that joins talks to before it knows anything. */
  readonly firstPeers: readonly Peer[];
  /** Takes the disk away at once. */
  revoke(): Promise<void>;
  /**
   * Closes log and database, and gives up the directory. Harmless when repeated.
   *
   * @throws WalError when the log's end cannot be made durable; all the same everything is closed then.
   */
  close(): Promise<void>;
}

/** Where things lie below a data directory, as in etcd: `member/wal`, and the database beside it. */
export interface Layout {
  readonly memberDirectory: string;
  readonly walDirectory: string;
  readonly databaseDirectory: string;
}

/** The directories of a node; in memory they are only names. */
export function layoutOf({
  dataDir,
  walDir,
  name,
}: Pick<ResolvedOptions, 'dataDir' | 'walDir' | 'name'>): Layout {
  const memberDirectory = `${dataDir ?? `${name}.etcd`}/member`;
  return {
    memberDirectory,
    walDirectory: walDir ?? `${memberDirectory}/wal`,
    databaseDirectory: `${memberDirectory}/db`,
  };
}

/**
 * Claims the directories and recovers the member.
 *
 * @throws StartError: names the directory or file, and what is wrong with it.
 */
export async function openStorage(
  options: ResolvedOptions,
  env: Env,
  { transport, metrics }: { readonly transport: PeerTransport; readonly metrics: NodeMetrics },
): Promise<Storage> {
  const disk = new RevocableDisk(options.unsafeNoFsync ? new UnsyncedDisk(env.disk) : env.disk);
  const layout = layoutOf(options);
  let firstPeers: readonly Peer[] = [];
  const cluster = async (): Promise<FirstCluster> => {
    const found = await discovered(options, env);
    if (options.initialClusterState === 'new') {
      return { kind: 'new', ...firstMembers(found) };
    }
    const joined = await joinCluster(found, transport, env.names);
    firstPeers = joined.peers;
    return { kind: 'existing', ...joined };
  };
  await checkFirstMembers(options, env, disk, layout);
  // Its log may lie elsewhere. Nobody is to find an empty cluster where the keys were.
  if (env.canLoseData === true && (await isOfEtcd(disk, layout))) {
    if (!(await hasLog(disk, layout))) throw etcds(undefined, layout);
  }
  try {
    await disk.makeDirectory(layout.memberDirectory);
    const lock = await disk.lockDirectory(layout.memberDirectory);
    const recovered = await recover({
      disk,
      walDirectory: layout.walDirectory,
      backends: env.backends,
      clock: env.clock,
      log: env.log,
      walOptions: {
        segmentSizeBytes: options.walSegmentBytes,
        maxSegments: options.maxWals,
        monotonicMs: () => env.clock.monotonicMs(),
        observer: walObserver(env.log, metrics),
      },
      stateOptions: { dirtyBytesMax: options.maxDirtyBytes, hashSeed: env.random.uint32() },
      cluster,
      checkIsNew: async (first) => {
        if (first.kind === 'existing' && first.wasThere) throw bootstrapped(first.memberId);
        if (first.kind === 'new' && env.canLoseData === true) {
          await refuseBootstrapped(first, transport);
        }
      },
      isForcedAlone: options.forceNewCluster,
      fetchState: (wanted) => fetchState(wanted, options, env),
    });
    const { revoke, close } = endings(disk, recovered, () => lock.release());
    try {
      checkIdentity(options, layout, recovered);
      await prepare(options, env, recovered);
      // A member that joined before, and had nothing when it went down, asks again whom to talk to.
      if (recovered.state.appliedIndex === 0 && firstPeers.length === 0) {
        const found = await discovered(options, env);
        firstPeers = (await joinCluster(found, transport, env.names)).peers;
      }
    } catch (error) {
      await close().catch(() => undefined);
      throw error;
    }
    return { ...recovered, firstPeers, revoke, close };
  } catch (error) {
    await disk.revoke();
    if (error instanceof WalError && (await isOfEtcd(env.disk, layout))) throw etcds(error, layout);
    throw startError(error, layout);
  }
}

/** How what was recovered is given up. */
function endings(
  disk: RevocableDisk,
  { wal, databases, state }: Recovered,
  release: () => Promise<void>,
): Pick<Storage, 'revoke' | 'close'> {
  let isRevoked = false;
  const closeLog = (): Promise<void> =>
    // Without its disk the log can only give up what it holds, and says so.
    wal.close().catch((error: unknown) => {
      if (!isRevoked) throw error;
    });
  return {
    revoke: async () => {
      isRevoked = true;
      await disk.revoke();
    },
    close: () => endAll(closeLog, () => databases.close(state), release),
  };
}

async function hasLog(disk: Disk, { walDirectory }: Layout): Promise<boolean> {
  const files = await disk.list(walDirectory).catch((): readonly string[] => []);
  return files.some((name) => name.endsWith('.wal'));
}

/** Whether the database of etcd itself lies in the directory. */
async function isOfEtcd(disk: Disk, { memberDirectory }: Layout): Promise<boolean> {
  const names = await disk.list(`${memberDirectory}/snap`).catch((): readonly string[] => []);
  return names.includes('db');
}

function etcds(cause: Error | undefined, { memberDirectory }: Layout): StartError {
  return new StartError(
    'FOREIGN_DATA_DIR',
    `the data directory ${memberDirectory} was written by etcd, whose files are of another format; start with a directory of its own: restore a backup to it (etcdctl snapshot save, restoreBackupFile), or copy the keys (etcdctl make-mirror)`,
    cause === undefined ? undefined : { cause },
  );
}

/** What was recovered is of no newer version, and as small as was asked for. */
async function prepare(options: ResolvedOptions, env: Env, recovered: Recovered): Promise<void> {
  const refusal = versionRefusal(env.serverVersion ?? ETCD_VERSION, recovered.state);
  if (refusal !== undefined) throw refusal;
  const { bootstrapDefragThresholdMegabytes: threshold } = options;
  await defragmentAtStart(recovered, env.backends, threshold, env.log);
}

/** Initial options count where there is no log yet; nothing is made for members that cannot be. */
async function checkFirstMembers(
  options: ResolvedOptions,
  { names }: Env,
  disk: Disk,
  layout: Layout,
): Promise<void> {
  const { initialClusterProblem: problem } = options;
  if (problem === undefined || (await hasLog(disk, layout))) return;
  if (problem instanceof AdvertisedElsewhere && (await isAdvertised(options, names))) return;
  throw problem;
}

function firstMembers(options: ResolvedOptions): ReturnType<typeof initialCluster> {
  return initialCluster({
    name: options.name,
    token: options.initialClusterToken,
    cluster: options.initialCluster,
  });
}

/**
 * A directory that neither has this member's name nor any of its peer URLs is another's, copied or mistyped. (One of
 * the two may have changed since, or not be said at all; etcd looks at neither.)
 */
function checkIdentity(
  options: ResolvedOptions,
  { memberDirectory }: Layout,
  { memberId, clusterId, state }: Recovered,
): void {
  const stored = state.membership.get(memberId);
  if (stored === undefined || stored.name === options.name) return;
  const { initialAdvertisePeerUrls: advertised, name } = options;
  if (name === DEFAULT_NAME || advertised.includes(DEFAULT_PEER_URL)) return;
  if (stored.peerUrls.some((url) => advertised.includes(url))) return;
  throw new StartError(
    'FOREIGN_DATA_DIR',
    `the data directory ${memberDirectory} belongs to member ${idToHex(memberId)} "${stored.name}" at ${stored.peerUrls.join(',')} of cluster ${idToHex(clusterId)}, not to "${name}" at ${advertised.join(',')}`,
  );
}

/** Counts what the log does to its disk, and reports what takes too long. */
function walObserver(log: Logger, metrics: NodeMetrics): WalObserver {
  return {
    written: (sizeBytes, tookMs) => {
      metrics.walWrittenBytes += sizeBytes;
      metrics.walWriteSeconds.observe(tookMs / 1000);
    },
    synced: (tookMs) => metrics.walSyncSeconds.observe(tookMs / 1000),
    slowSync: (tookMs) =>
      log.warn('slow fdatasync', { took: `${tookMs}ms`, 'expected-duration': '1s' }),
  };
}

/** What went wrong below, as why the node does not start. */
function startError(error: unknown, layout: Layout): unknown {
  if (error instanceof WalError) return walStartError(error, layout);
  if (!(error instanceof DiskError)) return error;
  if (error.code === 'LOCKED') return inUse(error, layout);
  return new StartError('IO', `the data directory cannot be used: ${error.message}`, {
    cause: error,
  });
}

function walStartError(error: WalError, layout: Layout): StartError {
  const { cause, message } = { cause: error, message: error.message };
  switch (error.code) {
    case 'LOCKED':
      return inUse(error, layout);
    case 'UNSUPPORTED_VERSION':
      return new StartError('NEWER_FORMAT', message, { cause });
    case 'FOREIGN':
      return new StartError('FOREIGN_DATA_DIR', message, { cause });
    case 'SNAPSHOT_MISSING':
      return new StartError('STATE_LOST', message, { cause });
    case 'CORRUPT':
    case 'MISSING_SEGMENT':
    case 'NOT_FOUND':
      return new StartError('CORRUPT_DATA', message, { cause });
    default:
      return new StartError('IO', message, { cause });
  }
}

function inUse(error: Error, { memberDirectory }: Layout): StartError {
  const message = `the data directory ${memberDirectory} is in use: ${error.message}`;
  return new StartError('DATA_DIR_IN_USE', message, { cause: error });
}
