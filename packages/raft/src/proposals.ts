/** Proposals at a leader: what is taken into the log, what is refused, and why. */
import type { Refusal } from './effect.ts';
import {
  type CommandPayload,
  type ConfigPayload,
  type LogIndex,
  NO_NODE,
  type Payload,
  type Token,
} from './entry.ts';
import { payloadBytes } from './log.ts';
import type { ChangeConfigInput, Proposal } from './input.ts';
import { forwardLater } from './forward.ts';
import { appendChange, whyNotChange } from './membership.ts';
import { appendPayloads, broadcastAppend } from './replication.ts';
import type { RaftState } from './state.ts';

/** Why a payload is not taken. */
export interface Refused {
  readonly reason: Refusal;
  readonly detail?: string;
}

/** Why this leader takes no proposal at all; undefined when it does. */
function whyNotLeading(raft: RaftState): Refused | undefined {
  // A leader that is no member any more only finishes what it began.
  if (raft.peer(raft.id) === undefined) return { reason: 'notMember' };
  if (raft.transferTarget !== NO_NODE) return { reason: 'transferring' };
  return undefined;
}

/** True when the payload fits the uncommitted log; into an empty one everything does. */
function fits(raft: RaftState, payload: Payload): boolean {
  const { uncommittedBytes } = raft.log;
  return (
    uncommittedBytes === 0 ||
    uncommittedBytes + payloadBytes(payload) <= raft.config.maxUncommittedBytes
  );
}

/** Takes a payload into the leader's log; its index, or why not. */
export function admit(
  raft: RaftState,
  payload: CommandPayload | ConfigPayload,
): { readonly index: LogIndex } | Refused {
  const refused = whyNotLeading(raft);
  if (refused !== undefined) return refused;
  if (payload.kind === 'config') {
    const reason = whyNotChange(raft, payload.change);
    if (reason !== undefined) return reason;
  }
  if (!fits(raft, payload)) return { reason: 'full' };
  broadcastAppend(raft);
  if (payload.kind === 'config') return { index: appendChange(raft, payload.change) };
  return { index: appendPayloads(raft, [payload]) };
}

/** A caller proposes commands. */
export function handlePropose(raft: RaftState, proposals: readonly Proposal[]): void {
  if (raft.role !== 'leader') {
    for (const { token, data } of proposals) forwardLater(raft, token, { kind: 'command', data });
    return;
  }
  const refused = whyNotLeading(raft);
  const { log, term, out } = raft;
  const first = log.lastIndex + 1;
  const accepted: Token[] = [];
  for (const { token, data } of proposals) {
    const payload: CommandPayload = { kind: 'command', data };
    if (refused !== undefined || !fits(raft, payload)) {
      refuse(raft, token, refused ?? { reason: 'full' });
      continue;
    }
    const index = log.lastIndex + 1;
    log.append({ index, term, payload });
    accepted.push(token);
    out.report(token, { kind: 'accepted', index, term });
  }
  if (accepted.length === 0) return;
  raft.outcomes.track(first, term, accepted, (token, outcome) => out.report(token, outcome));
  broadcastAppend(raft);
}

/** A caller proposes a membership change. */
export function handleChangeConfig(
  raft: RaftState,
  { token, change, inTerm }: ChangeConfigInput,
): void {
  const payload: ConfigPayload = { kind: 'config', change };
  const isLeader = raft.role === 'leader';
  if (inTerm !== undefined && (!isLeader || raft.term !== inTerm)) {
    refuse(raft, token, { reason: 'notLeader' });
    return;
  }
  if (!isLeader) {
    forwardLater(raft, token, payload);
    return;
  }
  const result = admit(raft, payload);
  if ('reason' in result) {
    refuse(raft, token, result);
    return;
  }
  const { term, out } = raft;
  const { index } = result;
  out.report(token, { kind: 'accepted', index, term });
  raft.outcomes.track(index, term, [token], (waiting, outcome) => out.report(waiting, outcome));
}

/** Tells the caller that nothing was done. */
export function refuse(raft: RaftState, token: Token, { reason, detail }: Refused): void {
  const { leader } = raft;
  const more = detail === undefined ? {} : { detail };
  raft.out.report(token, { kind: 'refused', reason, leader, ...more });
}
