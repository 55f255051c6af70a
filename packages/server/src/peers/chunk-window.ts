/**
 * The content of a snapshot as its sender holds it: numbered chunks, read from their source once, kept until the receiver
 * says that it has them, so that a transfer whose connection broke goes on where it was.
 *
 * Invariant: at most {@link MAX_UNACKNOWLEDGED_BYTES} are kept, and one chunk more.
 */
import { assert } from '@etcd-ts/base';

/** Bytes that were sent and not yet acknowledged; beyond it the source is not read. */
export const MAX_UNACKNOWLEDGED_BYTES: number = 8 * 1024 * 1024;

/** See the file's head. */
export class ChunkWindow {
  readonly #source: AsyncIterator<Uint8Array>;
  /** Chunks from number `#first` on. */
  #kept: Uint8Array[] = [];
  #first = 0;
  #bytes = 0;
  #isEnded = false;
  #wake: (() => void) | undefined;
  #reading: Promise<void> | undefined;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#source = chunks[Symbol.asyncIterator]();
  }

  /**
   * The chunk of this number, once there is room for it; undefined behind the last one.
   *
   * @throws What the source failed with.
   */
  async at(number: number): Promise<Uint8Array | undefined> {
    assert(
      this.canResumeAt(number),
      () => `chunk ${number} is asked for, kept from ${this.#first}`,
    );
    for (;;) {
      const kept = this.#kept[number - this.#first];
      if (kept !== undefined || this.#isEnded) return kept;
      // Whoever asks for a connection that has broken meanwhile reads it for the next one.
      this.#reading ??= this.#read();
      await this.#reading;
    }
  }

  /** True when the receiver may ask for everything from this number on. */
  canResumeAt(number: number): boolean {
    return number >= this.#first && number <= this.#first + this.#kept.length;
  }

  /** Reads one chunk more. */
  async #read(): Promise<void> {
    while (this.#bytes > MAX_UNACKNOWLEDGED_BYTES) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const next = await this.#source.next();
    this.#reading = undefined;
    if (next.done === true) {
      this.#isEnded = true;
      return;
    }
    this.#kept.push(next.value);
    this.#bytes += next.value.length;
  }

  /** The receiver has every chunk before this number. */
  acknowledge(number: number): void {
    const count = Math.min(number - this.#first, this.#kept.length);
    for (const chunk of this.#kept.splice(0, Math.max(0, count))) this.#bytes -= chunk.length;
    this.#first = Math.max(this.#first, number);
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Nothing more is asked for: the source may free what it holds, when it comes to it. */
  close(): void {
    this.#source.return?.().catch(() => undefined);
  }
}
