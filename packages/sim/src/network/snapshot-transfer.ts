/**
 * A snapshot on its way from one member to another: numbered parts in a window, each acknowledged when its receiver is
 * ready for more. Where the connection breaks, the next one goes on behind what has arrived; the content is read once.
 *
 * Both ends are written down here; what the receiver does happens where a part is delivered, what the sender does where
 * an answer is.
 */
import { MessageQueue } from '@etcd-ts/protocol';
import type { SimProcess } from '../world/process.ts';
import type { ParcelStream } from './network.ts';

/** Chunks that were sent and not yet acknowledged. */
export const SNAPSHOT_WINDOW_CHUNKS = 4;
/** A transfer that does not move for so long is given up. */
export const SNAPSHOT_STALL_US = 10_000_000;
/** One whose connection is gone is taken up again for so long. */
export const SNAPSHOT_RESUME_US = 3_000_000;
/** Between two attempts to take it up. */
const RESUME_PAUSE_US = 50_000;
/** After so long without a word the connection is taken for broken: an answer may have been lost. */
const SILENCE_US = 500_000;

/** Bytes of a part without content. */
const HEADER_BYTES = 64;

/** One thing that is sent to the receiver. */
export interface TransferParcel {
  readonly sizeBytes: number;
  /** The connection that it is sent on. */
  readonly stream: ParcelStream;
  /** Runs at the receiver. */
  readonly deliver: () => void;
  /** Runs at the sender: the connection broke. */
  readonly onLost: () => void;
  /** Runs at the sender: who listens there now is not who began to receive. */
  readonly onForgotten: () => void;
}

/** What a transfer needs of the transports at its two ends. */
export interface TransferLane {
  send(parcel: TransferParcel): void;
  /** Sends a word back to the sender; runs there. */
  answer(deliver: () => void): void;
  /** The receiver takes the content; resolves when it has it in full. */
  receive(chunks: AsyncIterable<Uint8Array>): Promise<void>;
}

/** A chunk, or the end behind the last one. */
type Part = Uint8Array | 'end';

/** One transfer. */
export class SnapshotTransfer {
  /** Resolves when the receiver has taken it; rejects when it will not. */
  readonly outcome: Promise<void>;
  readonly #sender: SimProcess;
  readonly #lane: TransferLane;
  readonly #source: AsyncIterator<Uint8Array>;
  #settle!: { readonly done: () => void; readonly failed: (error: Error) => void };
  #isOver = false;
  #heardUs: number;
  #movedUs: number;
  #hasHeard = false;

  /** The connection that there is; nothing of an earlier one counts. */
  #stream: ParcelStream = { isBroken: false };
  /** Next part to be sent on it; undefined until the receiver has said what it has. */
  #cursor: number | undefined;
  /** Parts from number `#first` on, which the receiver has not acknowledged. */
  readonly #kept: Part[] = [];
  #first = 0;
  #isReading = false;
  #isRead = false;

  // The receiver's end.
  readonly #arrived = new MessageQueue<Uint8Array>(SNAPSHOT_WINDOW_CHUNKS);
  #isBegun = false;
  /** Number of the part that comes next, and parts for which there was room. */
  #expected = 0;
  #taken = 0;
  /** What became of it, once that is known: an error, or nothing. */
  #result: { readonly error?: string } | undefined;

  /** Begins at once. */
  constructor(
    sender: SimProcess,
    lane: TransferLane,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ) {
    this.#sender = sender;
    this.#lane = lane;
    this.#source = chunks[Symbol.asyncIterator]();
    this.#heardUs = this.#movedUs = sender.world.nowUs;
    // The receiver sees the connection end with its sender.
    const forget = sender.onKill(() => this.#arrived.abort(new Error('connection reset')));
    const onAbort = (): void => this.fail('it was given up');
    signal.addEventListener('abort', onAbort, { once: true });
    this.outcome = new Promise<void>((done, failed) => {
      this.#settle = { done, failed };
    }).finally(() => {
      forget();
      signal.removeEventListener('abort', onAbort);
    });
    this.#watch();
    this.#connect();
  }

  /** Ends it; harmless when it is over. */
  fail(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#arrived.abort(new Error(why));
    this.#source.return?.().catch(() => undefined);
    this.#settle.failed(new Error(`the snapshot was not sent: ${why}`));
  }

  /** At the receiver: it takes nothing more. */
  cutOff(why: string): void {
    this.#arrived.abort(new Error(`the transfer was broken off: ${why}`));
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#settle.done();
  }

  #connect(): void {
    this.#stream.isBroken = true;
    const stream: ParcelStream = { isBroken: false };
    this.#stream = stream;
    this.#cursor = undefined;
    this.#send(HEADER_BYTES, stream, () => this.#onConnected(stream));
  }

