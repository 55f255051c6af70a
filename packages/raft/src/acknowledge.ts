import type { LogIndex, NodeId } from './entry.ts';
import type { RaftState } from './state.ts';

/** What an acknowledgement answers. */
interface Acknowledged {
  readonly from: NodeId;
  readonly session: LogIndex;
}

/** Tells the leader that the log matches its own through `index`; leaves when that is durable. */
export function acknowledge(
  raft: RaftState,
  { from: to, session }: Acknowledged,
  index: LogIndex,
): void {
  raft.out.dependent.push({
    type: 'appendResponse',
    from: raft.id,
    to,
    term: raft.term,
    session,
    index,
    rejected: false,
    hintIndex: 0,
    hintTerm: 0,
  });
}
