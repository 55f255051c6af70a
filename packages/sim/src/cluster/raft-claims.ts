/**
 * What members say of their logs, held against one another: a message that names an entry or a commit index is a claim
 * (R3, R5, R7, R8, R9).
 *
 * Seen as a message leaves, so nothing that the network does to it matters.
 */
import type { ConfState, Message } from '@etcd-ts/raft';
import type { Findings, InvariantId } from '../checkers/violation.ts';

/** A committed entry, as the ghost knows it. */
export interface CommittedEntry {
  readonly term: number;
  /** Term of the first member that applied it: every leader of a later term has it. */
  readonly decidedBy: number;
}

/** What the claims are judged by. */
export interface ClaimsParts {
  readonly findings: Findings;
  readonly nowUs: () => number;
  /** The committed entry at an index; undefined when nobody has applied it. */
  readonly committed: (index: number) => CommittedEntry | undefined;
  readonly lastIndex: () => number;
  /** The configurations that a member has gone by lately; empty when it is not known. */
  readonly configsOf: (id: bigint) => readonly ConfState[];
  /** Those of them that its core may go by at this moment. */
  readonly configsInForce: (id: bigint) => readonly ConfState[];
}

/** What is known of one term. */
interface TermClaims {
  /** Who leads it. */
  leader: bigint | undefined;
  /** Term of each entry that its leader said to have. */
  readonly entries: Map<number, number>;
  /** Furthest entry that each member acknowledged. */
  readonly acks: Map<bigint, number>;
  /** Whom each voter granted. */
  readonly grants: Map<bigint, bigint>;
  /** The log with which each candidate stood. */
  readonly stood: Map<bigint, number>;
  /** Those who stood since the leader asked them to. */
  readonly asked: Set<bigint>;
}

/** The claims of one run. */
export class RaftClaims {
  readonly #parts: ClaimsParts;
  readonly #terms = new Map<number, TermClaims>();
  /** The term that was asked for last: nearly always that of the next message, too. */
  #lastTerm = -1;
  #lastClaims: TermClaims | undefined;
  /** The newest term of which each entry was seen. */
  readonly #newest = new Map<number, number>();
  /** Entries that had to make room for those of a newer leader. */
  overwritten = 0;
  /** The furthest commit index that anybody has any right to know of. */
  commit = 0;

  constructor(parts: ClaimsParts) {
    this.#parts = parts;
  }

  /** A member says of itself how far it knows the log to be committed: at its start, and when its role changes. */
  knows(commit: number): void {
    if (commit > this.commit) this.commit = commit;
  }

