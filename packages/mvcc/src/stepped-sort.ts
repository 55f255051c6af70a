/**
 * Sorts what comes piece by piece, in bounded steps, as one stable sort of the whole would: runs of some hundred items as
 * they come, then neighbours are merged, pair by pair, until one run is left.
 *
 * Invariant: the runs, one behind the other, hold the items in the order in which they came, but for the order inside
 * each run and for what a run has too many of.
 */

/** Items of a run that is sorted at once: less than a millisecond. */
const RUN_ITEMS = 512;

/** See the file's head. */
export class SteppedSort<T> {
  readonly #compare: (a: T, b: T) => number;
  readonly #keepMax: number;
  /** Runs of this round, and those that it has merged. */
  #runs: T[][] = [];
  #merged: T[][] = [];
  #merge: Merge<T> | undefined;
  /** What is not yet a run. */
  #coming: T[] = [];
  #size = 0;

  /** @param keepMax Only so many, the first ones, are wanted in the end. */
  constructor(compare: (a: T, b: T) => number, keepMax: number) {
    this.#compare = compare;
    this.#keepMax = keepMax;
  }

  /** Everything that was added. */
  get size(): number {
    return this.#size;
  }

  /** Adds an item behind all others. Not after the first step. */
  add(item: T): void {
    this.#size++;
    this.#coming.push(item);
    if (this.#coming.length >= RUN_ITEMS) this.#endRun();
  }

  /** Merges up to this many items. @returns true when everything is sorted. */
  step(itemsMax: number): boolean {
    if (this.#coming.length > 0) this.#endRun();
    for (let left = itemsMax; left > 0;) {
      this.#merge ??= this.#nextMerge();
      if (this.#merge === undefined) return true;
      left -= this.#merge.advance(left, this.#compare);
      if (!this.#merge.isDone) continue;
      this.#merged.push(this.#merge.into);
      this.#merge = undefined;
    }
    return false;
  }

  /** The first `keepMax` items in order. Only after `step` has returned true. */
  get sorted(): T[] {
    return this.#runs[0] ?? [];
  }

  #endRun(): void {
    this.#runs.push(this.#coming.sort(this.#compare).slice(0, this.#keepMax));
    this.#coming = [];
  }

  /** Undefined when one run is left, or none. */
  #nextMerge(): Merge<T> | undefined {
    if (this.#runs.length < 2 && this.#merged.length > 0) {
      this.#runs = [...this.#merged, ...this.#runs];
      this.#merged = [];
    }
    if (this.#runs.length < 2) return undefined;
    const [left = [], right = []] = this.#runs.splice(0, 2);
    return new Merge(left, right, this.#keepMax);
  }
}

/** Two neighbouring runs on their way into one. */
class Merge<T> {
  readonly into: T[] = [];
  readonly #left: readonly T[];
  readonly #right: readonly T[];
  readonly #length: number;
  #atLeft = 0;
  #atRight = 0;

  constructor(left: readonly T[], right: readonly T[], keepMax: number) {
    this.#left = left;
    this.#right = right;
    this.#length = Math.min(left.length + right.length, keepMax);
  }

  get isDone(): boolean {
    return this.into.length >= this.#length;
  }

  /** Moves up to this many items. @returns how many. */
  advance(itemsMax: number, compare: (a: T, b: T) => number): number {
    const { into } = this;
    const before = into.length;
    const end = Math.min(this.#length, before + itemsMax);
    while (into.length < end) {
      const left = this.#left[this.#atLeft];
      const right = this.#right[this.#atRight];
      const isLeft =
        this.#atRight >= this.#right.length ||
        (this.#atLeft < this.#left.length && compare(left as T, right as T) <= 0);
      into.push((isLeft ? left : right) as T);
      if (isLeft) this.#atLeft++;
      else this.#atRight++;
    }
    return into.length - before;
  }
}
