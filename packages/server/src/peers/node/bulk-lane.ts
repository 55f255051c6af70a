/**
 * Snapshots to a peer: one connection each, so that messages never wait behind them. A connection that breaks is made
 * again, and the transfer goes on behind what the peer has.
 *
 * What is said: `snapshot` with the transfer's number, answered by `position`; then `chunk`s, each acknowledged by
 * `position`, then `end`, answered by `taken` or `refused`. `abandoned` ends it from this side.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { deferred } from '@etcd-ts/base';
import type { SnapshotMessage } from '@etcd-ts/raft';
import type { PeerCounts } from '../../metrics/peer-traffic.ts';
import { ChunkWindow } from '../chunk-window.ts';
import { encodeMessage } from '../message-codec.ts';
import { type PeerRecord, RECORD } from '../peer-record.ts';
import { Connection } from './connection.ts';
import { dialAny, type DialParts } from './dial.ts';

/** A transfer that does not move for so long is broken off. */
export const SNAPSHOT_STALL_MS = 30_000;

/** A transfer whose connection is gone can be taken up again for so long, at either end. */
export const SNAPSHOT_RESUME_MS = 10_000;

/** Between two attempts to take it up. */
const RESUME_PAUSE_MS = 50;

/** Numbers of transfers: drawn, so that one of before a restart is not taken for another. */
const TRANSFER_NUMBERS = 2 ** 47;

/** What ends a transfer for good, as opposed to its connection. */
class TransferFailed extends Error {
  override readonly name = 'TransferFailed';
}

/** What a transfer is made of. */
export interface SnapshotTransferParts extends DialParts {
  readonly urls: readonly string[];
  readonly message: SnapshotMessage;
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
  /** Where what passes is counted. */
  readonly counts: PeerCounts;
}

/**
 * Streams a snapshot to a peer.
 *
 * @throws Error when the peer cannot be reached, refuses it, or the transfer stalls or cannot be taken up again.
 */
export async function sendSnapshot(parts: SnapshotTransferParts): Promise<void> {
  const transfer = new OutgoingTransfer(parts);
  try {
    await transfer.run();
  } finally {
    transfer.close();
  }
}

/** The sending end of one transfer. */
class OutgoingTransfer {
  readonly #parts: SnapshotTransferParts;
  readonly #window: ChunkWindow;
  readonly #number = randomInt(TRANSFER_NUMBERS);
  #movedMs = performance.now();
  #connection: Connection | undefined;

  constructor(parts: SnapshotTransferParts) {
    this.#parts = parts;
    this.#window = new ChunkWindow(parts.chunks);
  }

  async run(): Promise<void> {
    const { urls, local, tls, message, signal, counts } = this.#parts;
    for (let isResumed = false; ; isResumed = true) {
      try {
        const { socket, head } = await dialAny({ local, tls }, urls, message.to, 'bulk', signal);
        await this.#over(new Connection(socket, head, counts), isResumed);
        return;
      } catch (error) {
        const isHopeless = performance.now() - this.#movedMs > SNAPSHOT_RESUME_MS;
        const wasConnected = this.#connection !== undefined;
        if (error instanceof TransferFailed || !wasConnected || isHopeless) throw error;
        if (signal.aborted) throw aborted(signal);
        await pause(RESUME_PAUSE_MS);
      }
    }
  }

  /** Nothing is read from the source any more. */
  close(): void {
    this.#window.close();
  }

  /** Does as much of it as one connection lasts. */
  async #over(connection: Connection, isResumed: boolean): Promise<void> {
    const { message, signal } = this.#parts;
    this.#connection = connection;
    const { promise, resolve, reject } = deferred<void>();
    const onAbort = (): void => reject(aborted(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    const stalls = setInterval(() => {
      if (performance.now() - this.#movedMs < SNAPSHOT_STALL_MS) return;
      reject(new TransferFailed(`the transfer did not move for ${SNAPSHOT_STALL_MS} ms`));
    }, SNAPSHOT_STALL_MS / 30);
    let isPumping = false;
    connection.listen({
      record: (record) => {
        this.#movedMs = performance.now();
        if (record[0] === RECORD.taken) return resolve();
        if (record[0] === RECORD.refused) return reject(new TransferFailed(String(record[1])));
        if (record[0] !== RECORD.position) return;
        const next = Number(record[1]);
        this.#window.acknowledge(next);
        if (isPumping) return;
        isPumping = true;
        this.#pump(connection, next).catch(reject);
      },
      closed: (error) => reject(error ?? new Error('the peer broke the transfer off')),
    });
    connection.send([RECORD.snapshot, encodeMessage(message), this.#number, isResumed]);
    try {
      await promise;
    } catch (error) {
      if (error instanceof TransferFailed) connection.send([RECORD.abandoned, error.message]);
      throw error;
    } finally {
      clearInterval(stalls);
      signal.removeEventListener('abort', onAbort);
      connection.end();
    }
  }

  /** Sends the chunks from this number on while the connection lasts. */
  async #pump(connection: Connection, from: number): Promise<void> {
    if (!this.#window.canResumeAt(from)) {
      throw new TransferFailed(`the peer asks for chunk ${from}, which is not kept any more`);
    }
    for (let number = from; !connection.isClosed; number++) {
      const chunk = await this.#next(number);
      const record: PeerRecord = chunk === undefined ? [RECORD.end] : [RECORD.chunk, chunk, number];
      if (!connection.send(record) || chunk === undefined) return;
      await connection.drained();
      this.#movedMs = performance.now();
    }
  }

  async #next(number: number): Promise<Uint8Array | undefined> {
    try {
      return await this.#window.at(number);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new TransferFailed(`the content broke off: ${why}`, { cause });
    }
  }
}

function aborted(signal: AbortSignal): TransferFailed {
  return new TransferFailed('the transfer was ended', { cause: signal.reason });
}