  /** A member leads a term. */
  leads(id: bigint, term: number): void {
    const claims = this.#term(term);
    claims.leader = id;
    const { grants, stood } = claims;
    const configs = this.#parts.configsInForce(id);
    const isElected = configs.some((config) =>
      hasQuorum(config, (voter) => voter === id || grants.get(voter) === id),
    );
    if (configs.length > 0 && !isElected) {
      this.#add('R9', `${id} leads in term ${term} without the votes of a quorum`);
    }
    const lastIndex = stood.get(id);
    if (lastIndex === undefined) return;
    for (let index = this.#parts.lastIndex(); index > lastIndex; index--) {
      const entry = this.#parts.committed(index);
      if (entry === undefined || entry.decidedBy >= term) continue;
      this.#add(
        'R5',
        `${id} leads in term ${term} with a log through ${lastIndex}, but ${index} was committed in term ${entry.decidedBy}`,
      );
      return;
    }
  }

  /** Term of the entry at an index in the log of a term's leader; undefined when it has not told. */
  termAt(term: number, index: number): number | undefined {
    return this.#terms.get(term)?.entries.get(index);
  }

  /** A member goes from one configuration to the next: every quorum of the one shares a member with every one of the other. */
  changed(before: ConfState, after: ConfState, index: number): void {
    if (haveCommonQuorums(before, after)) return;
    const text = ({ voters, votersOutgoing }: ConfState): string =>
      `${voters.join()};${votersOutgoing.join()}`;
    this.#add(
      'R9',
      `entry ${index} changes the voters from ${text(before)} to ${text(after)} in one step`,
    );
  }

  /** How many stood for election in a term. */
  candidatesOf(term: number): number {
    return this.#terms.get(term)?.stood.size ?? 0;
  }

  /** Whether a leader of this term came to it by a transfer. */
  isTransfer(id: bigint, term: number): boolean {
    return this.#terms.get(term)?.asked.has(id) === true;
  }

  /** A member sends a message. */
  sent(message: Message): void {
    const { from, term } = message;
    switch (message.type) {
      case 'append':
        this.#holds(from, term, message.prevIndex, message.prevTerm);
        for (const entry of message.entries) this.#holds(from, term, entry.index, entry.term);
        this.#leaderCommits(from, term, message.commit);
        return;
      case 'heartbeat':
        this.#leaderCommits(from, term, message.commit);
        return;
      case 'appendResponse':
        if (!message.rejected) this.#acknowledged(from, term, message.index);
        return;
      case 'vote':
        this.#term(term).stood.set(from, message.lastIndex);
        this.#mayStand(from, term);
        if (message.transfer) this.#term(term).asked.add(from);
        return;
      case 'voteResponse':
        if (!message.rejected) this.#term(term).grants.set(from, message.to);
        this.#commits(from, term, message.commit);
        return;
      case 'heartbeatResponse':
      case 'preVoteResponse':
        this.#commits(from, term, message.commit);
        return;
      default:
    }
  }

  /** Only a voter stands. */
  #mayStand(candidate: bigint, term: number): void {
    const configs = this.#parts.configsOf(candidate);
    const isVoter = ({ voters, votersOutgoing }: ConfState): boolean =>
      voters.includes(candidate) || votersOutgoing.includes(candidate);
    if (configs.length === 0 || configs.some(isVoter)) return;
    this.#add('R9', `${candidate} stands in term ${term}, and is no voter`);
  }

  /** The leader of a term has this entry. */
  #holds(leader: bigint, term: number, index: number, entryTerm: number): void {
    if (index === 0) return;
    const { entries } = this.#term(term);
    const claimed = entries.get(index);
    if (claimed === entryTerm) return;
    if (claimed !== undefined) {
      this.#add(
        'R3',
        `${leader}, leader of term ${term}, had entry ${index} of term ${claimed}, then of term ${entryTerm}`,
      );
    }
    entries.set(index, entryTerm);
    const newest = this.#newest.get(index);
    if (newest !== undefined && newest < entryTerm) this.overwritten++;
    if (newest === undefined || newest < entryTerm) this.#newest.set(index, entryTerm);
    const committed = this.#parts.committed(index);
    if (committed === undefined || committed.decidedBy >= term) return;
    if (committed.term === entryTerm) return;
    this.#add(
      'R5',
      `${leader}, leader of term ${term}, has entry ${index} of term ${entryTerm}; the one of term ${committed.term} was committed in term ${committed.decidedBy}`,
    );
  }

  /** Only an entry of the leader's own term is committed by counting, and by a quorum of voters (thesis §3.6). */
  #leaderCommits(leader: bigint, term: number, commit: number): void {
    if (commit <= this.commit) return;
    const { entries, acks } = this.#term(term);
    const entryTerm = entries.get(commit);
    if (entryTerm !== undefined && entryTerm !== term) {
      this.#add(
        'R5',
        `${leader}, leader of term ${term}, commits entry ${commit} of term ${entryTerm} by counting`,
      );
    }
    // What somebody has applied was committed before, maybe by a configuration that is in force no more.
    const { configsOf, configsInForce, lastIndex } = this.#parts;
    const configs = commit > lastIndex() ? configsInForce(leader) : configsOf(leader);
    const isCommitted = configs.some((config) =>
      hasQuorum(config, (voter) => voter === leader || (acks.get(voter) ?? 0) >= commit),
    );
    if (configs.length > 0 && !isCommitted) {
      this.#add(
        'R8',
        `${leader}, leader of term ${term}, commits entry ${commit}, which no quorum has acknowledged`,
      );
    }
    this.commit = commit;
  }

  /** A leader's refusal of a vote may leave before the append that would tell of its commit index. */
  #commits(member: bigint, term: number, commit: number): void {
    if (commit <= this.commit) return;
    if (this.#term(term).leader === member) return this.#leaderCommits(member, term, commit);
    this.#add(
      'R7',
      `${member} says that ${commit} is committed; no leader has, beyond ${this.commit}`,
    );
  }

  #acknowledged(member: bigint, term: number, index: number): void {
    const { acks } = this.#term(term);
    if (index > (acks.get(member) ?? 0)) acks.set(member, index);
  }

  #term(term: number): TermClaims {
    if (this.#lastClaims !== undefined && this.#lastTerm === term) return this.#lastClaims;
    let claims = this.#terms.get(term);
    if (claims === undefined) {
      claims = {
        leader: undefined,
        entries: new Map(),
        acks: new Map(),
        grants: new Map(),
        stood: new Map(),
        asked: new Set(),
      };
      this.#terms.set(term, claims);
    }
    this.#lastTerm = term;
    this.#lastClaims = claims;
    return claims;
  }

  #add(invariant: InvariantId, message: string): void {
    this.#parts.findings.add(invariant, message, [], this.#parts.nowUs());
  }
}

/** True when more than half of the voters of each half of the configuration have it. */
export function hasQuorum(config: ConfState, has: (voter: bigint) => boolean): boolean {
  return [config.voters, config.votersOutgoing].every(
    (voters) => voters.length === 0 || 2 * voters.filter(has).length > voters.length,
  );
}

/**
 * True when no quorum of the one is without a member of some quorum of the other: they differ by one voter, or one is
 * the joint configuration that leads from or to the other (thesis §4.1, §4.3).
 */
export function haveCommonQuorums(before: ConfState, after: ConfState): boolean {
  const [wasJoint, isJoint] = [before.votersOutgoing.length > 0, after.votersOutgoing.length > 0];
  if (wasJoint && isJoint) return differenceOf(before.voters, after.voters) === 0;
  if (isJoint) return differenceOf(before.voters, after.votersOutgoing) === 0;
  return differenceOf(before.voters, after.voters) <= (wasJoint ? 0 : 1);
}

/** How many are in one of the two alone. */
function differenceOf(some: readonly bigint[], others: readonly bigint[]): number {
  const isAlone = (among: readonly bigint[]) => (each: bigint) => !among.includes(each);
  return some.filter(isAlone(others)).length + others.filter(isAlone(some)).length;
}
