/**
 * Watchers by what they watch: single keys in a map, ranges in an interval tree, so that a change finds its watchers
 * without asking the others.
 */
import { IntervalTree } from './interval-tree.ts';
import type { KeyRange } from './key-range.ts';

/** What a group needs to know of a watcher. */
export interface Watching {
  readonly range: KeyRange;
  /** The one key watched, or undefined for a range. */
  readonly key: string | undefined;
}

/** See the file's head. */
export class WatcherGroup<W extends Watching> {
  /** A lone watcher of a key stands here itself; a set costs several hundred bytes. */
  readonly #byKey = new Map<string, W | Set<W>>();
  readonly #byRange: IntervalTree<W> = new IntervalTree();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(watcher: W): void {
    this.#size++;
    if (watcher.key === undefined) {
      this.#byRange.add(watcher.range, watcher);
      return;
    }
    const there = this.#byKey.get(watcher.key);
    if (there === undefined) this.#byKey.set(watcher.key, watcher);
    else if (there instanceof Set) there.add(watcher);
    else this.#byKey.set(watcher.key, new Set([there, watcher]));
  }

  /** The watcher must be in the group. */
  delete(watcher: W): void {
    this.#size--;
    if (watcher.key === undefined) {
      this.#byRange.delete(watcher.range, watcher);
      return;
    }
    const there = this.#byKey.get(watcher.key);
    if (there instanceof Set && there.size > 1) there.delete(watcher);
    else this.#byKey.delete(watcher.key);
  }

  /** Adds to `into` everyone who watches just this key, in a fixed order. */
  collectByKey(key: string, into: W[]): void {
    const there = this.#byKey.get(key);
    // One by one: as arguments of one call they may be too many for the stack.
    if (there instanceof Set) for (const watcher of there) into.push(watcher);
    else if (there !== undefined) into.push(there);
  }

  /** Adds to `into` everyone who watches a range that holds the key, in a fixed order. */
  collectByRange(key: string, into: W[]): void {
    if (this.#byRange.size > 0) this.#byRange.collect(key, into);
  }

  /** Everyone. */
  *[Symbol.iterator](): Iterator<W> {
    for (const there of this.#byKey.values()) {
      if (there instanceof Set) yield* there;
      else yield there;
    }
    yield* this.#byRange;
  }
}
