/** What a message must look like before the core believes a word of it. Peers are trusted, the wire is not. */
import type { Entry, LogIndex, Payload } from './entry.ts';
import type { AppendMessage, ForwardMessage, Message } from './message.ts';

/** What is wrong with a message; undefined when nothing is. */
export function whyMalformed(message: Message, id: bigint): string | undefined {
  if (message.to !== id) return `message to ${message.to} arrived at ${id}`;
  if (message.from === id || message.from <= 0n) return `message from ${message.from}`;
  if (!isCount(message.term)) return `term is no safe integer from 0: ${message.term}`;
  if (!hasSoundNumbers(message)) {
    const bad = numbersOf(message).find((value) => !isCount(value));
    return `${message.type} holds ${bad}, which is no safe integer from 0`;
  }
  switch (message.type) {
    case 'append':
      return whyBadAppend(message);
    case 'forward':
      return whyBadForward(message);
    default:
      return undefined;
  }
}

function isCount(value: LogIndex): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** The numbers of the messages that come all the time are looked at without a list of them. */
function hasSoundNumbers(message: Message): boolean {
  switch (message.type) {
    case 'append': {
      const { prevIndex, prevTerm, commit, session } = message;
      return isCount(prevIndex) && isCount(prevTerm) && isCount(commit) && isCount(session);
    }
    case 'appendResponse': {
      const { index, hintIndex, hintTerm, session } = message;
      return isCount(index) && isCount(hintIndex) && isCount(hintTerm) && isCount(session);
    }
    case 'heartbeat':
    case 'heartbeatResponse': {
      const { commit, readRound, session } = message;
      return isCount(commit) && isCount(readRound) && isCount(session);
    }
    default:
      return numbersOf(message).every(isCount);
  }
}

function numbersOf(message: Message): readonly number[] {
  switch (message.type) {
    case 'append':
      return [message.prevIndex, message.prevTerm, message.commit, message.session];
    case 'appendResponse':
      return [message.index, message.hintIndex, message.hintTerm, message.session];
    case 'heartbeat':
      return [message.commit, message.readRound, message.session];
    case 'heartbeatResponse':
      return [message.readRound, message.commit, message.session];
    case 'vote':
    case 'preVote':
      return [message.lastIndex, message.lastTerm];
    case 'snapshot':
      return [message.snapshot.index, message.snapshot.term, message.session];
    case 'readRequest':
      return [message.id];
    case 'readResponse':
      return [message.id, message.index];
    case 'forward':
      return message.ids;
    case 'forwardResponse':
      return message.results.map((result) => (result.accepted ? result.index : result.id));
    case 'voteResponse':
    case 'preVoteResponse':
      return [message.commit, message.commitTerm];
    case 'timeoutNow':
      return [];
    default:
      return [Number.NaN];
  }
}

function whyBadForward({ ids, payloads }: ForwardMessage): string | undefined {
  if (ids.length !== payloads.length) {
    return `forward of ${payloads.length} payloads with ${ids.length} ids`;
  }
  const bad = payloads.find((payload) => !isSound(payload) || isEmpty(payload));
  return bad === undefined ? undefined : `forward of a payload of kind ${kindOf(bad)}`;
}

const isEmpty = (payload: Payload): boolean => payload.kind === 'empty';
const kindOf = (payload: Payload): string => `${payload.kind}`;

/** True when the payload is of a known kind and holds what its kind promises. */
function isSound(payload: Payload): boolean {
  switch (payload.kind) {
    case 'empty':
      return true;
    case 'command':
      return isCount(payload.data?.length);
    case 'config':
      return isCount(payload.change?.steps?.length) && isCount(payload.change.context?.length);
    default:
      return false;
  }
}

/** Indexes without gap, terms that never decrease and never pass the sender's (thesis §3.5). */
function whyBadAppend({ prevIndex, prevTerm, entries, term }: AppendMessage): string | undefined {
  let index = prevIndex;
  let before = prevTerm;
  for (const entry of entries) {
    const isInPlace = entry.index === index + 1 && entry.term >= before && entry.term <= term;
    if (!isInPlace || !isCount(entry.term)) {
      return `entry ${describe(entry)} behind (${index}, ${before}) in an append of term ${term}`;
    }
    if (!isSound(entry.payload)) {
      return `entry ${describe(entry)} has a payload of kind ${kindOf(entry.payload)}`;
    }
    index = entry.index;
    before = entry.term;
  }
  return undefined;
}

const describe = (entry: Entry): string => `(${entry.index}, ${entry.term})`;
