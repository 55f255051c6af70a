/** What a message must look like before the core believes a word of it. Peers are trusted, the wire is not. */
import type { Entry, LogIndex } from './entry.ts';
import type { AppendMessage, Message } from './message.ts';

/** What is wrong with a message; undefined when nothing is. */
export function whyMalformed(message: Message, id: bigint): string | undefined {
  if (message.to !== id) return `message to ${message.to} arrived at ${id}`;
  if (message.from === id || message.from <= 0n) return `message from ${message.from}`;
  if (!isCount(message.term)) return `term is no safe integer from 0: ${message.term}`;
  const bad = numbersOf(message).find((value) => !isCount(value));
  if (bad !== undefined) return `${message.type} holds ${bad}, which is no safe integer from 0`;
  switch (message.type) {
    case 'append':
      return whyBadAppend(message);
    case 'forward':
      return message.ids.length === message.payloads.length
        ? undefined
        : `forward of ${message.payloads.length} payloads with ${message.ids.length} ids`;
    default:
      return undefined;
  }
}

function isCount(value: LogIndex): boolean {
  return Number.isSafeInteger(value) && value >= 0;
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

/** Indexes without gap, terms that never decrease and never pass the sender's (thesis §3.5). */
function whyBadAppend({ prevIndex, prevTerm, entries, term }: AppendMessage): string | undefined {
  let index = prevIndex;
  let before = prevTerm;
  for (const entry of entries) {
    if (entry.index !== index + 1 || entry.term < before || entry.term > term) {
      return `entry ${describe(entry)} behind (${index}, ${before}) in an append of term ${term}`;
    }
    index = entry.index;
    before = entry.term;
  }
  return undefined;
}

const describe = (entry: Entry): string => `(${entry.index}, ${entry.term})`;
