/** Making a core's state of what its driver recovered (thesis §3.8). */
import type { RaftInitialState, ResolvedConfig } from './config.ts';
import { type Entry, type LogIndex, NO_NODE, type Term } from './entry.ts';
import { RaftLog } from './log.ts';
import { applyChanges } from './membership.ts';
import { Outbox } from './outbox.ts';
import { becomeFollower } from './roles.ts';
import { RaftState } from './state.ts';
import type { TraceSink } from './trace.ts';

/**
 * Makes the state of a node that starts: a follower that knows no leader.
 *
 * @throws RangeError when the parts of the initial state contradict each other.
 */
export function initialState(
  config: ResolvedConfig,
  initial: RaftInitialState,
  trace: TraceSink | undefined,
): RaftState {
  const { hardState, snapshotIndex: index, snapshotTerm: term, confState } = initial;
  const log = recoverLog(initial);
  const { lastIndex } = log;
  checkApplied(initial, lastIndex);
  const raft = new RaftState(config, log, { index, term, confState });
  raft.trace = trace;
  raft.useConf(confState, index);
  trace?.({ type: 'switchedConfig', confState });
  const mayHavePromised = config.readMode === 'lease' && hardState.term > 0;
  raft.promiseEndsTick = mayHavePromised ? config.electionTimeoutTicks : 0;
  // A hard state that was torn off behind entries of a newer term: the term is in the log.
  raft.term = Math.max(hardState.term, initial.entries.at(-1)?.term ?? 0);
  raft.vote = raft.term === hardState.term ? hardState.vote : NO_NODE;
  log.commitTo(Math.min(lastIndex, Math.max(hardState.commit, initial.applied, implied(log))));
  log.applying = initial.applied;
  log.applied = initial.applied;
  applyChanges(raft, index, initial.applied);
  // The driver heard of these changes before it went down.
  raft.out = new Outbox();
  becomeFollower(raft, raft.term, NO_NODE);
  raft.handedHard = hardState;
  raft.handedRole = { term: raft.term, role: 'follower', leader: NO_NODE };
  if (hardState.commit > lastIndex) {
    const detail = `the log ends at ${lastIndex}, but ${hardState.commit} was committed: entries are lost`;
    raft.out.notice('logRegressed', raft.id, detail);
  }
  return raft;
}

/** A leader takes a change only when it has applied the one before: all changes but the last are committed. */
function implied(log: RaftLog): LogIndex {
  return log.configIndexes.at(-2) ?? 0;
}

function checkApplied({ applied, snapshotIndex }: RaftInitialState, lastIndex: LogIndex): void {
  if (applied >= snapshotIndex && applied <= lastIndex) return;
  throw new RangeError(
    `applied index must be from ${snapshotIndex} (the snapshot) to ${lastIndex} (the log's end): ${applied}`,
  );
}

/** The log behind the snapshot, with as many entries before it as were kept. */
function recoverLog({ snapshotIndex, snapshotTerm, entries }: RaftInitialState): RaftLog {
  checkEntries(entries, snapshotIndex);
  const covering = entries.find((entry) => entry.index === snapshotIndex);
  const first = entries[0];
  if (first === undefined || covering?.term !== snapshotTerm || first.index > snapshotIndex) {
    const log = new RaftLog(snapshotIndex, snapshotTerm);
    // Behind a snapshot that the log disagrees with, nothing follows on it.
    const follows = covering === undefined || covering.term === snapshotTerm;
    if (follows) for (const entry of entries) if (entry.index > snapshotIndex) log.append(entry);
    return markDurable(log);
  }
  // The first entry is the boundary, since the term before it is unknown; nothing is before index 1.
  const log = first.index === 1 ? new RaftLog(0, 0) : new RaftLog(first.index, first.term);
  for (const entry of entries) if (entry.index > log.lastIndex) log.append(entry);
  log.commitTo(snapshotIndex);
  return markDurable(log);
}

function markDurable(log: RaftLog): RaftLog {
  log.handed = log.lastIndex;
  log.durable = log.lastIndex;
  return log;
}

function checkEntries(entries: readonly Entry[], snapshotIndex: LogIndex): void {
  let expected: LogIndex | undefined;
  let term: Term = 0;
  for (const entry of entries) {
    if ((expected !== undefined && entry.index !== expected) || entry.term < term) {
      throw new RangeError(
        `entry (${entry.index}, ${entry.term}) does not follow index ${expected}`,
      );
    }
    expected = entry.index + 1;
    term = entry.term;
  }
  const first = entries[0];
  if (first === undefined || first.index <= snapshotIndex + 1) return;
  throw new RangeError(`the log begins at ${first.index}, behind the snapshot at ${snapshotIndex}`);
}
