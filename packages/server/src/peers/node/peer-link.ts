/**
 * This member's connection to one peer: messages and calls go out on it, answers to calls come back.
 *
 * What comes from the peer's own messages arrives on the connection that the peer makes. A lost connection is made
 * again with growing pauses; what is sent meanwhile is dropped, as the Raft core expects.
 */
import type { MemberId } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import type { Message } from '@etcd-ts/raft';
import { abortError } from '../../requests/abort.ts';
import type { Clock, Timer } from '../../clock.ts';
import type { Logger } from '../../logger.ts';
import type { PeerCounts } from '../../metrics/peer-traffic.ts';
import type { Dialling } from '../../tls/node/tls-dialer.ts';
import { encodeMessage, type MessageRecord } from '../message-codec.ts';
import type { LocalPeer, Peer } from '../peer-transport.ts';
import { failureOf, type PeerRecord, RECORD } from '../peer-record.ts';
import { Connection } from './connection.ts';
import { dial, RefusedError } from './dial.ts';

/** Pause before the first new attempt; doubled with each, up to {@link MAX_RECONNECT_MS}. */
export const MIN_RECONNECT_MS = 20;
/** Longest pause before a new attempt. */
export const MAX_RECONNECT_MS = 500;

/** An idle connection is asked for a sign of life so often, or three times in the read timeout when that is short. */
export const PING_INTERVAL_MS = 1_000;

/** When a connection is given up. */
export interface PeerTimeouts {
  /** Nothing was heard for so long. etcd --raft-read-timeout. */
  readonly readMs: number;
  /** Something waited to leave for so long. etcd --raft-write-timeout. */
  readonly writeMs: number;
}

/** etcd's. */
export const DEFAULT_PEER_TIMEOUTS: PeerTimeouts = { readMs: 5_000, writeMs: 5_000 };

/** Calls without an answer on one connection; beyond it: TOO_MANY_REQUESTS. */
export const MAX_OPEN_CALLS = 16_384;

/** Bytes of message payloads that make a frame of their own. */
const FRAME_TARGET_BYTES = 1 << 20;

/** What a link is made of. */
export interface PeerLinkParts {
  readonly local: LocalPeer;
  readonly clock: Clock;
  readonly log: Logger;
  /** What passes to and from the peer. */
  readonly counts: PeerCounts;
  readonly tls?: Dialling | undefined;
  readonly timeouts: PeerTimeouts;
  /** Dialled from there; undefined: as the system likes. */
  readonly localAddress: string | undefined;
  readonly unreachable: (peer: MemberId) => void;
  /** The peer knows this member as removed. */
  readonly removed: () => void;
}

interface OpenCall {
  readonly resolve: (answer: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** The way to one peer. */
export class PeerLink {
  #peer: Peer;
  readonly #parts: PeerLinkParts;
  readonly #abort = new AbortController();
  readonly #calls = new Map<number, OpenCall>();
  #connection: Connection | undefined;
  #connectedSinceMs: number | undefined;
  #queue: Message[] = [];
  #attempts = 0;
  #lastCall = 0;
  #heardMs = 0;
  /** When the ping was sent that has no answer yet. */
  #pingedMs: number | undefined;
  /** Since when a ping waits to leave. */
  #unsentSinceMs: number | undefined;
  /** Why each URL failed, as it was last logged: alternating between them is no news. */
  readonly #reported = new Map<string, string>();
  #timer: Timer | undefined;

  constructor(peer: Peer, parts: PeerLinkParts) {
    this.#peer = peer;
    this.#parts = parts;
    void this.#connect();
  }

  get connectedSinceMs(): number | undefined {
    return this.#connectedSinceMs;
  }

  /** The peer has other URLs now; the next attempt uses them. */
  update(peer: Peer): void {
    this.#peer = peer;
    for (const url of this.#reported.keys()) {
      if (!peer.urls.includes(url)) this.#reported.delete(url);
    }
  }

  send(message: Message): void {
    this.#queue.push(message);
  }

  /** Everything queued leaves in one write; or is dropped, and said so. */
  flush(): void {
    if (this.#queue.length === 0) return;
    const messages = this.#queue;
    this.#queue = [];
    const connection = this.#connection;
    let sent = connection !== undefined;
    if (connection !== undefined) {
      for (const batch of batches(messages))
        sent = connection.add([RECORD.messages, batch]) && sent;
      connection.flush();
    }
    if (sent) return;
    this.#parts.counts.sendFailures += 1;
    this.#parts.clock.soon(() => this.#tellUnreachable());
  }

  call(method: string, request: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const connection = this.#connection;
    if (signal.aborted) return Promise.reject(abortError(signal, false));
    if (this.#calls.size >= MAX_OPEN_CALLS) {
      const detail = `${this.#calls.size} calls are open, the limit is ${MAX_OPEN_CALLS}`;
      return Promise.reject(new EtcdError('TOO_MANY_REQUESTS', { detail }));
    }
    this.#lastCall += 1;
    const id = this.#lastCall;
    if (connection?.send([RECORD.call, id, method, request]) !== true) {
      const message = `member ${this.#peer.id.toString(16)} cannot be reached`;
      return Promise.reject(new EtcdError('UNAVAILABLE', { message, mayHaveApplied: false }));
    }
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#calls.delete(id);
        reject(abortError(signal, true));
      };
      signal.addEventListener('abort', abort, { once: true });
      const settled = (): void => signal.removeEventListener('abort', abort);
      this.#calls.set(id, {
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
    });
  }

  close(): void {
    this.#abort.abort();
    this.#timer?.cancel();
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#failCalls();
  }

