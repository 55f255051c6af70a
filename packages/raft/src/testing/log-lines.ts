import type { LogIndex, NodeId, SnapshotMeta, Term, TraceEvent, VoteType } from '../index.ts';
import { shownTerm } from './bootstrap.ts';
import { describeConfig } from './describe.ts';
import type { LogLevel } from './output.ts';
import { describeProgress } from './progress-text.ts';
import { toWire } from './wire-encode.ts';

/** A line of etcd's log. */
export interface LogLine {
  readonly level: LogLevel;
  readonly text: string;
}

/** etcd's own cursors at the moment of an event; its line about a snapshot prints them. */
export interface LogCursors {
  readonly committed: LogIndex;
  readonly applied: LogIndex;
  readonly applying: LogIndex;
  readonly offset: LogIndex;
  readonly offsetInProgress: LogIndex;
  readonly length: number;
}

const hex = (id: NodeId): string => id.toString(16);
const debug = (text: string): readonly LogLine[] => [{ level: 'debug', text }];
const info = (text: string): readonly LogLine[] => [{ level: 'info', text }];
const warn = (text: string): readonly LogLine[] => [{ level: 'warn', text }];

const VOTE_TYPES: Readonly<Record<VoteType, string>> = { vote: 'MsgVote', preVote: 'MsgPreVote' };

function position(index: LogIndex, term: Term): string {
  return `[logterm: ${shownTerm(term, index)}, index: ${index}]`;
}

function snapshotAt(snapshot: SnapshotMeta): string {
  return `snapshot [index: ${snapshot.index}, term: ${shownTerm(snapshot.term, snapshot.index)}]`;
}

/** What etcd logs when our core decides the same; nothing where etcd decides no such thing. */
export function logLines(
  id: NodeId,
  term: Term,
  cursors: () => LogCursors,
  event: TraceEvent,
): readonly LogLine[] {
  return (
    electionLines(id, event) ??
    replicationLines(id, cursors, event) ??
    leadershipLines(id, term, event) ??
    []
  );
}

type VoteDecided = TraceEvent & { readonly type: 'voteDecided' };

function voteDecidedLine(id: NodeId, event: VoteDecided): readonly LogLine[] {
  const { message, term } = event;
  const own = `[logterm: ${shownTerm(event.lastTerm, event.lastIndex)}, index: ${event.lastIndex}, vote: ${hex(event.voted)}]`;
  const name = VOTE_TYPES[message.type];
  const theirs = position(message.lastIndex, message.lastTerm);
  const verb = { cast: 'cast', rejected: 'rejected', ignored: 'ignored' }[event.decision];
  const whom = event.decision === 'cast' ? 'for' : 'from';
  const line = `${hex(id)} ${own} ${verb} ${name} ${whom} ${hex(message.from)} ${theirs} at term ${term}`;
  if (event.decision !== 'ignored') return info(line);
  return info(`${line}: lease is not expired (remaining ticks: ${event.remainingTicks})`);
}

/** Lines about terms, votes and roles; undefined for an event of another kind. */
function electionLines(id: NodeId, event: TraceEvent): readonly LogLine[] | undefined {
  const n = hex(id);
  switch (event.type) {
    case 'switchedConfig':
      return info(`${n} switched to configuration ${describeConfig(event.confState)}`);
    case 'becameFollower':
      return info(`${n} became follower at term ${event.term}`);
    case 'becamePreCandidate':
      return info(`${n} became pre-candidate at term ${event.term}`);
    case 'becameCandidate':
      return info(`${n} became candidate at term ${event.term}`);
    case 'becameLeader':
      return info(`${n} became leader at term ${event.term}`);
    case 'unpromotable':
      return warn(`${n} is unpromotable and can not campaign`);
    case 'campaignRefused':
      return warn(
        `${n} cannot campaign since there are still ${event.unappliedChanges} pending configuration changes to apply`,
      );
    case 'electionStarted':
      return info(`${n} is starting a new election at term ${event.term}`);
    case 'ownVoteRequested':
      return [];
    case 'voteRequested':
      return info(
        `${n} ${position(event.lastIndex, event.lastTerm)} sent ${VOTE_TYPES[event.vote]} request ` +
          `to ${hex(event.peer)} at term ${event.term}`,
      );
    case 'voteReceived':
      return info(
        `${n} received ${VOTE_TYPES[event.vote]}Resp${event.rejected ? ' rejection' : ''} ` +
          `from ${hex(event.peer)} at term ${event.term}`,
      );
    case 'votesCounted':
      return info(
        `${n} has received ${event.granted} ${VOTE_TYPES[event.vote]}Resp votes ` +
          `and ${event.rejected} vote rejections`,
      );
    case 'voteDecided':
      return voteDecidedLine(id, event);
    case 'higherTerm':
      return info(
        `${n} [term: ${event.term}] received a ${toWire(event.message).type} message ` +
          `with higher term from ${hex(event.message.from)} [term: ${event.message.term}]`,
      );
    case 'lowerTermIgnored':
      return info(
        `${n} [term: ${event.term}] ignored a ${toWire(event.message).type} message ` +
          `with lower term from ${hex(event.message.from)} [term: ${event.message.term}]`,
      );
    case 'quorumInactive':
      return warn(`${n} stepped down to follower since quorum is not active`);
    default:
      return undefined;
  }
}

