/**
 * From a backup, ours or a real etcd's, to a member of a new cluster (etcd etcdutl/snapshot/v3_snapshot.go, Restore).
 *
 * What always holds
 * - Keys, revisions, leases, users, roles and alarms are the backup's; members and ids are those that the options name.
 *   Members that are restored from one backup with the same initial cluster are one cluster.
 * - The log begins behind the backup's position, so that whatever refers to positions in the state stays right.
 * - The log is made last: a restore that was cut short leaves nothing that starts, and nothing that a start takes for its
 *   own beginnings.
 */
import { type ClusterId, InvariantError, type MemberId } from '@etcd-ts/base';
import { flushStore } from '@etcd-ts/mvcc';
import type { ConfState } from '@etcd-ts/raft';
import { type Disk, openWal } from '@etcd-ts/wal';
import { ReplicatedState } from '../apply/replicated-state.ts';
import { fillFromBackup } from '../backup/read-backup.ts';
import type { RandomAccessFile } from '../bbolt/database-reader.ts';
import { BboltError } from '../bbolt/format.ts';
import { FOUNDING_INDEX, RESTORED_DATABASE } from '../bootstrap/founding.ts';
import {
  AdvertisedElsewhere,
  type InitialCluster,
  initialCluster,
} from '../bootstrap/initial-cluster.ts';
import { leadToSame } from '../bootstrap/same-addresses.ts';
import type { NameResolver } from '../bootstrap/srv.ts';
import { type Layout, layoutOf } from '../bootstrap/storage.ts';
import type { BackendStore } from '../env.ts';
import { type Logger, silentLogger } from '../logger.ts';
import { type ClusterOptions, resolveCluster } from '../options/cluster-options.ts';
import { type MemberOptions, resolveMember } from '../options/member-options.ts';
import { removeDatabases } from '../state/databases.ts';
import type { Sha256Digest } from '../services/sha256.ts';
import { checkedDatabase, fileOfBytes } from './backup-file.ts';
import { RestoreError } from './restore-error.ts';

/** The new member, its cluster, and what is to be done with the backup. Names follow etcdutl's flags. */
export interface RestoreOptions
  extends
    Pick<MemberOptions, 'name' | 'dataDir' | 'walDir' | 'initialAdvertisePeerUrls'>,
    Pick<ClusterOptions, 'initialCluster' | 'initialClusterToken'> {
  /** Takes a backup without checksum, as a copy of a database is. @defaultValue false */
  readonly skipHashCheck?: boolean;
  /**
   * How far the new cluster's revisions begin behind the backup's, so that none is met twice by those who saw the old
   * cluster go on. Needs `markCompacted`. @defaultValue 0
   */
  readonly bumpRevision?: number;
  /**
   * Counts everything through the revision at which the new cluster begins as compacted, so that watchers of the old
   * one are told instead of missing events. Needs `bumpRevision`. @defaultValue false
   */
  readonly markCompacted?: boolean;
  readonly logger?: Logger;
}

/** Where a member is restored to. */
export interface RestorePlaces {
  readonly disk: Disk;
  readonly backends: BackendStore;
  /** See `Env.newSha256`. */
  readonly newSha256?: () => Sha256Digest;
  /** Finds out whether an advertised URL with a name is one of the initial cluster with an address, or the other way. */
  readonly names?: NameResolver;
}

/** A member that was restored; start it with the same name, directories and URLs. */
export interface Restored {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
  /** The store's revision; the first write gets the next one. */
  readonly revision: number;
  /** Reads below it are refused; -1 where nothing was compacted. */
  readonly compactRevision: number;
}

/**
 * Restores a backup.
 *
 * @param backup The file's bytes, or the file.
 * @throws RestoreError, and StartError BAD_OPTION for the cluster's options.
 */
export async function restoreBackup(
  backup: Uint8Array | RandomAccessFile,
  options: RestoreOptions,
  places: RestorePlaces,
): Promise<Restored> {
  const { bumpRevision = 0, skipHashCheck = false, logger = silentLogger } = options;
  checkMarks(options);
  const cluster = await clusterOf(options, places);
  const layout = layoutOf(resolveMember(options));
  await assertEmpty(options, layout, places);
  const file = backup instanceof Uint8Array ? fileOfBytes(backup) : backup;
  const reading = { skipHashCheck, hash: places.newSha256?.() };
  const database = await checkedDatabase(file, reading);
  const restored = await restoreState(database, cluster, bumpRevision, places);
  try {
    await beginLog(restored, cluster, layout, places.disk);
  } catch (error) {
    await places.backends.remove(RESTORED_DATABASE);
    throw error;
  }
  const { revision, compactRevision } = restored;
  logger.info('restored snapshot', { 'data-dir': options.dataDir, revision });
  return { clusterId: cluster.clusterId, memberId: cluster.local.id, revision, compactRevision };
}

function checkMarks({ bumpRevision = 0, markCompacted = false }: RestoreOptions): void {
  if (!Number.isSafeInteger(bumpRevision) || bumpRevision < 0) {
    const message = `bumpRevision must be a whole number from 0 on, is ${bumpRevision}`;
    throw new RestoreError('BAD_OPTION', message);
  }
  if (markCompacted !== bumpRevision > 0) {
    const message = '--mark-compacted required if --revision-bump > 0';
    throw new RestoreError('BAD_OPTION', message);
  }
}

