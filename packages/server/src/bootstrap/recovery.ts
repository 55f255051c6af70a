/**
 * From what is on disk to a node that can go on: three beginnings (a new cluster, a member that joins one, a member
 * that comes back), one result.
 *
 * What always holds
 * - What is on disk decides; the initial options count only when there is no log.
 * - A log is made last, when the database holds the cluster's first state: without a log nothing was promised to
 *   anyone, and the next start begins anew.
 * - A member that comes back replays exactly the entries after its database's position.
 * - Nothing is removed or changed before everything was read and found consistent.
 */
import { type ClusterId, type MemberId, must } from '@etcd-ts/base';
import { flushStore } from '@etcd-ts/mvcc';
import type { ConfState, RaftInitialState } from '@etcd-ts/raft';
import { openWal, type Disk, type RecoveredLog, type Wal, type WalOptions } from '@etcd-ts/wal';
import { ReplicatedState, type ReplicatedStateOptions } from '../apply/replicated-state.ts';
import type { BackendStore } from '../env.ts';
import type { Logger } from '../logger.ts';
import { StartError } from '../start-error.ts';
import {
  type Candidate,
  chooseDatabase,
  type Database,
  databaseName,
  Databases,
  openCandidates,
  removeDatabases,
} from '../state/databases.ts';
import type { InitialCluster } from './initial-cluster.ts';

/** Position of a new cluster's first state: like a snapshot that every first member was born with. */
const FOUNDING_INDEX = 1;
const FOUNDING_TERM = 1;

/** What recovery works on. */
export interface RecoveryParts {
  readonly disk: Disk;
  readonly walDirectory: string;
  readonly backends: BackendStore;
  readonly log: Logger;
  readonly walOptions: Pick<WalOptions, 'monotonicMs' | 'observer'>;
  readonly stateOptions: ReplicatedStateOptions;
  /** Ids and members of the cluster that the options describe; asked only when there is no log. */
  readonly cluster: () => Promise<FirstCluster>;
}

/** A cluster that begins, or one that exists and that this member joins. */
export type FirstCluster =
  | ({ readonly kind: 'new' } & InitialCluster)
  | { readonly kind: 'existing'; readonly clusterId: ClusterId; readonly memberId: MemberId };

/** A member that can go on. */
export interface Recovered {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
  readonly wal: Wal;
  readonly databases: Databases;
  readonly state: ReplicatedState;
  readonly initial: RaftInitialState;
  /** False when this start made the log. */
  readonly cameBack: boolean;
}

/**
 * Recovers a member, or begins one.
 *
 * @throws StartError: what is on disk contradicts itself or the options. WalError: the log cannot be read.
 */
export async function recover(parts: RecoveryParts): Promise<Recovered> {
  const { disk, walDirectory } = parts;
  await disk.makeDirectory(walDirectory);
  const files = await disk.list(walDirectory);
  const hasLog = files.some((name) => name.endsWith('.wal'));
  return hasLog ? comeBack(parts) : begin(parts);
}

/** The first start. */
async function begin(parts: RecoveryParts): Promise<Recovered> {
  const { backends, stateOptions } = parts;
  const cluster = await parts.cluster();
  const isNew = cluster.kind === 'new';
  const memberId = isNew ? cluster.local.id : cluster.memberId;
  const { clusterId } = cluster;
  // Without a log, whatever lies here is of a start that did not come far enough to matter.
  await removeDatabases(backends, await openCandidates(backends));
  const name = databaseName(isNew ? FOUNDING_INDEX : 0);
  await backends.remove(name);
  const database: Database = { name, backend: await backends.open(name) };
  const state = await ReplicatedState.open(database.backend, stateOptions);
  if (isNew) await found(state, database, cluster);
  const { wal } = await openWal({ ...logOptions(parts), metadata: { clusterId, memberId } });
  const databases = new Databases(backends, database);
  const recovered = { clusterId, memberId, wal, databases, state, cameBack: false };
  if (isNew) await markFounding(wal, state);
  return { ...recovered, initial: initialState(state, undefined) };
}