/** Lines about appends and snapshots; undefined for an event of another kind. */
function replicationLines(
  id: NodeId,
  cursors: () => LogCursors,
  event: TraceEvent,
): readonly LogLine[] | undefined {
  const n = hex(id);
  switch (event.type) {
    case 'conflict':
      return info(
        `found conflict at index ${event.index} ` +
          `[existing term: ${event.existingTerm}, conflicting term: ${event.conflictingTerm}]`,
      );
    case 'appendRejected':
      return debug(
        `${n} [logterm: ${event.ownTerm}, index: ${event.index}] rejected MsgApp ` +
          `${position(event.index, event.messageTerm)} from ${hex(event.peer)}`,
      );
    case 'rejectionReceived':
      return debug(
        `${n} received MsgAppResp(rejected, hint: (index ${event.hintIndex}, term ` +
          `${shownTerm(event.hintTerm, event.hintIndex)})) from ${hex(event.peer)} for index ${event.index}`,
      );
    case 'progressDecreased':
      return debug(
        `${n} decreased progress of ${hex(event.peer)} to [${describeProgress(event.progress)}]`,
      );
    case 'snapshotRestoring':
      return info(restoringLine(cursors(), event.snapshot));
    case 'snapshotRestored':
      return [
        ...info(
          `${n} [commit: ${event.commit}, lastindex: ${event.snapshot.index}, lastterm: ` +
            `${event.snapshot.term}] restored ${snapshotAt(event.snapshot)}`,
        ),
        ...info(`${n} [commit: ${event.commit}] restored ${snapshotAt(event.snapshot)}`),
      ];
    case 'snapshotIgnored':
      return info(`${n} [commit: ${event.commit}] ignored ${snapshotAt(event.snapshot)}`);
    case 'snapshotFastForwarded':
      return info(
        `${n} [commit: ${event.commit}] fast-forwarded commit to ${snapshotAt(event.snapshot)}`,
      );
    default:
      return peerLines(id, event);
  }
}

function restoringLine(cursors: LogCursors, snapshot: SnapshotMeta): string {
  const { committed, applied, applying, offset, offsetInProgress, length } = cursors;
  return (
    `log [committed=${committed}, applied=${applied}, applying=${applying}, ` +
    `unstable.offset=${offset}, unstable.offsetInProgress=${offsetInProgress}, ` +
    `len(unstable.Entries)=${length}] starts to restore ${snapshotAt(snapshot)}`
  );
}

/** Lines about a leader's view of one peer; undefined for an event of another kind. */
function peerLines(id: NodeId, event: TraceEvent): readonly LogLine[] | undefined {
  const n = hex(id);
  switch (event.type) {
    case 'snapshotSent':
      return debug(
        `${n} [firstindex: ${event.firstIndex}, commit: ${event.commit}] sent snapshot` +
          `[index: ${event.snapshot.index}, term: ${event.snapshot.term}] to ` +
          `${hex(event.peer)} [${describeProgress(event.progress)}]`,
      );
    case 'peerPaused':
      return debug(
        `${n} paused sending replication messages to ${hex(event.peer)} ` +
          `[${describeProgress(event.progress)}]`,
      );
    case 'peerRecovered':
      return debug(
        `${n} recovered from needing snapshot, resumed sending replication messages to ` +
          `${hex(event.peer)} [${describeProgress(event.progress)}]`,
      );
    case 'snapshotReported':
      return debug(
        `${n} snapshot ${event.ok ? 'succeeded' : 'failed'}, resumed sending replication ` +
          `messages to ${hex(event.peer)} [${describeProgress(event.progress)}]`,
      );
    case 'peerUnreachable':
      return debug(
        `${n} failed to send message to ${hex(event.peer)} because it is unreachable ` +
          `[${describeProgress(event.progress)}]`,
      );
    case 'staleSession':
      return debug(`${n} ignored an answer of session ${event.session} from ${hex(event.peer)}`);
    default:
      return undefined;
  }
}

/** Lines about changes, transfers and forgotten leaders; undefined for an event of another kind. */
function leadershipLines(
  id: NodeId,
  term: Term,
  event: TraceEvent,
): readonly LogLine[] | undefined {
  const n = hex(id);
  switch (event.type) {
    case 'leavingJoint':
      return info(
        'initiating automatic transition out of joint configuration ' +
          describeConfig(event.confState),
      );
    case 'transferStarted':
      return info(`${n} [term ${term}] starts to transfer leadership to ${hex(event.target)}`);
    case 'timeoutNowSent':
      return info(
        event.immediately
          ? `${n} sends MsgTimeoutNow to ${hex(event.target)} immediately as ` +
              `${hex(event.target)} already has up-to-date log`
          : `${n} sent MsgTimeoutNow to ${hex(event.target)} after received MsgAppResp`,
      );
    case 'timeoutNowReceived':
      return info(
        `${n} [term ${term}] received MsgTimeoutNow from ${hex(event.peer)} ` +
          'and starts an election to get leadership.',
      );
    case 'forgettingLeader':
      return info(`${n} forgetting leader ${hex(event.leader)} at term ${term}`);
    case 'forgetLeaderRefused':
      return [{ level: 'error', text: 'ignoring MsgForgetLeader due to ReadOnlyLeaseBased' }];
    default:
      return undefined;
  }
}
