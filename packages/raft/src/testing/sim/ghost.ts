/**
 * What an all-knowing observer remembers, and the invariants that it checks.
 *
 *     R1  at most one leader in a term, over all time
 *     R2  one vote per node and term, durable before it is told
 *     R3  a leader only appends to its log
 *     R4  equal (index, term): equal payload and equal log before it
 *     R5  a new leader's log holds every committed entry
 *     R6  no two nodes apply different entries at an index
 *     R7  terms, commit and applied never go back; applied has no gap
 *     R8  what is committed is durable on a quorum of the configuration in force
 *     R9  consecutive configurations share a node in every pair of quorums
 *     R10 a read index covers everything that was committed when the read began
 *     R12 a snapshot equals the state machine at its index and never goes back
 */
import { assert, must } from '@etcd-ts/base';
import type { ConfState, Entry, LogIndex, NodeId, Term } from '../../index.ts';
import { nextDigest, payloadKey } from './machine.ts';

interface KnownEntry {
  readonly payload: string;
  readonly previousTerm: Term;
}

interface CommittedEntry {
  readonly term: Term;
  readonly payload: string;
  /** Term of the leader that committed it. */
  readonly decidedIn: Term;
  /** Index of the configuration whose quorum decided. */
  readonly configIndex: LogIndex;
}

/** Remembers everything that was ever decided, and compares. */
export class Ghost {
  readonly #leaders = new Map<Term, string>();
  readonly #votes = new Map<string, NodeId>();
  readonly #entries = new Map<Term, Map<LogIndex, KnownEntry>>();
  readonly #committed = new Map<LogIndex, CommittedEntry>();
  readonly #digests = new Map<LogIndex, number>();
  /** Every configuration that was in force anywhere, by index. */
  readonly #configs: { readonly index: LogIndex; readonly confState: ConfState }[];
  #base: LogIndex;
  #commit: LogIndex;
  #lastDigested: LogIndex;

  constructor(base: LogIndex, digest: number, confState: ConfState) {
    this.#base = base;
    this.#commit = base;
    this.#lastDigested = base;
    this.#digests.set(base, digest);
    this.#configs = [{ index: base, confState }];
  }

  /** The highest index that is committed anywhere. */
  get commit(): LogIndex {
    return this.#commit;
  }

  /** Configuration under which the newest committed entry was decided. */
  get decidedUnder(): LogIndex {
    return this.#committed.get(this.#commit)?.configIndex ?? this.#base;
  }

  committedPayload(index: LogIndex): string | undefined {
    return this.#committed.get(index)?.payload;
  }

  committedTerm(index: LogIndex): Term | undefined {
    return this.#committed.get(index)?.term;
  }

  /** R1, R5: `holds` tells whether the winner's log has (index, term). */
  elected(term: Term, node: string, holds: (index: LogIndex, term: Term) => boolean): void {
    const other = this.#leaders.get(term);
    assert(
      other === undefined || other === node,
      () => `R1: ${other} and ${node} lead term ${term}`,
    );
    this.#leaders.set(term, node);
    for (const [index, entry] of this.#committed) {
      if (entry.decidedIn >= term) continue;
      assert(
        holds(index, entry.term),
        () => `R5: ${node} leads term ${term} without committed entry ${entry.term}/${index}`,
      );
    }
  }

  /** R2: a vote left the node; `durable` is what its disk says. */
  voted(
    node: string,
    term: Term,
    candidate: NodeId,
    durable: { readonly term: Term; readonly vote: NodeId },
  ): void {
    const key = `${node} ${term}`;
    const other = this.#votes.get(key);
    assert(
      other === undefined || other === candidate,
      () => `R2: ${node} voted for ${other} and for ${candidate} in term ${term}`,
    );
    this.#votes.set(key, candidate);
    assert(
      durable.term > term || (durable.term === term && durable.vote === candidate),
      () =>
        `R2: ${node} told its vote for ${candidate} in term ${term} before it was durable ` +
        `(disk: term ${durable.term}, vote ${durable.vote})`,
    );
  }

  /** R4: an entry entered a log after one of `previousTerm`. */
  logged(entry: Entry, previousTerm: Term): void {
    let term = this.#entries.get(entry.term);
    if (term === undefined) {
      term = new Map();
      this.#entries.set(entry.term, term);
    }
    const known = term.get(entry.index);
    const payload = payloadKey(entry);
    if (known === undefined) {
      term.set(entry.index, { payload, previousTerm });
      return;
    }
    assert(
      known.payload === payload,
      () => `R4: entry ${entry.term}/${entry.index} is "${known.payload}" and "${payload}"`,
    );
    assert(
      known.previousTerm === previousTerm,
      () =>
        `R4: entry ${entry.term}/${entry.index} follows term ${known.previousTerm} in one log ` +
        `and term ${previousTerm} in another`,
    );
  }

