/** A Channel over gRPC: one HTTP/2 connection to one member, made when it is needed and anew when it was lost. */
import { isIP } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import {
  CallDeadlines,
  type CallOptions,
  type Channel,
  EtcdError,
  type MethodName,
  type RequestOf,
  type ResponseOf,
  RPC_TABLE,
  type StreamCall,
  type StreamMethodName,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import { formatTimeout, headerBlock, HeaderSet } from '@etcd-ts/protocol/http2';
import { signalError } from '../backoff.ts';
import { readEndpoint, type SocketTarget } from '../endpoint-address.ts';
import { ChannelStream } from '../grpc/channel-stream.ts';
import { MAX_MESSAGE_BYTES, type MessageLimits } from '../grpc/message-limits.ts';
import { type ChannelCall, UnaryCall } from '../grpc/unary-call.ts';
import { CONNECT_TIMEOUT_MS, GrpcConnection } from './grpc-connection.ts';
import { backgroundClock } from './system-clock.ts';

/** What a gRPC channel may be told. */
export interface GrpcChannelOptions {
  /**
   * TLS of the connection, as node:tls takes it. A function is asked for each new connection, so that certificates can be
   * replaced; it must not throw. @defaultValue none, but for URLs of https and unixs
   */
  readonly tls?: TlsOptions | (() => TlsOptions);
  /** Silence on a connection with calls after which the server is asked for a sign of life. @defaultValue 10000 */
  readonly keepAliveIntervalMs?: number;
  /** Time for the answer before the connection is given up. @defaultValue 5000 */
  readonly keepAliveTimeoutMs?: number;
  /** Asks for it also while no call is open. @defaultValue false */
  readonly keepAliveWithoutCalls?: boolean;
  /** Largest request message; a larger one is not sent: RESOURCE_EXHAUSTED. @defaultValue 4 GiB - 1 */
  readonly maxSendBytes?: number;
  /** Largest response message; a larger one ends its call: RESOURCE_EXHAUSTED. @defaultValue 4 GiB - 1 */
  readonly maxReceiveBytes?: number;
  /** Time for a connection to come about. @defaultValue {@link CONNECT_TIMEOUT_MS} */
  readonly connectTimeoutMs?: number;
}

/** Calls that wait for a connection or for room on it; one more fails with RESOURCE_EXHAUSTED. */
export const MAX_WAITING_CALLS = 100_000;

/** So many of those that wait may be over already before they are let go. */
const MAX_OVER_CALLS = 64;

/** Sets of headers that a channel remembers, one for each method and metadata. */
const MAX_HEADER_SETS = 256;

const NOTHING: Uint8Array = new Uint8Array(0);
const VALID_METADATA = /^[ -~]*$/;

/** A channel to one `host:port` or URL. */
export class GrpcChannel implements Channel {
  readonly #authority: string;
  readonly #target: SocketTarget;
  readonly #tls: (() => TlsOptions) | undefined;
  readonly #options: GrpcChannelOptions;
  readonly #limits: MessageLimits;
  readonly #deadlines = new CallDeadlines(backgroundClock);
  readonly #open = new Set<ChannelCall>();
  readonly #headerSets = new Map<string, HeaderSet>();
  /** Calls without a stream yet, in order. At most half of them, or a few, are over already. */
  #waiting: ChannelCall[] = [];
  /** How many of them are over. */
  #overCalls = 0;
  #connection: GrpcConnection | undefined;
  #isClosed = false;

  constructor(endpoint: string, options: GrpcChannelOptions = {}) {
    const { target, authority, isTls } = readEndpoint(endpoint);
    const host = 'host' in target ? target.host : 'localhost';
    this.#authority = authority;
    this.#target = target;
    const { tls } = options;
    const given = typeof tls === 'function' ? tls : (): TlsOptions | undefined => tls;
    this.#tls =
      isTls || tls !== undefined ? () => ({ ...serverName(host), ...given() }) : undefined;
    this.#options = options;
    this.#limits = {
      maxSendBytes: options.maxSendBytes ?? MAX_MESSAGE_BYTES,
      maxReceiveBytes: options.maxReceiveBytes ?? MAX_MESSAGE_BYTES,
    };
  }

  /** See {@link Channel.unary}. */
  unary<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    options: CallOptions = {},
  ): Promise<ResponseOf<Method>> {
    const refusal = this.#refusal(options);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const call = new UnaryCall(RPC_TABLE[method], request, { resolve, reject }, this.#limits);
      const tooLarge = call.refusal;
      if (tooLarge === undefined) this.#start(method, call, options);
      else reject(tooLarge);
    });
  }

  /** See {@link Channel.stream}. */
  stream<Method extends StreamMethodName>(
    method: Method,
    options: CallOptions = {},
  ): StreamCall<RequestOf<Method>, ResponseOf<Method>> {
    const call = new ChannelStream(RPC_TABLE[method], this.#limits);
    const refusal = this.#refusal(options);
    if (refusal === undefined) this.#start(method, call, options);
    else call.fail(refusal);
    return call;
  }

  /** See {@link Channel.close}. */
  close(): Promise<void> {
    this.#isClosed = true;
    const closed = new EtcdError('CANCELED', { message: 'the channel is closed' });
    for (const call of this.#open) call.fail(closed);
    this.#waiting = [];
    this.#deadlines.close();
    this.#connection?.http2.drain();
    this.#connection = undefined;
    return Promise.resolve();
  }

  #refusal({ signal, timeoutMs, metadata }: CallOptions): EtcdError | undefined {
    if (this.#isClosed) {
      return new EtcdError('CANCELED', { message: 'the channel is closed', mayHaveApplied: false });
    }
    if (signal?.aborted === true) return signalError(signal, false);
    if (timeoutMs !== undefined && !(timeoutMs > 0)) {
      return new EtcdError('DEADLINE_EXCEEDED', { mayHaveApplied: false });
    }
    for (const [name, value] of metadata ?? []) {
      if (VALID_METADATA.test(value) && /^[a-z0-9_.-]+$/.test(name)) continue;
      return new EtcdError('INVALID_ARGUMENT', { message: `metadata ${name} is not plain ASCII` });
    }
    if (this.#waiting.length < MAX_WAITING_CALLS) return undefined;
    return new EtcdError('RESOURCE_EXHAUSTED', {
      message: `too many calls wait for a connection: ${this.#waiting.length} (limit ${MAX_WAITING_CALLS})`,
    });
  }

  /** Sends a call as soon as there is a connection with room, and lets signal and deadline end it. */
  #start(method: MethodName, call: ChannelCall, options: CallOptions): void {
    const { signal, timeoutMs } = options;
    const onAbort = (): void => {
      if (signal !== undefined) call.fail(signalError(signal, call.isSent));
    };
    const deadline =
      timeoutMs !== undefined && Number.isFinite(timeoutMs)
        ? this.#deadlines.set(timeoutMs, () =>
            call.fail(new EtcdError('DEADLINE_EXCEEDED', { mayHaveApplied: call.isSent })),
          )
        : undefined;
    signal?.addEventListener('abort', onAbort, { once: true });
    if (this.#open.size === 0) this.#connection?.setActive(true);
    this.#open.add(call);
    call.prepare(this.#headersOf(method, options.metadata), timeoutBlock(timeoutMs), () => {
      this.#open.delete(call);
      if (!call.isSent) this.#gaveUp();
      signal?.removeEventListener('abort', onAbort);
      if (deadline !== undefined) this.#deadlines.clear(deadline);
      if (this.#open.size === 0) this.#connection?.setActive(false);
    });
    this.#waiting.push(call);
    this.#dispatch();
  }

  /** Gives waiting calls their streams, in order, as long as there is room. */
  #dispatch(): void {
    const connection = this.#usableConnection();
    let sent = 0;
    while (sent < this.#waiting.length && connection.http2.hasRoom) {
      const call = this.#waiting[sent] as ChannelCall;
      if (!this.#open.has(call)) this.#overCalls -= 1;
      call.openOn(connection.http2);
      sent++;
    }
    if (sent > 0) this.#waiting = this.#waiting.slice(sent);
  }

  /** A call that waits is over. Those that are do not pile up among those that wait on. */
  #gaveUp(): void {
    this.#overCalls += 1;
    if (this.#overCalls <= MAX_OVER_CALLS || 2 * this.#overCalls <= this.#waiting.length) return;
    this.#waiting = this.#waiting.filter((call) => this.#open.has(call));
    this.#overCalls = 0;
  }

  #usableConnection(): GrpcConnection {
    if (this.#connection?.http2.isUsable === true) return this.#connection;
    const connection: GrpcConnection = new GrpcConnection({
      target: this.#target,
      tls: this.#tls?.(),
      keepAliveIntervalMs: this.#options.keepAliveIntervalMs ?? 10_000,
      keepAliveTimeoutMs: this.#options.keepAliveTimeoutMs ?? 5_000,
      keepAliveWithoutCalls: this.#options.keepAliveWithoutCalls ?? false,
      connectTimeoutMs: this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      onChange: () => {
        if (this.#waiting.length > 0) this.#dispatch();
      },
      onClosed: (error) => this.#onClosed(connection, error),
    });
    this.#connection = connection;
    return connection;
  }

  /** A connection is gone. When it never came about, what waits for it fails; else it waits for the next one. */
  #onClosed(connection: GrpcConnection, error: EtcdError | undefined): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    if (error !== undefined) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const call of waiting) call.fail(error);
      this.#overCalls = 0;
    } else if (this.#waiting.length > 0) {
      this.#dispatch();
    }
  }

  #headersOf(method: MethodName, metadata: CallOptions['metadata']): HeaderSet {
    let key: string = method;
    for (const [name, value] of metadata ?? []) key += `\n${name}: ${value}`;
    let set = this.#headerSets.get(key);
    if (set !== undefined) return set;
    set = new HeaderSet([
      [':method', 'POST'],
      [':scheme', this.#tls === undefined ? 'http' : 'https'],
      [':path', `/${method}`],
      [':authority', this.#authority],
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
      ['user-agent', 'etcd-ts'],
      ...(metadata ?? []),
    ]);
    if (this.#headerSets.size >= MAX_HEADER_SETS) this.#headerSets.clear();
    this.#headerSets.set(key, set);
    return set;
  }
}

/** The name that TLS asks for; an address is none (RFC 6066). */
function serverName(host: string): TlsOptions {
  return isIP(host) === 0 ? { servername: host } : {};
}

/** The header `grpc-timeout`, which is each call's own. */
function timeoutBlock(timeoutMs: number | undefined): Uint8Array {
  if (timeoutMs === undefined || !Number.isFinite(timeoutMs)) return NOTHING;
  return headerBlock([['grpc-timeout', formatTimeout(timeoutMs)]]);
}
