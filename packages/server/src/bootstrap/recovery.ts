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
import type { ConfState, LogIndex, RaftInitialState, SnapshotMeta } from '@etcd-ts/raft';
import {
  type Disk,
  openWal,
  type RecoveredLog,
  type Wal,
  WalError,
  type WalOptions,
} from '@etcd-ts/wal';
import { ReplicatedState, type ReplicatedStateOptions } from '../apply/replicated-state.ts';
import type { Clock } from '../clock.ts';
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
  readonly clock: Clock;
  readonly log: Logger;
  readonly walOptions: Pick<
    WalOptions,
    'monotonicMs' | 'observer' | 'segmentSizeBytes' | 'maxSegments'
  >;
  readonly stateOptions: ReplicatedStateOptions;
  /** Ids and members of the cluster that the options describe; asked only when there is no log, or no database. */
  readonly cluster: () => Promise<FirstCluster>;
  /** Fetches the state from another member into a new database; asked only when there is none. */
  readonly fetchState: (wanted: WantedState) => Promise<FetchedState>;
}

/** Whose state is wanted, and how new it must be. */
export interface WantedState {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
  readonly minIndex: LogIndex;
}

/** A state that was fetched. */
export interface FetchedState {
  readonly database: Database;
  readonly meta: SnapshotMeta;
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
  const databases = new Databases({ store: backends, clock: parts.clock }, database);
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
  const opened: { wal?: Wal; database?: Database } = {};
  try {
    const { wal, recovered, chosen } = await match(parts, candidates, opened);
    await removeDatabases(
      backends,
      candidates.filter(({ name }) => name !== chosen.name),
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
      databases: new Databases({ store: backends, clock: parts.clock }, chosen),
      state,
      initial: initialState(state, isFounding ? undefined : recovered),
      cameBack: true,
    };
  } catch (error) {
    await opened.wal?.close();
    for (const { backend } of candidates) await backend.close();
    await opened.database?.backend.close();
    throw error;
  }
}

/** A log and the database that belongs to it. */
interface Matched {
  readonly wal: Wal;
  readonly recovered: RecoveredLog;
  readonly chosen: Database;
}

/**
 * Opens the log with the database that belongs to it; where there is none (lost, or too old), makes one of the first
 * members and the whole log, or fetches the state from the other members.
 *
 * @param opened What the caller has to close when this fails.
 */
async function match(
  parts: RecoveryParts,
  candidates: readonly Candidate[],
  opened: { wal?: Wal; database?: Database },
): Promise<Matched> {
  const furthest = Math.max(0, ...candidates.map(({ applied }) => applied));
  // A mark's content is in a database that has come at least as far.
  const usual = await openLog(parts, ({ index }) => index <= furthest);
  if (usual !== undefined) {
    opened.wal = usual.wal;
    const chosen = choose(candidates, usual);
    if (chosen !== undefined) return { ...usual, chosen };
    await usual.wal.close();
    delete opened.wal;
  }
  const whole = await openLog(parts, ({ index }) => index === FOUNDING_INDEX);
  if (whole !== undefined) {
    opened.wal = whole.wal;
    const chosen = await foundAgain(parts, whole.recovered, candidates);
    if (chosen !== undefined) return { ...whole, chosen: (opened.database = chosen) };
    await whole.wal.close();
    delete opened.wal;
  }
  const rest = must(await openLog(parts, () => true), 'log');
  opened.wal = rest.wal;
  return fetchAgain(parts, rest, candidates, opened);
}

/** Opens the log; undefined when none of its marks is usable and it does not go back to its beginning. */
async function openLog(
  parts: RecoveryParts,
  isUsableSnapshot: (mark: SnapshotMeta) => boolean,
): Promise<Omit<Matched, 'chosen'> | undefined> {
  try {
    const { wal, recovered } = await openWal({ ...logOptions(parts), isUsableSnapshot });
    const content = must(recovered, 'content of the log');
    reportRepair(parts.log, content);
    return { wal, recovered: content };
  } catch (error) {
    if (error instanceof WalError && error.code === 'SNAPSHOT_MISSING') return undefined;
    throw error;
  }
}

/** The database that belongs to the log. */
function choose(
  candidates: readonly Candidate[],
  { recovered, wal }: Omit<Matched, 'chosen'>,
): Candidate | undefined {
  const { lastIndex } = wal.stats();
  const marked = recovered.snapshot?.index ?? 0;
  if (lastIndex === 0) return candidates.find(({ applied }) => applied <= FOUNDING_INDEX);
  const chosen = chooseDatabase(candidates, lastIndex);
  return chosen !== undefined && chosen.applied >= marked ? chosen : undefined;
}

/** The first state made anew, when the options still describe this very cluster. */
async function foundAgain(
  parts: RecoveryParts,
  { metadata, snapshot }: RecoveredLog,
  candidates: readonly Candidate[],
): Promise<Database | undefined> {
  if (snapshot?.index !== FOUNDING_INDEX) return undefined;
  const cluster = await parts.cluster();
  const isSame =
    cluster.kind === 'new' &&
    cluster.clusterId === metadata.clusterId &&
    cluster.local.id === metadata.memberId;
  if (!isSame) return undefined;
  await removeDatabases(parts.backends, candidates);
  const name = databaseName(FOUNDING_INDEX);
  await parts.backends.remove(name);
  const database: Database = { name, backend: await parts.backends.open(name) };
  const state = await ReplicatedState.open(database.backend, parts.stateOptions);
  await found(state, database, cluster);
  parts.log.warn('the database was lost: it is made again from the whole log', { database: name });
  return database;
}

/** The state as another member has it now, which is at least as new as the log's newest mark. */
async function fetchAgain(
  parts: RecoveryParts,
  { wal, recovered }: Omit<Matched, 'chosen'>,
  candidates: readonly Candidate[],
  opened: { database?: Database },
): Promise<Matched> {
  const { metadata, snapshot, entries } = recovered;
  const marked = snapshot?.index ?? 0;
  const found = candidates.map(({ name, applied }) => `${name} at ${applied}`).join(', ');
  const { lastIndex } = wal.stats();
  const lost = `the log holds entries ${marked + 1} to ${lastIndex}, and no database goes with it (${found || 'there is none'})`;
  parts.log.warn('the database was lost: its state is fetched from the other members', {
    reason: lost,
  });
  const fetched = await parts.fetchState({ ...metadata, minIndex: marked }).catch((cause) => {
    const advice = 'restore the database, or remove the member and add it again';
    throw new StartError('STATE_LOST', `${lost}: ${advice}`, { cause });
  });
  opened.database = fetched.database;
  const { meta } = fetched;
  const { hardState } = recovered;
  const commit = Math.max(hardState.commit, meta.index);
  // Where the log holds this entry it goes on; otherwise it begins anew behind the state.
  const goesOn = entries.some(({ index, term }) => index === meta.index && term === meta.term);
  await wal.append(
    { snapshot: meta, entries: [], hardState: { ...hardState, commit } },
    { sync: true },
  );
  return {
    wal,
    chosen: fetched.database,
    recovered: {
      metadata,
      snapshot: meta,
      hardState: { ...hardState, commit },
      entries: goesOn ? entries.filter(({ index }) => index > meta.index) : [],
    },
  };
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
