/**
 * Snapshots from peers. A transfer outlives its connection for a while: its sender comes back and is told from where on.
 *
 * What always holds
 * - One transfer of a sender at a time; a new one takes the place of the one before.
 * - A transfer without a connection gives way to any other: it keeps nobody waiting. A sender that is gone without a word (its
 *   machine lost power) has none after {@link SNAPSHOT_STALL_MS}.
 * - Chunks reach the receiver in order, each once. More than {@link MAX_RECEIVED_BYTES} unread hold the sender back.
 */
import type { SnapshotMessage } from '@etcd-ts/raft';
import { decodeMessage, type MessageRecord } from '../message-codec.ts';
import type { LocalPeer, PeerHandlers } from '../peer-transport.ts';
import { type PeerRecord, RECORD } from '../peer-record.ts';
import { SNAPSHOT_RESUME_MS, SNAPSHOT_STALL_MS } from './bulk-lane.ts';
import type { Connection } from './connection.ts';

/** Bytes of content that wait for the database at the receiver; beyond it the sender is held back. */
export const MAX_RECEIVED_BYTES: number = 8 * 1024 * 1024;

/** What comes in on the bulk lane. */
export class IncomingTransfers {
  readonly #local: LocalPeer;
  readonly #handlers: PeerHandlers;
  readonly #transfers = new Map<bigint, IncomingTransfer>();

  constructor(local: LocalPeer, handlers: PeerHandlers) {
    this.#local = local;
    this.#handlers = handlers;
  }

  /** A connection that a peer made for a snapshot. */
  accept(connection: Connection, from: bigint): void {
    let transfer: IncomingTransfer | undefined;
    let heardMs = performance.now();
    const stalls = setInterval(() => {
      if (transfer?.isBusy === true) heardMs = performance.now();
      if (performance.now() - heardMs < SNAPSHOT_STALL_MS) return;
      connection.destroy(new Error(`nothing was heard for ${SNAPSHOT_STALL_MS} ms`));
    }, SNAPSHOT_STALL_MS / 30);
    stalls.unref();
    connection.listen({
      record: (record) => {
        heardMs = performance.now();
        if (transfer === undefined) transfer = this.#begin(connection, from, record);
        else transfer.take(connection, record);
      },
      closed: (error) => {
        clearInterval(stalls);
        transfer?.detach(connection, error);
      },
    });
  }

  /** Every transfer ends. */
  close(): void {
    for (const transfer of this.#transfers.values()) transfer.fail('the member is stopping');
    this.#transfers.clear();
  }

  #begin(
    connection: Connection,
    from: bigint,
    [type, encoded, number, isResumed]: PeerRecord,
  ): IncomingTransfer | undefined {
    if (type !== RECORD.snapshot) {
      connection.destroy(new Error('not a snapshot'));
      return undefined;
    }
    const known = this.#transfers.get(from);
    if (known !== undefined && known.number === number) {
      known.attach(connection);
      return known;
    }
    if (isResumed === true) {
      connection.send([RECORD.refused, 'the transfer is not known here any more']);
      connection.end();
      return undefined;
    }
    const message = decodeMessage(encoded as MessageRecord, from, this.#local.id);
    if (message.type !== 'snapshot') {
      connection.destroy(new Error(`${message.type} on the bulk lane`));
      return undefined;
    }
    for (const [sender, other] of this.#transfers) {
      if (sender === from || !other.isAttached) other.fail('another snapshot took its place');
    }
    const transfer = new IncomingTransfer(Number(number), () => {
      if (this.#transfers.get(from) === transfer) this.#transfers.delete(from);
    });
    this.#transfers.set(from, transfer);
    transfer.attach(connection);
    transfer.receive(message, this.#handlers);
    return transfer;
  }
}

/** The receiving end of one transfer. */
class IncomingTransfer {
  readonly number: number;
  readonly #over: () => void;
  #connection: Connection | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  /** Number of the chunk that comes next. */
  #next = 0;
  #isComplete = false;
  #isHeldBack = false;
  #error: Error | undefined;
  /** How it ended; told again to a sender that did not hear it. */
  #outcome: PeerRecord | undefined;
  #wake: (() => void) | undefined;

  /** @param over Called when it need not be known any more. */
  constructor(number: number, over: () => void) {
    this.number = number;
    this.#over = over;
  }

  get isAttached(): boolean {
    return this.#connection !== undefined;
  }

  /** It is this end's turn: nothing is awaited from the sender. */
  get isBusy(): boolean {
    return this.#outcome === undefined && (this.#isComplete || this.#isHeldBack);
  }

  /** Its sender is on this connection now. */
  attach(connection: Connection): void {
    this.#connection?.destroy();
    this.#connection = connection;
    this.#isHeldBack = false;
    clearTimeout(this.#expiry);
    connection.send([RECORD.position, this.#next]);
    if (this.#outcome !== undefined) this.#tell(this.#outcome);
    else if (this.#bytes > MAX_RECEIVED_BYTES) this.#holdBack(connection);
  }

  /** The connection is gone; the sender may come back. */
  detach(connection: Connection, error: Error | undefined): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    const why = error?.message ?? 'the sender broke it off';
    this.#expiry = setTimeout(
      () => this.fail(`the connection was lost: ${why}`),
      SNAPSHOT_RESUME_MS,
    );
    this.#expiry.unref();
  }

  /** It will not become whole. Harmless at its end. */
  fail(why: string): void {
    clearTimeout(this.#expiry);
    this.#over();
    this.#error ??= new Error(`the transfer was broken off: ${why}`);
    this.#wake?.();
  }

  /** Hands its content on, and answers. */
  receive(message: SnapshotMessage, handlers: PeerHandlers): void {
    handlers.receiveSnapshot(message, this.#content()).then(
      () => this.#ended([RECORD.taken]),
      (error: unknown) =>
        this.#ended([RECORD.refused, error instanceof Error ? error.message : String(error)]),
    );
  }

  /** Takes what the sender says. */
  take(connection: Connection, [type, content, number]: PeerRecord): void {
    if (this.#connection !== connection) return;
    switch (type) {
      case RECORD.chunk:
        return this.#takeChunk(connection, content as Uint8Array, Number(number));
      case RECORD.end:
        this.#isComplete = true;
        return this.#wake?.();
      case RECORD.abandoned:
        this.fail(String(content));
    }
  }

  #takeChunk(connection: Connection, chunk: Uint8Array, number: number): void {
    if (number !== this.#next) {
      return connection.destroy(new Error(`chunk ${number} instead of ${this.#next}`));
    }
    this.#next += 1;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    connection.send([RECORD.position, this.#next]);
    if (this.#bytes > MAX_RECEIVED_BYTES) this.#holdBack(connection);
    this.#wake?.();
  }

  #holdBack(connection: Connection): void {
    this.#isHeldBack = true;
    connection.pause();
  }

  #goOn(): void {
    this.#isHeldBack = false;
    this.#connection?.resume();
  }

  #ended(outcome: PeerRecord): void {
    this.#outcome = outcome;
    this.#chunks = [];
    if (this.#connection !== undefined) this.#tell(outcome);
  }

  #tell(outcome: PeerRecord): void {
    this.#goOn();
    this.#connection?.send(outcome);
    this.#connection?.end();
  }

  async *#content(): AsyncGenerator<Uint8Array> {
    for (;;) {
      // What a sender gave up is not worth the reading of what came before.
      if (this.#error !== undefined) throw this.#error;
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#bytes -= chunk.length;
        if (this.#bytes <= MAX_RECEIVED_BYTES / 2) this.#goOn();
        yield chunk;
        continue;
      }
      if (this.#isComplete) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
