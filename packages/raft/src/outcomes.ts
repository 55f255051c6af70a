import type { Outcome } from './effect.ts';
import type { LogIndex, SnapshotMeta, Term, Token } from './entry.ts';

/** Tells the caller of `token` how its request went. */
export type Report = (token: Token, outcome: Outcome) => void;

/** Proposals accepted one behind the other in one term. */
interface Run {
  first: LogIndex;
  readonly term: Term;
  readonly tokens: readonly Token[];
  /** How many tokens at the front are settled. */
  settled: number;
}

const lastOf = (run: Run): LogIndex => run.first + run.tokens.length - 1;

/**
 * Follows accepted proposals to their final outcome.
 *
 * An entry that was cut off from this node's log may still be committed by another that holds it: only what
 * is committed decides, at its index, or before it in a newer term (terms never decrease along a log, so nothing
 * older follows). Cost: O(1) for an entry, one object for a batch.
 *
 * Invariant: runs ascend by index and do not overlap, so that there is at most one token for an index.
 */
export class OutcomeTracker {
  #runs: Run[] = [];
  #count = 0;
  /** The largest term committed so far. */
  #committedTerm: Term = 0;
  /** Runs may be waiting that are older than that. */
  #hasOlder = false;

  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  /** How many proposals are followed. */
  get count(): number {
    return this.#count;
  }

  /** Follows tokens of entries from `first` on, all of `term`. */
  track(first: LogIndex, term: Term, tokens: readonly Token[], report: Report): void {
    const run: Run = { first, term, tokens, settled: 0 };
    this.#hasOlder ||= term < this.#committedTerm;
    const tail = this.#runs.at(-1);
    if (tail === undefined || lastOf(tail) < first) {
      this.#runs.push(run);
      this.#count += tokens.length;
      return;
    }
    this.#merge(run, report);
  }

  /** Where two accepted entries claim one index, the older one is beyond what this node can follow. */
  #merge(run: Run, report: Report): void {
    const claims = new Map<LogIndex, { readonly term: Term; readonly token: Token }>();
    for (const { first, term, tokens, settled } of [...this.#runs, run]) {
      tokens.forEach((token, i) => {
        if (i < settled) return;
        const index = first + i;
        const other = claims.get(index);
        if (other === undefined || other.term <= term) claims.set(index, { term, token });
        const loser =
          other === undefined ? undefined : other.term <= term ? other : { term, token };
        if (loser !== undefined) report(loser.token, { kind: 'unknown', index, term: loser.term });
      });
    }
    this.#runs = [...claims]
      .sort(([a], [b]) => a - b)
      .map(([index, { term, token }]) => ({ first: index, term, tokens: [token], settled: 0 }));
    this.#count = claims.size;
  }

  /** Settles what `commit` decides; `termAt` tells the committed term, undefined when forgotten. */
  commit(commit: LogIndex, termAt: (index: LogIndex) => Term | undefined, report: Report): void {
    let done = 0;
    for (const run of this.#runs) {
      if (run.first + run.settled > commit) break;
      this.#count -= settleThrough(run, commit, termAt, report);
      if (run.settled < run.tokens.length) break;
      done++;
    }
    if (done > 0) this.#runs.splice(0, done);
    this.#loseOlder(termAt(commit) ?? 0, report);
  }

  /** Something is committed in `term` before everything that still waits: nothing older can follow it. */
  #loseOlder(term: Term, report: Report): void {
    if (term > this.#committedTerm) {
      this.#committedTerm = term;
      this.#hasOlder = true;
    }
    if (!this.#hasOlder) return;
    this.#hasOlder = false;
    const older = this.#runs.filter((run) => run.term < this.#committedTerm);
    if (older.length === 0) return;
    this.#runs = this.#runs.filter((run) => run.term >= this.#committedTerm);
    const newer = (): Term => this.#committedTerm;
    for (const run of older) this.#count -= settleThrough(run, lastOf(run), newer, report);
  }

  /** A snapshot takes the log's place: what it committed on the way cannot be seen any more. */
  restore({ index, term }: SnapshotMeta, report: Report): void {
    // Nothing of a newer term than the snapshot's lies under it, whatever the log was.
    const lost: Report = (token, outcome) => {
      const isNewer = outcome.kind === 'unknown' && outcome.term > term;
      report(token, isNewer ? { ...outcome, kind: 'lost' } : outcome);
    };
    this.commit(index, () => undefined, lost);
    this.#loseOlder(term, report);
  }

  /** Gives up on everything: the node stops. */
  abandon(report: Report): void {
    for (const { first, term, tokens, settled } of this.#runs) {
      tokens.forEach((token, i) => {
        if (i >= settled) report(token, { kind: 'unknown', index: first + i, term });
      });
    }
    this.#runs = [];
    this.#count = 0;
  }

  /** The state as text, for `keyOf`. */
  get key(): string {
    const runs = this.#runs.map(
      ({ first, term, tokens, settled }) => `${first}/${term}:${tokens.join('+')}-${settled}`,
    );
    return `${this.#committedTerm}${this.#hasOlder ? '!' : ''} ${runs.join()}`;
  }

  clone(): OutcomeTracker {
    const copy = new OutcomeTracker();
    copy.#runs = this.#runs.map((run) => ({ ...run }));
    copy.#count = this.#count;
    copy.#committedTerm = this.#committedTerm;
    copy.#hasOlder = this.#hasOlder;
    return copy;
  }
}

/** Settles the tokens of a run through `index`; returns how many. */
function settleThrough(
  run: Run,
  index: LogIndex,
  termAt: (index: LogIndex) => Term | undefined,
  report: Report,
): number {
  const { term, tokens, settled } = run;
  for (; run.settled < tokens.length && run.first + run.settled <= index; run.settled++) {
    const at = run.first + run.settled;
    const token = tokens[run.settled];
    if (token !== undefined) report(token, { kind: verdict(termAt(at), term), index: at, term });
  }
  return run.settled - settled;
}

function verdict(committed: Term | undefined, accepted: Term): 'committed' | 'lost' | 'unknown' {
  if (committed === undefined) return 'unknown';
  return committed === accepted ? 'committed' : 'lost';
}
