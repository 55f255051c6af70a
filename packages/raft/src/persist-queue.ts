import { assert } from '@etcd-ts/base';
import type { LogIndex } from './entry.ts';

/** One persist effect that is not yet acknowledged. */
interface PendingGroup {
  readonly group: number;
  /** The log through here is durable with this group, as far as it was not cut off since. */
  lastIndex: LogIndex;
  /** Index of the snapshot in the group; 0 for none. */
  readonly snapshotIndex: LogIndex;
  /** The group holds the node's own vote, or stands for its own pre-vote. */
  readonly ownVote: boolean;
}

/** What became durable by an acknowledgement. */
export interface Durable {
  /** 0 when no entry did. */
  readonly lastIndex: LogIndex;
  /** Index of the newest snapshot that did; 0 for none. */
  readonly snapshotIndex: LogIndex;
  readonly ownVote: boolean;
}

/**
 * The writes on their way to the disk, in the order of their groups.
 *
 * Overwritten entries are a trap: a group's entries may have been cut off and replaced, even by equal ones,
 * before it is acknowledged. So cutting off the log clips every group on its way: what an acknowledgement
 * makes durable is always a prefix that no later group overwrites.
 *
 * Invariant: groups ascend without gap up to `newest`.
 */
export class PersistQueue {
  #pending: PendingGroup[] = [];
  #newest = 0;

  /** Number of the newest group given out; 0 before the first. */
  get newest(): number {
    return this.#newest;
  }

  /** True when nothing is on its way to the disk. */
  get isEmpty(): boolean {
    return this.#pending.length === 0;
  }

  /** Gives out the next group. */
  push({ lastIndex, snapshotIndex, ownVote }: Durable): number {
    this.#newest++;
    this.#pending.push({ group: this.#newest, lastIndex, snapshotIndex, ownVote });
    return this.#newest;
  }

  /** The log was cut off after `index`. */
  clip(index: LogIndex): void {
    for (const pending of this.#pending) pending.lastIndex = Math.min(pending.lastIndex, index);
  }

  /** Everything through `group` is durable; undefined when that is no news. */
  acknowledge(group: number): Durable | undefined {
    assert(
      group <= this.#newest,
      () => `group ${group} was never given out (newest ${this.#newest})`,
    );
    let count = 0;
    let lastIndex = 0;
    let snapshotIndex = 0;
    let ownVote = false;
    for (const pending of this.#pending) {
      if (pending.group > group) break;
      count++;
      lastIndex = Math.max(lastIndex, pending.lastIndex);
      snapshotIndex = Math.max(snapshotIndex, pending.snapshotIndex);
      ownVote ||= pending.ownVote;
    }
    if (count === 0) return undefined;
    this.#pending.splice(0, count);
    return { lastIndex, snapshotIndex, ownVote };
  }

  /** The vote on its way is for an election that is over. */
  forgetOwnVote(): void {
    this.#pending = this.#pending.map((pending) =>
      pending.ownVote ? { ...pending, ownVote: false } : pending,
    );
  }

  /** The state as text, for `keyOf`. */
  get key(): string {
    const pending = this.#pending.map(
      ({ group, lastIndex, snapshotIndex, ownVote }) =>
        `${this.#newest - group}:${lastIndex}:${snapshotIndex}:${ownVote ? 1 : 0}`,
    );
    return pending.join();
  }

  clone(): PersistQueue {
    const copy = new PersistQueue();
    copy.#pending = this.#pending.map((pending) => ({ ...pending }));
    copy.#newest = this.#newest;
    return copy;
  }
}
