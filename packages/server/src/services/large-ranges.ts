/**
 * Ranges that are read at the same time: small ones as many as there are, large ones in turn. What is being read is held
 * until it is whole, so this is what bounds it.
 */
import { EtcdError } from '@etcd-ts/protocol';

/** Large ranges that a node reads at a time; the others wait. */
export const MAX_LARGE_RANGES = 4;

/** The large ranges of one node. */
export class LargeRanges {
  #running = 0;
  readonly #waiting = new Set<() => void>();

  /** Those that wait for their turn. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves when it is this range's turn, to how it ends it. In the order of the calls.
   *
   * @throws EtcdError the signal's reason: the range is not wanted any more.
   */
  async enter(signal: AbortSignal): Promise<() => void> {
    if (this.#running < MAX_LARGE_RANGES) this.#running += 1;
    else await this.#wait(signal);
    let hasEnded = false;
    return () => {
      if (hasEnded) return;
      hasEnded = true;
      // The place goes on to whoever waits longest.
      const [next] = this.#waiting;
      if (next === undefined) this.#running -= 1;
      else next();
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const proceed = (): void => {
        this.#waiting.delete(proceed);
        signal.removeEventListener('abort', abandon);
        resolve();
      };
      const abandon = (): void => {
        this.#waiting.delete(proceed);
        reject(EtcdError.from(signal.reason));
      };
      if (signal.aborted) return abandon();
      this.#waiting.add(proceed);
      signal.addEventListener('abort', abandon, { once: true });
    });
  }
}
