/** One framed connection between two peers, after the handshake. */
import type { Duplex } from 'node:stream';
import type { PeerCounts } from '../../metrics/peer-traffic.ts';
import { FRAME_HEADER_BYTES, frameHeader, FrameReader, MAX_FRAME_BYTES } from '../frame.ts';
import { packRecord, type PeerRecord, unpackRecord } from '../peer-record.ts';

const EMPTY = new Uint8Array(0);

/** Bytes that may wait in one connection; beyond it messages are dropped. */
export const MAX_CONNECTION_QUEUE_BYTES: number = 64 * 1024 * 1024;

/** What happens on a connection. */
export interface ConnectionEvents {
  readonly record: (record: PeerRecord) => void;
  /** Called once; undefined when the other side ended it in order. */
  readonly closed: (error: Error | undefined) => void;
}

/** Frames in, frames out. */
export class Connection {
  readonly #socket: Duplex;
  readonly #head: Uint8Array;
  readonly #counts: PeerCounts | undefined;
  #events: ConnectionEvents | undefined;
  readonly #reader = new FrameReader();
  #outgoing: Uint8Array[] = [];
  #error: Error | undefined;
  #closed = false;

  /**
   * @param head What came behind the handshake.
   * @param counts Where what passes is counted.
   */
  constructor(socket: Duplex, head: Uint8Array, counts?: PeerCounts) {
    this.#socket = socket;
    this.#head = head;
    this.#counts = counts;
    socket.on('error', (error: Error) => {
      this.#error ??= error;
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => this.#onClose());
  }

  /** Begins to read. Called once, in the turn in which the connection was made. */
  listen(events: ConnectionEvents): void {
    this.#events = events;
    this.#socket.on('data', (bytes: Uint8Array) => this.#read(bytes));
    if (this.#head.length > 0) this.#read(this.#head);
  }

  /** Nothing comes or goes any more. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Bytes that wait for the network. */
  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  /**
   * Adds a record to the next write.
   *
   * @returns False when it is too large for a frame, or the queue is full: nothing was added.
   */
  add(record: PeerRecord): boolean {
    if (this.#closed || this.#socket.writableLength > MAX_CONNECTION_QUEUE_BYTES) return false;
    const payload = packRecord(record);
    if (payload.length > MAX_FRAME_BYTES) return false;
    this.#outgoing.push(frameHeader(payload), payload);
    return true;
  }

  /** Writes what was added, in one go. */
  flush(): void {
    if (this.#outgoing.length === 0 || this.#closed) return;
    const parts = this.#outgoing;
    this.#outgoing = [];
    const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
    if (this.#counts !== undefined) this.#counts.sentBytes += bytes.length;
    this.#socket.write(bytes);
  }

  /** Calls back when everything written so far has left for the network; never when the connection ends before. */
  whenSent(done: () => void): void {
    this.#socket.write(EMPTY, (error) => {
      if (error === null || error === undefined) done();
    });
  }

  /** Adds and writes. */
  send(record: PeerRecord): boolean {
    const added = this.add(record);
    this.flush();
    return added;
  }

  /** Resolves when there is room for more, or the connection is closed. */
  drained(): Promise<void> {
    const socket = this.#socket;
    if (this.#closed || !socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
    });
  }

  /** Holds the other side back. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends it: what was written still leaves. */
  end(): void {
    this.flush();
    this.#socket.end();
  }

  /** Ends it at once. */
  destroy(error?: Error): void {
    this.#error ??= error;
    this.#socket.destroy();
    this.#onClose();
  }

  #read(bytes: Uint8Array): void {
    if (this.#counts !== undefined) this.#counts.receivedBytes += bytes.length;
    try {
      for (const payload of this.#reader.push(bytes)) {
        if (this.#closed) return;
        this.#events?.record(unpackRecord(payload));
      }
    } catch (error) {
      if (this.#counts !== undefined) this.#counts.receiveFailures += 1;
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.closed(this.#error);
  }
}

/** Bytes of a record's frame beside its payload. */
export const FRAME_OVERHEAD_BYTES: number = FRAME_HEADER_BYTES;
