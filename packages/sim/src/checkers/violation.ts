/** A broken invariant of the system under test: what a checker found. */
export interface Violation {
  /** The invariant's id: K1, W5, R1 and so on; see `INVARIANTS`. */
  readonly invariant: InvariantId;
  /** What was seen, what should have been, with the values. */
  readonly message: string;
  /** Operations it is about, by id. */
  readonly operations: readonly number[];
  /** Virtual time at which it shows; undefined when only the whole history shows it. */
  readonly atUs?: number | undefined;
}

/** A checker stops looking after so many violations: the first one is what counts. */
export const MAX_VIOLATIONS = 20;

/** What must hold, by id. */
export const INVARIANTS = {
  R1: 'at most one node leads in a term',
  R2: 'a node grants one candidate per term, durably before the reply leaves',
  R3: 'a leader only appends',
  R4: 'entries of the same index and term are the same, and so is everything before them',
  R5: 'whoever wins an election holds every committed entry',
  R6: 'no two nodes apply different entries at an index',
  R7: 'term, commit and applied never go back; entries are applied in order, once each',
  R8: 'what a client was told is done is durable on a quorum',
  R9: 'learners neither vote nor count; no campaign with an unapplied configuration',
  R10: 'a read index covers whatever was committed when the read was asked for',
  R11: 'all nodes have the same state after the same index',
  R12: 'an installed snapshot is the state at its index, and never goes back',
  K1: 'one order explains every answer and agrees with real time',
  K2: 'the revision that a connection shows never goes back',
  K3: 'every field of an answer is what the order makes it',
  K5: 'what failed for certain left no trace, what is unknown happened at most once',
  K6: 'a serializable read shows a state that was',
  K7: 'nothing that anybody saw is gone, unless somebody may have deleted it',
  K8: 'money moves, and neither comes nor goes',
  K9: 'an element that was added is in every later read of the set, once',
  K10: 'lists that grow have one order, and it explains every transaction',
  W1: 'a watch delivers its own keys and kinds of events alone',
  W2: 'events come in the order of their revisions',
  W3: 'an event comes once',
  W4: 'the events of a revision come together',
  W5: 'no event is left out, and each is as it was written',
  W6: 'a watch begins with the first matching event from its start revision',
  W7: 'after progress at a revision nothing at or below it comes',
  W8: 'the previous value is the one just before',
  W9: 'nothing from before the start revision comes',
  W10: 'a watch that fell behind a compaction is cancelled once and told the revision',
  W11: 'a watch without start revision begins just after its created header',
  W12: 'a watch reaches the head once everything is well again',
  W13: 'a cache that lists and watches holds what the store held',
  L1: 'a lease that was kept alive in time does not expire',
  L2: 'a lease that nobody keeps alive expires in bounded time',
  L3: 'the end of a lease deletes exactly its keys, in one revision',
  L4: 'a leader that was deposed ends no lease that its successor holds',
  L5: 'only a lease that is there is kept alive',
  L6: 'a lease has the keys that were last put with it, over restarts and snapshots',
  L7: 'the remaining time is at most the granted time and the extension of a promotion',
  X1: 'the owner of a lock has the least create revision under its prefix',
  X2: 'where time can be trusted two never take the same lock for their own at one moment',
  X3: 'writes fenced by a lock never overlap another holder',
  X4: 'a lock that was told to be held is held at that moment',
  X5: 'whoever was told to be elected has the least create revision under the prefix',
  CP1: 'reads below the compaction fail, reads from it on are exact',
  CP2: 'the compaction only goes forward, and never beyond the head',
  CP3: 'members that have compacted alike hold the same',
  SN1: 'a saved snapshot restores to the state at its index, in a cluster of its own',
  SN2: 'where a restore moves the revisions on, every old one reads as compacted',
  DK1: 'a restart finds everything that was ever synced',
  DK2: 'a disk that lies is noticed, not believed',
  DK3: 'after a sync that failed nothing is written or synced again; the process ends',
  DK4: 'a log that found no room takes nothing more; the process ends',
  DK5: 'what a lying disk loses comes back from the others',
  AU1: 'nobody is answered who has no right to what he asks for',
  AU2: 'a right that was withdrawn is of no use to calls that come later',
  AU3: 'members decide alike about an entry',
  AU4: 'what was refused for want of a right left no trace; a token that is void stays void',
  AU5: 'whoever is refused for want of a right, or for a token, lacks it where he is judged',
  LV1: 'a healed quorum makes progress and agrees',
  LV2: 'elections end',
  LV3: 'what may grow is bounded, and nothing waits when all is at rest',
  P1: 'a member runs until it is stopped',
  P2: 'a node that has ended has let go of its directory and of its databases',
} as const;

/** An invariant's id. */
export type InvariantId = keyof typeof INVARIANTS;

/** Collects violations up to the limit. */
export class Findings {
  readonly #violations: Violation[] = [];

  get violations(): readonly Violation[] {
    return this.#violations;
  }

  get isFull(): boolean {
    return this.#violations.length >= MAX_VIOLATIONS;
  }

  add(
    invariant: InvariantId,
    message: string,
    operations: readonly number[] = [],
    atUs?: number,
  ): void {
    if (!this.isFull) this.#violations.push({ invariant, message, operations, atUs });
  }
}
