/** Snapshots between peers: one connection each, so that messages never wait behind them. */
import { deferred } from '@etcd-ts/base';
import type { SnapshotMessage } from '@etcd-ts/raft';
import { decodeMessage, encodeMessage, type MessageRecord } from '../message-codec.ts';
import type { LocalPeer, PeerHandlers } from '../peer-transport.ts';
import { type PeerRecord, RECORD } from '../peer-record.ts';
import { Connection } from './connection.ts';
import { dialAny } from './dial.ts';

/** A transfer that does not move for so long is broken off. */
export const SNAPSHOT_STALL_MS = 30_000;

/** Bytes of content that wait for the database at the receiver; beyond it the sender is held back. */
export const MAX_RECEIVED_BYTES: number = 8 * 1024 * 1024;

/**
 * Streams a snapshot to a peer.
 *
 * @throws Error when the peer cannot be reached, refuses it, or the transfer stalls or breaks.
 */
export async function sendSnapshot(
  urls: readonly string[],
  local: LocalPeer,
  message: SnapshotMessage,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const { socket, head } = await dialAny(urls, local, message.to, 'bulk', signal);
  const connection = new Connection(socket, head);
  const watched = watch(signal, (error) => connection.destroy(error));
  const { promise, resolve, reject } = deferred<void>();
  connection.listen({
    record: (record) => {
      watched.moved();
      if (record[0] === RECORD.taken) resolve();
      if (record[0] === RECORD.refused) reject(new Error(String(record[1])));
    },
    closed: (error) => reject(error ?? new Error('the peer broke the transfer off')),
  });
  pump(connection, message, chunks, watched.moved).catch(reject);
  try {
    await promise;
    connection.end();
  } catch (error) {
    connection.destroy();
    throw error;
  } finally {
    watched.stop();
  }
}

async function pump(
  connection: Connection,
  message: SnapshotMessage,
  chunks: AsyncIterable<Uint8Array>,
  moved: () => void,
): Promise<void> {
  connection.send([RECORD.snapshot, encodeMessage(message)]);
  for await (const chunk of chunks) {
    if (!connection.send([RECORD.chunk, chunk])) throw new Error('the connection was lost');
    await connection.drained();
    moved();
  }
  connection.send([RECORD.end]);
}

/** Ends a transfer when its signal is aborted or it stalls. */
function watch(
  signal: AbortSignal,
  end: (error: Error) => void,
): { readonly moved: () => void; readonly stop: () => void } {
  const stalled = (): void =>
    end(new Error(`the transfer did not move for ${SNAPSHOT_STALL_MS} ms`));
  const aborted = (): void => end(new Error('the transfer was ended', { cause: signal.reason }));
  let timer = setTimeout(stalled, SNAPSHOT_STALL_MS);
  signal.addEventListener('abort', aborted, { once: true });
  return {
    moved: () => {
      clearTimeout(timer);
      timer = setTimeout(stalled, SNAPSHOT_STALL_MS);
    },
    stop: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
    },
  };
}

/** The receiving end of one transfer. */
export class SnapshotReceiver {
  readonly #local: LocalPeer;
  readonly #from: bigint;
  readonly #handlers: PeerHandlers;
  readonly #connection: Connection;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #begun = false;
  #complete = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(connection: Connection, local: LocalPeer, from: bigint, handlers: PeerHandlers) {
    this.#connection = connection;
    this.#local = local;
    this.#from = from;
    this.#handlers = handlers;
  }

  listen(): void {
    this.#connection.listen({
      record: (record) => this.#onRecord(record),
      closed: (error) => {
        this.#error ??= error ?? new Error('the sender broke the transfer off');
        this.#wake?.();
      },
    });
  }

  #onRecord(record: PeerRecord): void {
    switch (record[0]) {
      case RECORD.snapshot:
        return this.#begin(record[1] as MessageRecord);
      case RECORD.chunk:
        return this.#take(record[1] as Uint8Array);
      case RECORD.end:
        this.#complete = true;
        this.#wake?.();
    }
  }

  #begin(record: MessageRecord): void {
    if (this.#begun) return;
    this.#begun = true;
    const message = decodeMessage(record, this.#from, this.#local.id);
    if (message.type !== 'snapshot') return this.#connection.destroy(new Error('not a snapshot'));
    this.#handlers.receiveSnapshot(message, this.#content()).then(
      () => this.#answer([RECORD.taken]),
      (error: unknown) =>
        this.#answer([RECORD.refused, error instanceof Error ? error.message : String(error)]),
    );
  }

  #answer(record: PeerRecord): void {
    this.#connection.resume();
    this.#connection.send(record);
    this.#connection.end();
  }

  #take(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_RECEIVED_BYTES) this.#connection.pause();
    this.#wake?.();
  }

  async *#content(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#bytes -= chunk.length;
        if (this.#bytes <= MAX_RECEIVED_BYTES / 2) this.#connection.resume();
        yield chunk;
        continue;
      }
      if (this.#complete) return;
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
