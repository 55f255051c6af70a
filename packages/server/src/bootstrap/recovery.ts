/**
 * From what is on disk to a node that can go on: three beginnings (a new cluster, a member that joins one, a member
 * that comes back), one result.
 *
 * What always holds
 * - What is on disk decides; the initial options count only when there is no log.
 * - A log is made last, when the database holds the cluster's first state: without a log nothing was promised to
 *   anyone, and the next start begins anew.
 * - A member that comes back replays exactly the entries after its database's position.
 * - Nothing is removed or changed before everything was read and found consistent, and what it goes on with is durable.
 */
import { type ClusterId, endAll, type MemberId } from '@etcd-ts/base';
import type { RaftInitialState } from '@etcd-ts/raft';
import { openWal, type RecoveredLog, type Wal } from '@etcd-ts/wal';
import { ReplicatedState, type ReplicatedStateOptions } from '../apply/replicated-state.ts';
import type { BackendStore } from '../env.ts';
import { StartError } from '../start-error.ts';
import {
  type Candidate,
  type Database,
  databaseName,
  Databases,
  openCandidates,
  removeDatabases,
} from '../state/databases.ts';
import {
  found,
  type Founded,
  FOUNDING_INDEX,
  FOUNDING_TERM,
  markFounding,
  RESTORED_DATABASE,
} from './founding.ts';
import { goOnAlone } from './lone-cluster.ts';
import { match, type Matched } from './match.ts';
import { logOptions, type RecoveryParts } from './recovery-parts.ts';

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
  await parts.checkIsNew(cluster);
  const isNew = cluster.kind === 'new';
  const memberId = isNew ? cluster.local.id : cluster.memberId;
  const { clusterId } = cluster;
  await clearFirstState(parts);
  const { database, state } = isNew
    ? await found(backends, stateOptions, cluster)
    : await empty(backends, stateOptions);
  const opened: { wal?: Wal } = {};
  try {
    const { wal } = await openWal({ ...logOptions(parts), metadata: { clusterId, memberId } });
    opened.wal = wal;
    const databases = new Databases({ store: backends, clock: parts.clock }, database);
    const recovered = { clusterId, memberId, wal, databases, state, cameBack: false };
    if (isNew) await markFounding(wal, state);
    return { ...recovered, initial: initialState(state, undefined) };
  } catch (error) {
    await letGo(opened.wal, [database]);
    throw error;
  }
}

/** Closes what was opened in vain. What comes of that is not why the start fails. */
async function letGo(wal: Wal | undefined, databases: readonly Database[]): Promise<void> {
  const steps = databases.map(
    ({ backend }) =>
      (): Promise<void> =>
        backend.close(),
  );
  await endAll(() => wal?.close(), ...steps).catch(() => undefined);
}

/**
 * Removes what a start left that did not come far enough to make a log. Anything more is somebody's data.
 *
 * @throws StartError CORRUPT_DATA when there is more.
 */
async function clearFirstState({ backends, log, walDirectory }: RecoveryParts): Promise<void> {
  const { candidates, damaged } = await openCandidates(backends, log);
  const more = candidates.find(
    ({ name, applied }) => applied > FOUNDING_INDEX || name === RESTORED_DATABASE,
  );
  if (more === undefined && damaged.length === 0) return removeDatabases(backends, candidates);
  for (const { backend } of candidates) await backend.close();
  if (more?.name === RESTORED_DATABASE) {
    throw new StartError(
      'CORRUPT_DATA',
      `the database ${more.name} is of a restore, and there is no log in ${walDirectory}: the restore did not come to its end, or the log was moved, or lost`,
    );
  }
  const found =
    more === undefined
      ? `the database ${damaged[0]} is damaged`
      : `the database ${more.name} holds entries through ${more.applied}`;
  throw new StartError(
    'CORRUPT_DATA',
    `${found}, and there is no log in ${walDirectory}: it was moved, or lost`,
  );
}

/** A member that joins knows nothing yet. */
async function empty(
  backends: BackendStore,
  stateOptions: ReplicatedStateOptions,
): Promise<Founded> {
  const name = databaseName(0);
  await backends.remove(name);
  const backend = await backends.open(name);
  try {
    const state = await ReplicatedState.open(backend, stateOptions);
    return { database: { name, backend }, state };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** A log, the database that goes with it, and the state in it. */
interface Restored extends Matched {
  readonly state: ReplicatedState;
}

/** Any later start. */
async function comeBack(parts: RecoveryParts): Promise<Recovered> {
  const { backends, log } = parts;
  const { candidates, damaged } = await openCandidates(backends, log);
  const opened: { wal?: Wal; database?: Database } = {};
  try {
    const { wal, recovered, chosen, state } = await restore(parts, candidates, opened);
    const others = candidates.filter(({ name }) => name !== chosen.name);
    const gone = damaged.filter((name) => name !== chosen.name);
    // What a process wrote and never synced is still there after its end, but not after a power failure.
    if (others.length + gone.length > 0) await chosen.backend.sync();
    await removeDatabases(backends, others);
    for (const name of gone) await backends.remove(name);
    const isFounding = state.appliedIndex === FOUNDING_INDEX && recovered.snapshot === undefined;
    if (isFounding) await markFounding(wal, state);
    const { memberId } = recovered.metadata;
    const kept = parts.isForcedAlone
      ? await goOnAlone({ memberId, wal, recovered, state, log })
      : recovered;
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
      initial: initialState(state, isFounding && kept === recovered ? undefined : kept),
      cameBack: true,
    };
  } catch (error) {
    const { wal, database } = opened;
    await letGo(wal, database === undefined ? candidates : [...candidates, database]);
    throw error;
  }
}

/**
 * Opens the state of the database that goes with the log. One that turns out to be damaged (a power cut took a batch from
 * its middle, say) counts as lost, and the next best is taken, or another is made.
 */
async function restore(
  parts: RecoveryParts,
  candidates: readonly Candidate[],
  opened: { wal?: Wal; database?: Database },
): Promise<Restored> {
  for (let left = candidates; ;) {
    const matched = await match(parts, left, opened);
    const { chosen } = matched;
    const wasThere = left.some(({ name }) => name === chosen.name) && opened.database === undefined;
    try {
      const state = await ReplicatedState.open(chosen.backend, parts.stateOptions);
      return { ...matched, state };
    } catch (error) {
      if (!wasThere) throw error;
      parts.log.warn('the database is damaged, and counts as lost', {
        database: chosen.name,
        error,
      });
    }
    left = left.filter(({ name }) => name !== chosen.name);
    await matched.wal.close();
    delete opened.wal;
    // Whatever is made now may take its name.
    await chosen.backend.close();
  }
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