  #send(sizeBytes: number, stream: ParcelStream, deliver: () => void): void {
    this.#lane.send({
      sizeBytes,
      stream,
      deliver,
      onLost: () => this.#broke(stream),
      onForgotten: () => this.fail('the receiver knows nothing of it'),
    });
  }

  /** At the sender: the connection is gone. */
  #broke(stream: ParcelStream): void {
    if (this.#isOver || stream !== this.#stream) return;
    const idleUs = this.#sender.world.nowUs - this.#movedUs;
    if (!this.#hasHeard || idleUs > SNAPSHOT_RESUME_US) return this.fail('the connection broke');
    stream.isBroken = true;
    this.#cursor = undefined;
    this.#sender.schedule(RESUME_PAUSE_US, 'resume', () => {
      if (!this.#isOver && stream === this.#stream) this.#connect();
    });
  }

  /** At the receiver: somebody connects. Says what is here already. */
  #onConnected(stream: ParcelStream): void {
    if (!this.#isBegun) this.#begin();
    if (this.#result !== undefined) return this.#answerResult(this.#result);
    const [expected, taken] = [this.#expected, this.#taken];
    this.#lane.answer(() => {
      if (stream !== this.#stream || this.#isOver) return;
      this.#acknowledge(taken);
      this.#cursor = expected;
      this.#pump();
    });
  }

  #begin(): void {
    this.#isBegun = true;
    const settled = (result: { readonly error?: string }): void => {
      this.#result = result;
      this.#answerResult(result);
    };
    this.#lane.receive(this.#arrived).then(
      () => settled({}),
      (error: unknown) => settled({ error: textOf(error) }),
    );
  }

  #answerResult({ error }: { readonly error?: string }): void {
    this.#lane.answer(() => {
      if (error === undefined) this.#finish();
      else this.fail(error);
    });
  }

  /** At the sender: sends what the window allows, and reads on. */
  #pump(): void {
    while (this.#cursor !== undefined && this.#cursor < this.#first + this.#kept.length) {
      const number = this.#cursor++;
      const part = this.#kept[number - this.#first] as Part;
      const sizeBytes = part === 'end' ? HEADER_BYTES : part.length;
      this.#send(sizeBytes, this.#stream, () => this.#onPart(number, part));
    }
    if (this.#isReading || this.#isRead || this.#kept.length >= SNAPSHOT_WINDOW_CHUNKS) return;
    this.#isReading = true;
    this.#source.next().then(
      (next) => {
        this.#isReading = false;
        this.#isRead = next.done === true;
        this.#kept.push(next.done === true ? 'end' : next.value.slice());
        if (!this.#isOver) this.#pump();
      },
      (error: unknown) => this.fail(textOf(error)),
    );
  }

  /** At the receiver: a part has come. What was here already has come on an earlier connection. */
  #onPart(number: number, part: Part): void {
    if (number !== this.#expected) return;
    this.#expected++;
    const taken = (): void => {
      this.#taken = number + 1;
      this.#lane.answer(() => this.#acknowledge(number + 1));
    };
    if (part === 'end') this.#arrived.end();
    else if (!this.#arrived.push(part)) return void this.#arrived.drained().then(taken);
    taken();
  }

  /** At the sender: every part before this one has found room. */
  #acknowledge(number: number): void {
    const { nowUs } = this.#sender.world;
    this.#hasHeard = true;
    this.#heardUs = nowUs;
    if (this.#isOver) return;
    if (number > this.#first) {
      this.#movedUs = nowUs;
      this.#kept.splice(0, number - this.#first);
      this.#first = number;
    }
    this.#pump();
  }

  /** At the sender: nothing was heard for a while. */
  #watch(): void {
    if (this.#isOver) return;
    const { nowUs } = this.#sender.world;
    const idleUs = nowUs - this.#movedUs;
    if (idleUs >= SNAPSHOT_STALL_US) return this.fail(`it did not move for ${idleUs} us`);
    if (nowUs - this.#heardUs >= SILENCE_US) {
      this.#heardUs = nowUs;
      this.#connect();
    }
    this.#sender.schedule(SILENCE_US, 'stall', () => this.#watch());
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
