import type { LogIndex, Term } from '../index.ts';

/**
 * Term of the snapshot that a transcript's nodes start from, in our cores.
 *
 * etcd's tests start from a snapshot of term 1 in term 0, which no cluster could have come to: the first leader
 * then has the snapshot's term. Our core does not start in a term behind its log, so it starts from term 0.
 */
export const BOOTSTRAP_TERM: Term = 0;
const BOOTSTRAP_TERM_SHOWN: Term = 1;

/** The term of a log position as etcd's tests print it. */
export function shownTerm(term: Term, index: LogIndex): Term {
  return term === BOOTSTRAP_TERM && index > 0 ? BOOTSTRAP_TERM_SHOWN : term;
}
