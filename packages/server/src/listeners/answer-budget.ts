/**
 * How much may wait for clients that do not read their answers, on all connections of a node together.
 *
 * Beyond the limit either the new answer is refused, or, where another connection holds more than it asks for, that one
 * is hung up on: who does not read loses, and nobody else.
 *
 * Invariant: what waits is at most the limit, and half the limit and one answer while an answer larger than half of it
 * waits.
 */
import { EtcdError } from '@etcd-ts/protocol';

/** Bytes of answers that wait for clients, on one node. */
export const MAX_WAITING_ANSWER_BYTES: number = 256 << 20;

/** What is smaller is not counted: its number is bounded by that of streams and connections. */
export const SMALL_ANSWER_BYTES: number = 64 * 1024;

/** Who has answers waiting. */
export interface AnswerHolder {
  /** Bytes that wait for it now. */
  readonly waitingBytes: number;
  /** Hangs up on it; nothing waits for it after this. */
  hangUp(reason: string): void;
}

/** The answers of one node. */
export class AnswerBudget {
  readonly #limitBytes: number;
  readonly #holders = new Set<AnswerHolder>();

  constructor(limitBytes: number = MAX_WAITING_ANSWER_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes that wait for all. */
  get waitingBytes(): number {
    let bytes = 0;
    for (const holder of this.#holders) bytes += holder.waitingBytes;
    return bytes;
  }

  /** Counts a holder until it {@link leave}s. */
  join(holder: AnswerHolder): void {
    this.#holders.add(holder);
  }

  leave(holder: AnswerHolder): void {
    this.#holders.delete(holder);
  }

  /**
   * Asks for room for an answer that may have to wait. Small ones always have it.
   *
   * @throws EtcdError RESOURCE_EXHAUSTED: the answer is to be dropped.
   */
  admit(bytes: number, holder: AnswerHolder): void {
    if (bytes < SMALL_ANSWER_BYTES) return;
    const share = Math.min(bytes, this.#limitBytes / 2);
    for (;;) {
      const waiting = this.waitingBytes;
      if (waiting + share <= this.#limitBytes) return;
      const largest = this.#largest();
      if (largest === undefined || largest === holder || largest.waitingBytes <= bytes) {
        throw new EtcdError('RESOURCE_EXHAUSTED', { message: this.#text(waiting) });
      }
      largest.hangUp(this.#text(waiting));
      this.#holders.delete(largest);
    }
  }

  #text(waitingBytes: number): string {
    return `etcdserver: answers of ${waitingBytes} bytes wait to be read (limit ${this.#limitBytes})`;
  }

  #largest(): AnswerHolder | undefined {
    let largest: AnswerHolder | undefined;
    for (const holder of this.#holders) {
      if (largest === undefined || holder.waitingBytes > largest.waitingBytes) largest = holder;
    }
    return largest;
  }
}
