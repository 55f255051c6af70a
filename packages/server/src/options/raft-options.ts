/** The rhythm of elections, and how much of the log stays. */
import { StartError } from '../start-error.ts';
import { type Range, resolveNumbers } from './numbers.ts';

/** Elections and the log behind them. */
export interface RaftOptions {
  /**
   * `raft`, or `single-writer`: the same log and state without elections and replication, for exactly one member.
   * @defaultValue 'raft'
   */
  readonly engine?: 'raft' | 'single-writer';
  /** A Raft tick, and a leader's heartbeat. etcd --heartbeat-interval. @defaultValue 100 */
  readonly heartbeatIntervalMs?: number;
  /** Without a leader for so long a member campaigns; ≥ 5 heartbeats. etcd --election-timeout. @defaultValue 1000 */
  readonly electionTimeoutMs?: number;
  /**
   * Let most of the first election timeout count as passed at the start, so that a leader is found sooner.
   * etcd --initial-election-tick-advance. @defaultValue true
   */
  readonly initialElectionTickAdvance?: boolean;
  /** Ask before campaigning. etcd --pre-vote. @defaultValue true */
  readonly preVote?: boolean;
  /** Entries applied between two marks behind which the log may be dropped. etcd --snapshot-count. @defaultValue 10000 */
  readonly snapshotCount?: number;
  /** Entries kept behind a mark for slow followers. etcd --snapshot-catchup-entries. @defaultValue 5000 */
  readonly snapshotCatchUpEntries?: number;
}

/** Longest election timeout (etcd embed/config.go, maxElectionMs). */
export const MAX_ELECTION_TIMEOUT_MS = 50_000;

const NUMBERS = {
  heartbeatIntervalMs: [100, 0, Number.MAX_SAFE_INTEGER],
  electionTimeoutMs: [1_000, 0, Number.MAX_SAFE_INTEGER],
  snapshotCount: [10_000, 1, Number.MAX_VALUE],
  snapshotCatchUpEntries: [5_000, 0, Number.MAX_VALUE],
} as const satisfies Record<string, Range>;

/** Completes and checks. @throws StartError BAD_OPTION in etcd's words. */
export function resolveRaft(given: RaftOptions): Required<RaftOptions> {
  const resolved = {
    engine: given.engine ?? 'raft',
    preVote: given.preVote ?? true,
    initialElectionTickAdvance: given.initialElectionTickAdvance ?? true,
    ...resolveNumbers(given, NUMBERS),
  };
  checkTimes(resolved);
  return resolved;
}

/** The relations that etcd checks (embed/config.go, Validate). */
function checkTimes(times: Required<RaftOptions>): void {
  const { heartbeatIntervalMs: heartbeat, electionTimeoutMs: election } = times;
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