async function clusterOf(
  options: RestoreOptions,
  { names }: RestorePlaces,
): Promise<InitialCluster> {
  const member = resolveMember(options);
  const { name, initialAdvertisePeerUrls: advertised } = member;
  const cluster = resolveCluster(options, member);
  const { initialClusterProblem: problem } = cluster;
  if (problem !== undefined) {
    const listed = cluster.initialCluster.get(name) ?? [];
    const isWrittenOtherwise = problem instanceof AdvertisedElsewhere;
    if (!isWrittenOtherwise || !(await leadToSame(names, listed, advertised))) throw problem;
  }
  return initialCluster({
    name,
    token: cluster.initialClusterToken,
    cluster: cluster.initialCluster,
  });
}

async function assertEmpty(
  { dataDir, walDir }: RestoreOptions,
  { memberDirectory }: Layout,
  { disk, backends }: RestorePlaces,
): Promise<void> {
  const directory = dataDir ?? memberDirectory;
  if (await holdsSomething(disk, directory)) {
    const message = `data-dir "${directory}" not empty or could not be read`;
    throw new RestoreError('NOT_EMPTY', message);
  }
  if (walDir !== undefined && (await holdsSomething(disk, walDir))) {
    throw new RestoreError('NOT_EMPTY', `wal-dir "${walDir}" exists`);
  }
  const databases = await backends.list();
  if (databases.length === 0) return;
  throw new RestoreError('NOT_EMPTY', `there are databases already: ${databases.join(', ')}`);
}

async function holdsSomething(disk: Disk, directory: string): Promise<boolean> {
  return (await disk.stat(directory)) !== undefined && (await disk.list(directory)).length > 0;
}

/** What the log needs to know of a state. */
interface RestoredState {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
  readonly revision: number;
  readonly compactRevision: number;
}

/** Fills a database, and puts the new members in place of the old. */
async function restoreState(
  database: RandomAccessFile,
  cluster: InitialCluster,
  bumpRevision: number,
  { backends }: RestorePlaces,
): Promise<RestoredState> {
  const name = RESTORED_DATABASE;
  const backend = await backends.open(name);
  try {
    await fillFromBackup(backend, database);
    const state = await ReplicatedState.open(backend);
    state.refound(membersOf(cluster), confStateOf(cluster));
    if (state.appliedIndex <= FOUNDING_INDEX && isWritten(state)) {
      state.applyEmpty(FOUNDING_INDEX + 1, state.appliedTerm);
    }
    const { store } = state;
    if (bumpRevision > 0) store.skipTo(bumped(store.revision, bumpRevision));
    await flushStore(store);
    await backend.sync();
    const { appliedIndex: index, appliedTerm: term, confState } = state;
    const { revision, compactRevision } = store;
    await backend.close();
    return { index, term, confState, revision, compactRevision };
  } catch (error) {
    await removeDatabases(backends, [{ name, backend }]);
    // What the database holds is somebody else's doing: that no state can be like that is its damage.
    if (!(error instanceof BboltError || error instanceof InvariantError)) throw error;
    throw new RestoreError('DAMAGED', error.message, { cause: error });
  }
}

/**
 * Whether there is anything in a state that a new cluster's has not. Then it must not stand where that one does: when the
 * database is lost, the first state is made anew from the options. (A database that etcdutl has restored, and that was
 * never started, stands there.)
 */
function isWritten({ store, lessor, auth, alarms }: ReplicatedState): boolean {
  return store.revision > 1 || lessor.size > 0 || auth.revision > 1 || alarms.list().length > 0;
}

/** @throws RestoreError BAD_OPTION when there are no such revisions. */
function bumped(revision: number, bumpRevision: number): number {
  const sum = revision + bumpRevision;
  if (Number.isSafeInteger(sum)) return sum;
  const message = `bumpRevision ${bumpRevision} leads from revision ${revision} beyond ${Number.MAX_SAFE_INTEGER}`;
  throw new RestoreError('BAD_OPTION', message);
}

function membersOf({ members }: InitialCluster): Parameters<ReplicatedState['refound']>[0] {
  return members.map(({ id, name, peerUrls }) => ({
    id,
    name,
    peerUrls,
    clientUrls: [],
    isLearner: false,
  }));
}

function confStateOf({ members }: InitialCluster): ConfState {
  return {
    voters: members.map(({ id }) => id),
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
}

/** From here on the member starts. */
async function beginLog(
  { index, term, confState }: RestoredState,
  { clusterId, local }: InitialCluster,
  { walDirectory }: Layout,
  disk: Disk,
): Promise<void> {
  await disk.makeDirectory(walDirectory);
  const metadata = { clusterId, memberId: local.id };
  const { wal } = await openWal({ disk, directory: walDirectory, metadata });
  try {
    const hardState = { term, vote: 0n, commit: index };
    await wal.append(
      { snapshot: { index, term, confState }, entries: [], hardState },
      { sync: true },
    );
  } finally {
    await wal.close();
  }
}
