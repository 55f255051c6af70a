/**
 * Proposals and changes made at a follower: handed to the leader, answered by token.
 *
 * What was sent and is not answered may be in the leader's log or not: it ends as `unknown` when the leader or
 * the term changes, or after an election timeout. What was not sent yet is refused.
 */
import {
  type CommandPayload,
  type ConfigPayload,
  type LogIndex,
  NO_NODE,
  type Term,
  type Token,
} from './entry.ts';
import { payloadBytes } from './log.ts';
import type { ForwardMessage, ForwardResponseMessage, ForwardResult } from './message.ts';
import { admit, refuse } from './proposals.ts';
import { SeenRequests } from './requests.ts';
import type { FreshForward, RaftState } from './state.ts';

/**
 * Accepted proposals of this node whose end it has not seen; beyond it a follower refuses more as `full`.
 *
 * A leader is bounded by the bytes that are not committed; a follower may lag behind what it had others commit.
 */
export const MAX_UNDECIDED_OUTCOMES = 65_536;

/** Queues a payload for the leader, or refuses it. */
export function forwardLater(
  raft: RaftState,
  token: Token,
  payload: CommandPayload | ConfigPayload,
): void {
  const { config, leader } = raft;
  const bytes = payloadBytes(payload);
  if (leader === NO_NODE) refuse(raft, token, { reason: 'noLeader' });
  else if (!config.forwardProposals) refuse(raft, token, { reason: 'notLeader' });
  else if (raft.outcomes.count >= MAX_UNDECIDED_OUTCOMES) refuse(raft, token, { reason: 'full' });
  else if (raft.forwardBytes > 0 && raft.forwardBytes + bytes > config.maxUncommittedBytes) {
    refuse(raft, token, { reason: 'full' });
  } else {
    raft.freshForwards.push({ token, payload });
    raft.forwardBytes += bytes;
  }
}

/** Sends what is queued, in messages of at most the maximal size. */
export function flushForwards(raft: RaftState): void {
  if (raft.freshForwards.length === 0) return;
  const fresh = raft.freshForwards;
  raft.freshForwards = [];
  let page: FreshForward[] = [];
  let bytes = 0;
  for (const forward of fresh) {
    const more = payloadBytes(forward.payload);
    if (page.length > 0 && bytes + more > raft.config.maxMessageBytes) {
      sendForward(raft, page);
      page = [];
      bytes = 0;
    }
    page.push(forward);
    bytes += more;
  }
  sendForward(raft, page);
}

function sendForward(raft: RaftState, page: readonly FreshForward[]): void {
  const ids: number[] = [];
  for (const { token, payload } of page) {
    const id = raft.nextRequestId++;
    raft.forwards.add(id, { token, bytes: payloadBytes(payload) }, raft.tickCount);
    ids.push(id);
  }
  const { id: from, leader: to, term } = raft;
  const payloads = page.map((forward) => forward.payload);
  raft.out.immediate.push({ type: 'forward', from, to, term, ids, payloads });
}

/**
 * A follower hands something over.
 *
 * What was sent in an older term is refused, also by the leader of a newer one: a payload enters the log only in the
 * term in which it was handed over. So a sender that sees an entry of a newer term committed knows that what it does
 * not find before that entry never will be there, and may hand it over again.
 */
export function handleForward(raft: RaftState, message: ForwardMessage): void {
  const isOfThisTerm = message.term === raft.term;
  const results: ForwardResult[] = [];
  message.payloads.forEach((payload, i) => {
    const id = message.ids[i];
    if (id === undefined) return;
    if (raft.role !== 'leader' || !isOfThisTerm) {
      const reason = raft.leader === NO_NODE ? 'noLeader' : 'notLeader';
      results.push({ id, accepted: false, reason });
      return;
    }
    if (raft.peer(message.from) === undefined) {
      results.push({ id, accepted: false, reason: 'notMember' });
      return;
    }
    if (!seenFrom(raft, message.from).take(id)) return;
    const result = admit(raft, payload);
    if ('index' in result) results.push({ id, accepted: true, index: result.index });
    else results.push({ id, accepted: false, ...result });
  });
  if (results.length === 0) return;
  const { id: from, term } = raft;
  raft.out.immediate.push({ type: 'forwardResponse', from, to: message.from, term, results });
}

function seenFrom(raft: RaftState, peer: bigint): SeenRequests {
  const known = raft.seenRequests.get(peer);
  if (known !== undefined) return known;
  const seen = new SeenRequests(raft.term);
  raft.seenRequests.set(peer, seen);
  return seen;
}

/** The leader answered. What it accepted is followed here from now on, by this node's own commit index. */
export function handleForwardResponse(raft: RaftState, message: ForwardResponseMessage): void {
  let run: { readonly first: LogIndex; readonly tokens: Token[] } | undefined;
  const { term } = message;
  for (const result of message.results) {
    const sent = raft.forwards.take(result.id);
    if (sent === undefined) continue;
    raft.forwardBytes -= sent.bytes;
    if (!result.accepted) {
      refuse(raft, sent.token, result);
      continue;
    }
    const { index } = result;
    raft.out.report(sent.token, { kind: 'accepted', index, term });
    if (run !== undefined && run.first + run.tokens.length === index) {
      run.tokens.push(sent.token);
      continue;
    }
    if (run !== undefined) trackRun(raft, term, run);
    run = { first: index, tokens: [sent.token] };
  }
  if (run !== undefined) trackRun(raft, term, run);
}

function trackRun(
  raft: RaftState,
  term: Term,
  { first, tokens }: { readonly first: LogIndex; readonly tokens: readonly Token[] },
): void {
  const { log, out, outcomes } = raft;
  const report = out.report.bind(out);
  outcomes.track(first, term, tokens, report);
  // The entries may have come, and been committed, before the answer.
  outcomes.commit(log.commit, (at) => log.termAt(at), report);
}

/** The leader, or the term, is another one: nobody will answer what waits. */
export function abandonForwards(raft: RaftState): void {
  for (const { token } of raft.freshForwards) refuse(raft, token, { reason: 'noLeader' });
  raft.freshForwards = [];
  giveUpSentBy(raft, raft.tickCount);
  raft.forwardBytes = 0;
}

/** Gives up what the leader did not answer within an election timeout. */
export function expireForwards(raft: RaftState): void {
  const tick = raft.tickCount - raft.config.electionTimeoutTicks;
  if (raft.forwards.hasSentBy(tick)) giveUpSentBy(raft, tick);
}

function giveUpSentBy(raft: RaftState, tick: number): void {
  for (const { token, bytes } of raft.forwards.takeSentBy(tick)) {
    raft.forwardBytes -= bytes;
    raft.out.report(token, { kind: 'unknown', index: 0, term: raft.term });
  }
}
