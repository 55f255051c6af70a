/**
 * Arithmetic of majorities, single and joint (thesis §3.6, §4.3).
 *
 * Pure functions over ids and numbers. An empty half of a joint configuration asks for nothing: it
 * commits everything and elects everybody, so that a joint quorum of one half is that half's quorum.
 */
import type { ConfState, NodeId } from './entry.ts';

/** How a vote stands. */
export type VoteResult = 'pending' | 'won' | 'lost';

/** A voter's answer; undefined while there is none. */
export type VoteOf = (id: NodeId) => boolean | undefined;

/** A voter's acknowledged number (an index, a round, a tick); 0 while there is none. */
export type AcknowledgedOf = (id: NodeId) => number;

/** How many of `count` voters are more than half of them. */
export function majority(count: number): number {
  return Math.floor(count / 2) + 1;
}

/** The largest number that a majority has reached; infinite for no voters. Sorts `acknowledged` in place. */
export function majorityReached(acknowledged: number[]): number {
  const count = acknowledged.length;
  if (count === 0) return Number.POSITIVE_INFINITY;
  // Insertion sort: the lists are short, mostly ordered, and this neither allocates nor calls back.
  for (let i = 1; i < count; i++) {
    const value = acknowledged[i] ?? 0;
    let at = i;
    for (; at > 0 && (acknowledged[at - 1] ?? 0) > value; at--) {
      acknowledged[at] = acknowledged[at - 1] ?? 0;
    }
    acknowledged[at] = value;
  }
  return acknowledged[count - majority(count)] ?? 0;
}

/** The largest number that a majority of `voters` has reached; infinite for no voters. */
export function majorityIndex(voters: readonly NodeId[], of: AcknowledgedOf): number {
  return majorityReached(voters.map(of));
}

/** The largest number that a majority of both halves has reached. */
export function jointIndex(conf: ConfState, of: AcknowledgedOf): number {
  const incoming = majorityIndex(conf.voters, of);
  if (conf.votersOutgoing.length === 0) return incoming;
  return Math.min(incoming, majorityIndex(conf.votersOutgoing, of));
}

/** How a vote among `voters` stands. */
export function majorityVote(voters: readonly NodeId[], of: VoteOf): VoteResult {
  if (voters.length === 0) return 'won';
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = of(id);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const needed = majority(voters.length);
  if (granted >= needed) return 'won';
  return granted + missing >= needed ? 'pending' : 'lost';
}

/** How a vote stands that must be won in both halves. */
export function jointVote(conf: ConfState, of: VoteOf): VoteResult {
  const incoming = majorityVote(conf.voters, of);
  if (conf.votersOutgoing.length === 0) return incoming;
  const outgoing = majorityVote(conf.votersOutgoing, of);
  if (incoming === outgoing) return incoming;
  return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending';
}
