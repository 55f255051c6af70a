/** The first state of a cluster, which every first member makes for itself: the same bytes on each of them. */
import { type Backend, flushStore } from '@etcd-ts/mvcc';
import type { ConfState } from '@etcd-ts/raft';
import type { Wal } from '@etcd-ts/wal';
import { ReplicatedState, type ReplicatedStateOptions } from '../apply/replicated-state.ts';
import type { BackendStore } from '../env.ts';
import { type Database, databaseName } from '../state/databases.ts';
import type { InitialCluster } from './initial-cluster.ts';

/** Position of a new cluster's first state: like a snapshot that every first member was born with. */
export const FOUNDING_INDEX = 1;
/**
 * The database that a backup is restored to, wherever in the log it stands: a first start makes none of this name, and so
 * never takes what a restore has left for its own.
 */
export const RESTORED_DATABASE: string = databaseName(FOUNDING_INDEX + 1);
/** The first state's term. */
export const FOUNDING_TERM = 1;

/** A database that holds the first state, and the state itself. */
export interface Founded {
  readonly database: Database;
  readonly state: ReplicatedState;
}

/** Makes the first state in a new database; it is durable when this resolves. */
export async function found(
  backends: BackendStore,
  stateOptions: ReplicatedStateOptions,
  cluster: InitialCluster,
): Promise<Founded> {
  const name = databaseName(FOUNDING_INDEX);
  await backends.remove(name);
  const backend = await backends.open(name);
  try {
    return { database: { name, backend }, state: await firstState(backend, stateOptions, cluster) };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

async function firstState(
  backend: Backend,
  stateOptions: ReplicatedStateOptions,
  cluster: InitialCluster,
): Promise<ReplicatedState> {
  const state = await ReplicatedState.open(backend, stateOptions);
  const confState: ConfState = {
    voters: cluster.members.map(({ id }) => id),
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
  const members = cluster.members.map(({ id, name: memberName, peerUrls }) => ({
    id,
    name: memberName,
    peerUrls,
    clientUrls: [],
    isLearner: false,
  }));
  state.bootstrap(members, confState);
  state.applyEmpty(FOUNDING_INDEX, FOUNDING_TERM);
  await flushStore(state.store);
  await backend.sync();
  return state;
}

/** The log of a new cluster begins behind its first state. */
export async function markFounding(wal: Wal, state: ReplicatedState): Promise<void> {
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