/** Puts the first members in place; the same bytes on each of them. */
async function found(
  state: ReplicatedState,
  { backend }: Database,
  cluster: InitialCluster,
): Promise<void> {
  const confState: ConfState = {
    voters: cluster.members.map(({ id }) => id),
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
  const members = cluster.members.map(({ id, name, peerUrls }) => ({
    id,
    name,
    peerUrls,
    clientUrls: [],
    isLearner: false,
  }));
  state.bootstrap(members, confState);
  state.applyEmpty(FOUNDING_INDEX, FOUNDING_TERM);
  await flushStore(state.store);
  await backend.sync();
}

/** The log of a new cluster begins behind its first state. */
async function markFounding(wal: Wal, state: ReplicatedState): Promise<void> {
  const { confState } = state;
  await wal.append(
    {
      snapshot: { index: FOUNDING_INDEX, term: FOUNDING_TERM, confState },
      entries: [],
      hardState: { term: FOUNDING_TERM, vote: 0n, commit: FOUNDING_INDEX },
    },
    { sync: true },
  );
}

/** Any later start. */
async function comeBack(parts: RecoveryParts): Promise<Recovered> {
  const { backends, log, stateOptions } = parts;
  const candidates = await openCandidates(backends);
  const furthest = Math.max(0, ...candidates.map(({ applied }) => applied));
  let wal: Wal | undefined;
  try {
    const opened = await openWal({
      ...logOptions(parts),
      // A mark's content is in a database that has come at least as far.
      isUsableSnapshot: ({ index }) => index <= furthest,
    });
    wal = opened.wal;
    const recovered = must(opened.recovered, 'content of the log');
    reportRepair(log, recovered);
    const chosen = choose(candidates, recovered, wal);
    await removeDatabases(
      backends,
      candidates.filter((candidate) => candidate !== chosen),
    );
    const state = await ReplicatedState.open(chosen.backend, stateOptions);
    const isFounding = state.appliedIndex === FOUNDING_INDEX && recovered.snapshot === undefined;
    if (isFounding) await markFounding(wal, state);
    log.info('restored state', {
      'applied-index': state.appliedIndex,
      'current-rev': state.store.revision,
      'replayed-entries': recovered.entries.filter(({ index }) => index > state.appliedIndex)
        .length,
    });
    return {
      ...recovered.metadata,
      wal,
      databases: new Databases(backends, chosen),
      state,
      initial: initialState(state, isFounding ? undefined : recovered),
      cameBack: true,
    };
  } catch (error) {
    await wal?.close();
    for (const { backend } of candidates) await backend.close();
    throw error;
  }
}

/** The database that belongs to the log. */
function choose(candidates: readonly Candidate[], recovered: RecoveredLog, wal: Wal): Candidate {
  const { lastIndex } = wal.stats();
  const marked = recovered.snapshot?.index ?? 0;
  const isEmptyLog = lastIndex === 0;
  const chosen = isEmptyLog
    ? candidates.find(({ applied }) => applied <= FOUNDING_INDEX)
    : chooseDatabase(candidates, lastIndex);
  if (chosen === undefined || chosen.applied < marked) {
    const found = candidates.map(({ name, applied }) => `${name} at ${applied}`).join(', ');
    throw new StartError(
      'STATE_LOST',
      `the log holds entries ${marked + 1} to ${lastIndex}, and no database goes with it (${found || 'there is none'}): restore the member's database, or remove the member and add it again`,
    );
  }
  return chosen;
}

function logOptions(parts: RecoveryParts): WalOptions {
  return { disk: parts.disk, directory: parts.walDirectory, ...parts.walOptions };
}

/** What Raft goes on from: the database is its snapshot, and the log is what came after the newest mark. */
function initialState(
  state: ReplicatedState,
  recovered: RecoveredLog | undefined,
): RaftInitialState {
  const { appliedIndex: applied, appliedTerm, confState } = state;
  const founding = { term: applied === 0 ? 0 : FOUNDING_TERM, vote: 0n, commit: applied };
  const hardState = recovered?.hardState ?? founding;
  return {
    hardState: { ...hardState, commit: Math.max(hardState.commit, applied) },
    snapshotIndex: applied,
    snapshotTerm: appliedTerm,
    confState,
    entries: recovered?.entries ?? [],
    applied,
  };
}

function reportRepair(log: Logger, { repaired }: RecoveredLog): void {
  if (repaired === undefined) return;
  log.warn('repaired the end of the log: an unfinished write was cut off', {
    file: repaired.file,
    offset: repaired.offsetBytes,
    'dropped-bytes': repaired.droppedBytes,
    reason: repaired.reason,
  });
}
