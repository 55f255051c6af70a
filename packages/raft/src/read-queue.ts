/**
 * Reads that wait at a leader (thesis §6.4).
 *
 * A read is held until the leader has committed an entry of its term, then waits for a round: the leader
 * notes its commit index, asks the members whether it still leads, and serves every read of the round once
 * a quorum has answered that round or a later one. Reads of one call share a round.
 *
 * Invariant: rounds ascend in number and in index; each holds at least one reader.
 */
import type { LogIndex, NodeId, Token } from './entry.ts';

/** Who waits: a caller of this node, or a follower with its own request. */
export type Reader =
  | { readonly kind: 'own'; readonly token: Token }
  | { readonly kind: 'peer'; readonly peer: NodeId; readonly id: number };

interface Waiting {
  readonly reader: Reader;
  readonly sinceTick: number;
}

/** Reads that are served together. */
export interface ReadRound {
  readonly round: number;
  /** The commit index when the round began. */
  readonly index: LogIndex;
  readonly sinceTick: number;
  readonly readers: readonly Reader[];
}

/** The reads of one leader in one term. */
export class ReadQueue {
  /** Wait for the term's first commit, or for the round that begins when the step ends. */
  #waiting: Waiting[] = [];
  #rounds: ReadRound[] = [];
  /** Number of the newest round. Never goes back, not even in a new term. */
  #newest = 0;
  #count = 0;

  /** How many reads wait. */
  get count(): number {
    return this.#count;
  }

  /** True when reads wait for a round to begin. */
  get wantsRound(): boolean {
    return this.#waiting.length > 0;
  }

  /** The newest round that somebody waits for; 0 for none. */
  get pendingRound(): number {
    return this.#rounds.at(-1)?.round ?? 0;
  }

  get newestRound(): number {
    return this.#newest;
  }

  add(reader: Reader, sinceTick: number): void {
    this.#waiting.push({ reader, sinceTick });
    this.#count++;
  }

  /** Begins a round for everything that waits; returns its number. */
  begin(index: LogIndex, sinceTick: number): number {
    const round = this.number();
    const readers = this.#waiting.map(({ reader }) => reader);
    this.#rounds.push({ round, index, sinceTick, readers });
    this.#waiting = [];
    return round;
  }

  /** Numbers a round that nobody reads in: it only shows who still follows. */
  number(): number {
    this.#newest++;
    return this.#newest;
  }

  /** True when somebody has waited since `tick` or before. O(1). */
  hasSince(tick: number): boolean {
    const oldest = this.#rounds[0] ?? this.#waiting[0];
    return oldest !== undefined && oldest.sinceTick <= tick;
  }

  /** Takes out who has waited since `tick` or before, for a round to begin or to be confirmed. */
  takeSince(tick: number): readonly Reader[] {
    const rounds = this.#rounds.filter(({ sinceTick }) => sinceTick <= tick);
    const waiting = this.#waiting.filter(({ sinceTick }) => sinceTick <= tick);
    this.#rounds = this.#rounds.filter(({ sinceTick }) => sinceTick > tick);
    this.#waiting = this.#waiting.filter(({ sinceTick }) => sinceTick > tick);
    const readers = [
      ...rounds.flatMap((round) => round.readers),
      ...waiting.map(({ reader }) => reader),
    ];
    this.#count -= readers.length;
    return readers;
  }

  /** Takes out the rounds through `round`. */
  takeThrough(round: number): readonly ReadRound[] {
    const later = this.#rounds.findIndex((pending) => pending.round > round);
    const taken = this.#rounds.splice(0, later < 0 ? this.#rounds.length : later);
    for (const { readers } of taken) this.#count -= readers.length;
    return taken;
  }

  /** Takes out everybody. */
  takeAll(): readonly Reader[] {
    return this.takeSince(Number.POSITIVE_INFINITY);
  }

  /** The state as text, for `keyOf`: what waits, and for how long. */
  key(tick: number): string {
    const name = (reader: Reader): string =>
      reader.kind === 'own' ? `${reader.token}` : `${reader.peer}#${reader.id}`;
    const rounds = this.#rounds.map(
      ({ round, index, sinceTick, readers }) =>
        `${round}@${index}-${tick - sinceTick}:${readers.map(name).join()}`,
    );
    const waiting = this.#waiting.map(
      ({ reader, sinceTick }) => `${name(reader)}-${tick - sinceTick}`,
    );
    return `${this.#newest} ${rounds.join(';')} ${waiting.join()}`;
  }

  clone(): ReadQueue {
    const copy = new ReadQueue();
    copy.#waiting = [...this.#waiting];
    copy.#rounds = [...this.#rounds];
    copy.#newest = this.#newest;
    copy.#count = this.#count;
    return copy;
  }
}
