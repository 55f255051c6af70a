/** Who belongs to the cluster, and how it may change. */
import {
  advertisedProblem,
  formatInitialCluster,
  initialCluster,
  parseInitialCluster,
} from '../bootstrap/initial-cluster.ts';
import { StartError } from '../start-error.ts';
import type { ResolvedMemberOptions } from './member-options.ts';
import { MAX_TIMER_MS } from '@etcd-ts/protocol';
import { type Range, resolveNumbers } from './numbers.ts';

/** Founding, joining, changing. */
export interface ClusterOptions {
  /** First members, as `name=url,name=url` or by name. Only the first start reads it. @defaultValue this one alone */
  readonly initialCluster?: string | Readonly<Record<string, string | readonly string[]>>;
  /** `new` founds the cluster, `existing` joins one that already knows this member. @defaultValue 'new' */
  readonly initialClusterState?: 'new' | 'existing';
  /** Goes into all ids, so that clusters cannot mix. @defaultValue 'etcd-cluster' */
  readonly initialClusterToken?: string;
  /** How often it is looked whether a downgrade can go on. etcd --downgrade-check-time. @defaultValue 5000 */
  readonly downgradeCheckTimeMs?: number;
  /**
   * Make a cluster of this member alone, with the data that it has: for the loss of a quorum, and for one start only.
   * etcd --force-new-cluster. @defaultValue false
   */
  readonly forceNewCluster?: boolean;
  /** Learners that the cluster may have. etcd --max-learners. @defaultValue 1 */
  readonly maxLearners?: number;
  /**
   * Whether changes of the membership that could cost the quorum are refused.
   * etcd --strict-reconfig-check. @defaultValue true
   */
  readonly strictReconfigCheck?: boolean;
}

/** {@link ClusterOptions}, complete. */
export interface ResolvedClusterOptions extends Required<Omit<ClusterOptions, 'initialCluster'>> {
  /** Peer URLs by name. */
  readonly initialCluster: ReadonlyMap<string, readonly string[]>;
  /**
   * What is wrong with them; they are this member alone then, unless it is only that the advertised URLs are written
   * otherwise. Counts only where there is no data yet.
   */
  readonly initialClusterProblem: StartError | undefined;
}

const NUMBERS = {
  maxLearners: [1, 0, 1_000],
  downgradeCheckTimeMs: [5_000, 1, MAX_TIMER_MS],
} as const satisfies Record<string, Range>;

/** Completes and checks. @throws StartError BAD_OPTION in etcd's words. */
export function resolveCluster(
  given: ClusterOptions,
  member: ResolvedMemberOptions,
): ResolvedClusterOptions {
  const token = given.initialClusterToken ?? 'etcd-cluster';
  const state = given.initialClusterState ?? 'new';
  if (state !== 'new' && state !== 'existing') {
    throw new StartError('BAD_OPTION', `unexpected clusterState "${String(state)}"`);
  }
  return {
    ...firstMembers(given, member, token),
    initialClusterState: state,
    initialClusterToken: token,
    forceNewCluster: given.forceNewCluster ?? false,
    strictReconfigCheck: given.strictReconfigCheck ?? true,
    ...resolveNumbers(given, NUMBERS),
  };
}

/** A later start does not read them: what is wrong with them counts only where there is no data. */
function firstMembers(
  given: ClusterOptions,
  { name, initialAdvertisePeerUrls: advertisePeerUrls }: ResolvedMemberOptions,
  token: string,
): Pick<ResolvedClusterOptions, 'initialCluster' | 'initialClusterProblem'> {
  try {
    const cluster = membersOf(given.initialCluster, name, advertisePeerUrls);
    // Throws when the members contradict the local name or one another.
    initialCluster({ name, token, cluster });
    const problem = advertisedProblem({ name, cluster, advertisePeerUrls });
    return { initialCluster: cluster, initialClusterProblem: problem };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return {
      initialCluster: new Map([[name, advertisePeerUrls]]),
      initialClusterProblem: error,
    };
  }
}

/** How an error message shows the first members. */
export function clusterText({ initialCluster: cluster }: ResolvedClusterOptions): string {
  return formatInitialCluster(cluster);
}

function membersOf(
  given: ClusterOptions['initialCluster'],
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
