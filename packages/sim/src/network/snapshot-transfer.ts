/** A snapshot on its way from one member to another: chunks in a window, each acknowledged, ended by the receiver. */
import { MessageQueue } from '@etcd-ts/protocol';
import type { SimProcess } from '../world/process.ts';
import type { ParcelStream } from './network.ts';

/** Chunks on their way at a time. */
export const SNAPSHOT_WINDOW_CHUNKS = 4;
/** A transfer whose receiver is silent for so long is given up. */
export const SNAPSHOT_STALL_US = 5_000_000;
const STALL_CHECK_US = 1_000_000;

/** What a transfer needs of the transports at its two ends. */
export interface TransferLane {
  /** Sends a part to the receiver; `deliver` runs there. */
  send(sizeBytes: number, stream: ParcelStream, deliver: () => void, onLost: () => void): void;
  /** Sends a word back to the sender; runs there. */
  answer(deliver: () => void): void;
  /** The receiver takes the content; resolves when it has it in full. */
  receive(chunks: AsyncIterable<Uint8Array>): Promise<void>;
}

/** Bytes of a part without content. */
const HEADER_BYTES = 64;

interface Settle {
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

/** One transfer, as its sender runs it. */
export class SnapshotTransfer {
  readonly #sender: SimProcess;
  readonly #lane: TransferLane;
  readonly #stream: ParcelStream = { isBroken: false };
  /** Between the lane's end and the receiver's reading. */
  readonly #arrived = new MessageQueue<Uint8Array>(SNAPSHOT_WINDOW_CHUNKS);
  readonly #settle: Settle;
  #inFlight = 0;
  #wake: (() => void) | undefined;
  #isOver = false;
  #heardUs: number;

  private constructor(sender: SimProcess, lane: TransferLane, settle: Settle) {
    this.#sender = sender;
    this.#lane = lane;
    this.#settle = settle;
    this.#heardUs = sender.world.nowUs;
  }

  /**
   * Sends everything.
   *
   * @throws Error when the connection breaks, the receiver refuses or falls silent, or the signal is aborted.
   */
  static run(
    sender: SimProcess,
    lane: TransferLane,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    let onAbort = (): void => undefined;
    const outcome = new Promise<void>((done, failed) => {
      const transfer = new SnapshotTransfer(sender, lane, { done, failed });
      onAbort = () => transfer.#fail('it was given up');
      signal.addEventListener('abort', onAbort, { once: true });
      // The receiver sees the connection end with its sender.
      sender.onKill(() => transfer.#arrived.abort(new Error('connection reset')));
      transfer.#watchForStall();
      transfer.#begin();
      transfer.#pump(chunks).catch((error: unknown) => transfer.#fail(textOf(error)));
    });
    return outcome.finally(() => signal.removeEventListener('abort', onAbort));
  }

  #begin(): void {
    const answer = (error?: string): void =>
      this.#lane.answer(() => {
        if (error !== undefined) this.#fail(error);
        else this.#finish();
      });
    this.#send(HEADER_BYTES, () => {
      this.#lane.receive(this.#arrived).then(
        () => answer(),
        (error: unknown) => answer(textOf(error)),
      );
    });
  }

  async #pump(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of chunks) {
      while (this.#inFlight >= SNAPSHOT_WINDOW_CHUNKS && !this.#isOver) {
        await new Promise<void>((resume) => (this.#wake = resume));
      }
      if (this.#isOver) return;
      this.#inFlight++;
      const copy = chunk.slice();
      this.#send(copy.length, () => {
        this.#arrived.push(copy);
        this.#lane.answer(() => this.#acknowledged());
      });
    }
    this.#send(HEADER_BYTES, () => this.#arrived.end());
  }

  #send(sizeBytes: number, deliver: () => void): void {
    this.#lane.send(sizeBytes, this.#stream, deliver, () => this.#fail('the connection broke'));
  }

  #acknowledged(): void {
    this.#heardUs = this.#sender.world.nowUs;
    this.#inFlight--;
    this.#wake?.();
  }

  #watchForStall(): void {
    if (this.#isOver) return;
    const silentUs = this.#sender.world.nowUs - this.#heardUs;
    if (silentUs >= SNAPSHOT_STALL_US) this.#fail(`nothing heard for ${silentUs} us`);
    else this.#sender.schedule(STALL_CHECK_US, 'stall', () => this.#watchForStall());
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#settle.done();
  }

  #fail(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#arrived.abort(new Error(why));
    this.#wake?.();
    this.#settle.failed(new Error(`the snapshot was not sent: ${why}`));
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