  /**
   * R6, R8: a node says that these entries, after `from`, are committed.
   *
   * @param durableOnQuorum Whether a quorum of the node's configuration has (index, term) on disk.
   */
  committedBy(
    { node, decidedIn }: { readonly node: string; readonly decidedIn: Term },
    from: LogIndex,
    entries: readonly Entry[],
    configIndex: LogIndex,
    durableOnQuorum: (index: LogIndex, term: Term) => boolean,
  ): void {
    let expected = from;
    for (const entry of entries) {
      const { index, term } = entry;
      assert(index === ++expected, () => `R7: ${node} commits ${index} where ${expected} is next`);
      const known = this.#committed.get(index);
      assert(
        known === undefined || known.term === term,
        () => `R6: ${node} commits ${term}/${index}, committed is ${known?.term}/${index}`,
      );
      if (known !== undefined) continue;
      this.#committed.set(index, { term, payload: payloadKey(entry), decidedIn, configIndex });
    }
    const last = entries.at(-1);
    if (last === undefined || last.index <= this.#commit) return;
    assert(
      durableOnQuorum(last.index, last.term),
      () => `R8: ${node} commits ${last.term}/${last.index}, which is not durable on a quorum`,
    );
    this.#commit = last.index;
  }

  /** R6, R12: an entry was applied and this is the state machine's digest now. */
  applied(node: string, entry: Entry, digest: number): void {
    const before = this.#digests.get(entry.index - 1);
    const known = this.#digests.get(entry.index);
    const committed = this.#committed.get(entry.index);
    assert(
      committed !== undefined && committed.term === entry.term,
      () =>
        `R6: ${node} applies ${entry.term}/${entry.index}, committed is term ${committed?.term}`,
    );
    if (known === undefined) {
      assert(
        before !== undefined && nextDigest(before, entry) === digest,
        () => `R6: ${node} applied ${entry.index} on a state that nobody else had`,
      );
      this.#digests.set(entry.index, digest);
      this.#lastDigested = Math.max(this.#lastDigested, entry.index);
      return;
    }
    assert(known === digest, () => `R6: ${node} differs after applying index ${entry.index}`);
  }

  /** R12: a snapshot was taken or installed. */
  snapshot(node: string, index: LogIndex, digest: number): void {
    const known = this.#digests.get(index);
    assert(
      known === digest,
      () => `R12: ${node} has a snapshot at ${index} that differs from the state there`,
    );
  }

  /**
   * R9: a configuration is in force at a node, made by the entry at `index` or come with a snapshot there.
   *
   * Whoever took the snapshot applied every change before it, so that no configuration is missing here.
   */
  configured(node: string, index: LogIndex, confState: ConfState): void {
    const key = configKey(confState);
    let place = this.#configs.length;
    while (place > 0 && this.#configAt(place - 1).index >= index) place--;
    const known = this.#configs[place];
    if (known?.index === index) {
      assert(
        configKey(known.confState) === key,
        () => `R9: ${node} has ${key} at ${index}, another node ${configKey(known.confState)}`,
      );
      return;
    }
    const before = this.#configAt(place - 1);
    assert(
      quorumsOverlap(before.confState, confState),
      () =>
        `R9: ${key} at ${index} follows ${configKey(before.confState)}: quorums without overlap`,
    );
    this.#configs.splice(place, 0, { index, confState });
  }

  #configAt(place: number): { readonly index: LogIndex; readonly confState: ConfState } {
    return must(this.#configs[place], 'configuration before the first');
  }

  /** R10. */
  readable(node: string, index: LogIndex, committedAtStart: LogIndex): void {
    assert(
      index >= committedAtStart,
      () =>
        `R10: ${node} may read at ${index}, but ${committedAtStart} was committed before it asked`,
    );
  }
}

/** A configuration as text: equal exactly when the configurations are. */
export function configKey(conf: ConfState): string {
  return (
    `${conf.voters.join(' ')}|${conf.votersOutgoing.join(' ')}|${conf.learners.join(' ')}|` +
    `${conf.learnersNext.join(' ')}|${conf.autoLeave}`
  );
}

/** True when the nodes that `agrees` picks form a majority of the set; an empty set has none to ask. */
function majority(set: readonly NodeId[], agrees: (node: NodeId) => boolean): boolean {
  let count = 0;
  for (const node of set) if (agrees(node)) count++;
  return set.length === 0 || count * 2 > set.length;
}

/** A quorum decides in both halves of a joint configuration (thesis §4.3). */
export function isQuorum(conf: ConfState, agrees: (node: NodeId) => boolean): boolean {
  return majority(conf.voters, agrees) && majority(conf.votersOutgoing, agrees);
}

/**
 * Whether any quorum of one shares a node with any quorum of the other.
 *
 * It suffices that some half of the one and some half of the other overlap, since a quorum has a majority
 * of each of its halves. Halves of at most a few nodes: counting decides.
 */
export function quorumsOverlap(a: ConfState, b: ConfState): boolean {
  const halves = (conf: ConfState): readonly (readonly NodeId[])[] =>
    [conf.voters, conf.votersOutgoing].filter((half) => half.length > 0);
  return halves(a).some((one) => halves(b).some((other) => majoritiesOverlap(one, other)));
}

/** Two smallest majorities avoid each other best by taking first the nodes that the other lacks. */
function majoritiesOverlap(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  const shared = a.filter((node) => b.includes(node)).length;
  const needOfShared = (set: readonly NodeId[]): number =>
    Math.max(0, Math.floor(set.length / 2) + 1 - (set.length - shared));
  return needOfShared(a) + needOfShared(b) > shared;
}
