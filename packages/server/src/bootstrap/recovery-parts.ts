/** What recovery works on, and what it may ask for. */
import type { ClusterId, MemberId } from '@etcd-ts/base';
import type { LogIndex, SnapshotMeta } from '@etcd-ts/raft';
import type { Disk, WalOptions } from '@etcd-ts/wal';
import type { ReplicatedStateOptions } from '../apply/replicated-state.ts';
import type { Clock } from '../clock.ts';
import type { BackendStore } from '../env.ts';
import type { Logger } from '../logger.ts';
import type { Database } from '../state/databases.ts';
import type { InitialCluster } from './initial-cluster.ts';

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
  /**
   * Asked before anything is made where there is no log.
   *
   * @throws StartError STATE_LOST: this member was there before, and has lost its log.
   */
  readonly checkIsNew: (cluster: FirstCluster) => Promise<void>;
  /** Everybody else is lost: go on alone. Counts only when there is a log. */
  readonly isForcedAlone: boolean;
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
  | {
      readonly kind: 'existing';
      readonly clusterId: ClusterId;
      readonly memberId: MemberId;
      readonly wasThere: boolean;
    };

/** How the log is opened. */
export function logOptions(parts: RecoveryParts): WalOptions {
  return { disk: parts.disk, directory: parts.walDirectory, ...parts.walOptions };
}
