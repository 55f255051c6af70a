/**
 * Which answers to requests for progress speak of which watchers of a stream.
 *
 * The cluster answers such a request once, if all watchers of the stream are up to date when it comes, and never
 * otherwise. Its answers to creates wait in another queue (etcd api/v3rpc/watch.go, sendLoop), so that the answer to a
 * later create may come before it. An answer that speaks of a watcher which was made behind it would pass for the
 * watcher's own: what the watcher has still to tell of the past would be lost.
 *
 * What always holds: {@link WatchProgress.speaksOf} is true only when the request that was answered reached the
 * cluster behind the watcher's create.
 */

/** How a watcher was made on the stream. */
export interface Made {
  /** Revision of the store then. */
  readonly revision: number;
  /** Requests for progress that had been sent when the answer to its create came. */
  readonly asked: number;
}

/** Requests for progress on one stream, and their answers. */
export class WatchProgress {
  #asked = 0;
  #answered = 0;

  /** A request is sent. */
  asks(): void {
    this.#asked += 1;
  }

  /** An answer has come. */
  answers(): void {
    this.#answered += 1;
  }

  /** A watcher was made, when the store had this revision. */
  made(revision: number): Made {
    return { revision, asked: this.#asked };
  }

  /** Whether the answer that came last, with this revision of the store, speaks of a watcher too. */
  speaksOf(made: Made, revision: number): boolean {
    // Some are never answered: the n-th answer is to the n-th request or a later one.
    return revision > made.revision || this.#answered > made.asked;
  }
}
