import { assert } from '@etcd-ts/base';
import type { SnapshotMeta } from '@etcd-ts/raft';

/**
 * The one snapshot that a node takes in at a time.
 *
 * Its way: received (content arrives, outside the state), offered (its message is before the core), then used by a
 * persist effect or, when the core does not want it, left over at the end of the turn.
 */
export class SnapshotOffers {
  readonly #abort = new AbortController();
  #receiving = false;
  #offered: SnapshotMeta | undefined;

  /** Aborted when the engine ends; for transfers in both directions. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** @throws Error when one is under way already: the sender tries again. */
  async receive(meta: SnapshotMeta, content: () => Promise<void>): Promise<void> {
    if (this.#receiving || this.#offered !== undefined) {
      throw new Error(`snapshot at index ${meta.index} refused: another one is being received`);
    }
    this.#receiving = true;
    try {
      await content();
    } finally {
      this.#receiving = false;
    }
  }

  offer(meta: SnapshotMeta): void {
    this.#offered = meta;
  }

  use(meta: SnapshotMeta): void {
    const offered = this.#offered;
    assert(
      offered !== undefined && offered.index === meta.index && offered.term === meta.term,
      () => `the core wants snapshot ${meta.index}, the content at hand is of ${offered?.index}`,
    );
    this.#offered = undefined;
  }

  /** What the core did not take; asked at the end of a turn. */
  takeUnused(): SnapshotMeta | undefined {
    const unused = this.#offered;
    this.#offered = undefined;
    return unused;
  }

  end(): void {
    this.#abort.abort(new Error('the engine has ended'));
  }
}