  #tellUnreachable(): void {
    if (!this.#abort.signal.aborted) this.#parts.unreachable(this.#peer.id);
  }

  async #connect(): Promise<void> {
    const { local, localAddress, tls } = this.#parts;
    const { id, urls } = this.#peer;
    // Without any there is nothing to dial; another attempt looks again.
    const url = urls[this.#attempts % urls.length] ?? '';
    this.#attempts += 1;
    try {
      const { socket, head } = await dial(
        { local, tls, localAddress },
        url,
        id,
        'log',
        this.#abort.signal,
      );
      if (this.#abort.signal.aborted) return void socket.destroy();
      this.#established(new Connection(socket, head, this.#parts.counts));
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.#report(url, error);
      if (error instanceof RefusedError && error.status === 410) this.#parts.removed();
      this.#retry();
    }
  }

  /** Logs a failure once for each reason that a URL fails for; every attempt would drown everything else. */
  #report(url: string, error: unknown): void {
    const reason = reasonOf(error);
    // The attempt may have begun before the peer got other URLs.
    if (!this.#peer.urls.includes(url) || this.#reported.get(url) === reason) return;
    this.#reported.set(url, reason);
    const said = error instanceof RefusedError ? 'peer refused this member' : 'peer is unreachable';
    const fields = { 'remote-peer-id': this.#peer.id, 'remote-peer-url': url, error: reason };
    this.#parts.log.warn(said, fields);
  }

  #established(connection: Connection): void {
    const { clock, log } = this.#parts;
    this.#connection = connection;
    this.#connectedSinceMs = clock.monotonicMs();
    this.#heardMs = this.#connectedSinceMs;
    this.#attempts = 0;
    this.#reported.clear();
    log.info('established connection with remote peer', { 'remote-peer-id': this.#peer.id });
    this.#unsentSinceMs = undefined;
    this.#timer = clock.after(this.#pingIntervalMs(), () => this.#ping());
    // What came with the handshake's answer is read here, and may end the connection.
    connection.listen({
      record: (record) => this.#onRecord(record),
      closed: (error) => this.#lost(error),
    });
  }

  #lost(error: Error | undefined): void {
    const { log } = this.#parts;
    this.#connection = undefined;
    this.#connectedSinceMs = undefined;
    this.#pingedMs = undefined;
    this.#parts.counts.disconnects += 1;
    this.#failCalls();
    if (this.#abort.signal.aborted) return;
    log.warn('lost connection with remote peer', {
      'remote-peer-id': this.#peer.id,
      error: error?.message ?? 'closed by the peer',
    });
    this.#tellUnreachable();
    this.#retry();
  }

  #retry(): void {
    const pauseMs = Math.min(
      MAX_RECONNECT_MS,
      MIN_RECONNECT_MS * 2 ** Math.min(this.#attempts, 10),
    );
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(pauseMs, () => void this.#connect());
  }

  #ping(): void {
    const { clock, timeouts } = this.#parts;
    const connection = this.#connection;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#heardMs > timeouts.readMs) {
      connection?.destroy(new Error(`no sign of life for ${timeouts.readMs} ms`));
      return;
    }
    if (nowMs - (this.#unsentSinceMs ?? nowMs) > timeouts.writeMs) {
      connection?.destroy(new Error(`what was sent has not left for ${timeouts.writeMs} ms`));
      return;
    }
    this.#pingedMs = nowMs;
    connection?.send([RECORD.ping]);
    if (this.#unsentSinceMs === undefined && connection !== undefined) {
      // What leaves in order tells of everything before it.
      this.#unsentSinceMs = nowMs;
      connection.whenSent(() => (this.#unsentSinceMs = undefined));
    }
    this.#timer = clock.after(this.#pingIntervalMs(), () => this.#ping());
  }

  #pingIntervalMs(): number {
    return Math.min(PING_INTERVAL_MS, this.#parts.timeouts.readMs / 3);
  }

  #onRecord(record: PeerRecord): void {
    const { clock, counts } = this.#parts;
    this.#heardMs = clock.monotonicMs();
    if (record[0] === RECORD.pong && this.#pingedMs !== undefined) {
      counts.roundTripSeconds.observe((this.#heardMs - this.#pingedMs) / 1000);
      this.#pingedMs = undefined;
    }
    if (record[0] !== RECORD.answer && record[0] !== RECORD.failure) return;
    const id = record[1] as number;
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (record[0] === RECORD.answer) call?.resolve(record[2] as Uint8Array);
    else call?.reject(failureOf(record));
  }

  #failCalls(): void {
    const message = `the connection to member ${this.#peer.id.toString(16)} was lost`;
    for (const call of this.#calls.values()) call.reject(new EtcdError('UNAVAILABLE', { message }));
    this.#calls.clear();
  }
}

/** A host of several addresses fails with what each of them failed with, and no word of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(reasonOf).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}

/** Messages as records, in frames of about {@link FRAME_TARGET_BYTES}. */
function* batches(messages: readonly Message[]): Generator<readonly MessageRecord[]> {
  let batch: MessageRecord[] = [];
  let bytes = 0;
  for (const message of messages) {
    batch.push(encodeMessage(message));
    bytes += payloadBytes(message);
    if (bytes < FRAME_TARGET_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

function payloadBytes(message: Message): number {
  let bytes = 0;
  if (message.type === 'append') {
    for (const { payload } of message.entries) {
      if (payload.kind === 'command') bytes += payload.data.length;
    }
  } else if (message.type === 'forward') {
    for (const payload of message.payloads) {
      if (payload.kind === 'command') bytes += payload.data.length;
    }
  }
  return bytes;
}
