import { connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions as TlsOptions, connect as connectTls } from 'node:tls';
import { EtcdError } from '@etcd-ts/protocol';
import { Http2ClientConnection } from '@etcd-ts/protocol/http2';
import type { SocketTarget } from '../endpoint-address.ts';
import { systemClock } from './system-clock.ts';

/** Milliseconds for a connection to come about: host reached, TLS agreed, server's hello heard. */
export const CONNECT_TIMEOUT_MS = 5_000;

/** Where to connect to, and how to notice that it is gone. */
export interface GrpcConnectionOptions {
  readonly target: SocketTarget;
  readonly tls: TlsOptions | undefined;
  readonly keepAliveIntervalMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly keepAliveWithoutCalls: boolean;
  readonly connectTimeoutMs: number;
  /** The connection may be used, has room for another stream, or is no longer to be used. */
  readonly onChange: () => void;
  /** It is over; `error` when it never came about. */
  readonly onClosed: (error: EtcdError | undefined) => void;
}

/** One connection: the socket under an Http2ClientConnection, and its sign of life. */
export class GrpcConnection {
  readonly http2: Http2ClientConnection;
  readonly #options: GrpcConnectionOptions;
  readonly #socket: Socket;
  readonly #connectTimer: NodeJS.Timeout;
  #keepAliveTimer: NodeJS.Timeout | undefined;
  #isReady = false;
  /** When something was last heard. */
  #heardMs = 0;
  #failure: unknown;

  constructor(options: GrpcConnectionOptions) {
    this.#options = options;
    this.http2 = new Http2ClientConnection(
      {
        onReady: () => this.#onReady(),
        onRoom: options.onChange,
        onDraining: options.onChange,
        onPingAck: () => undefined,
        onOutput: () => process.nextTick(() => this.#flush()),
        onFinished: () => process.nextTick(() => this.#hangUp()),
      },
      () => systemClock.monotonicMs(),
    );
    const { target, tls } = options;
    this.#socket =
      tls === undefined
        ? connectTcp({ ...target, noDelay: true })
        : connectTls({ ...tls, ...target, ALPNProtocols: ['h2'] });
    this.#connectTimer = setTimeout(() => {
      this.#failure = new Error(`no connection within ${options.connectTimeoutMs} ms`);
      this.#socket.destroy();
    }, options.connectTimeoutMs);
    this.#listen();
  }

  /** Keeps the process running, or does not: for connections without calls. */
  setActive(isActive: boolean): void {
    if (isActive) this.#socket.ref();
    else this.#socket.unref();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Uint8Array) => {
      this.#heardMs = systemClock.monotonicMs();
      this.http2.receive(chunk);
    });
    socket.on('drain', () => this.http2.setCongested(false));
    socket.on('error', (error) => {
      this.#failure ??= error;
    });
    socket.on('close', () => this.#onClose());
  }

  #onReady(): void {
    this.#isReady = true;
    clearTimeout(this.#connectTimer);
    const { keepAliveIntervalMs } = this.#options;
    this.#keepAliveTimer = setInterval(() => this.#keepAlive(), keepAliveIntervalMs);
    this.#keepAliveTimer.unref();
    this.#options.onChange();
  }

  /** With calls open (or without, where asked for) and nothing heard for a while: ask; no answer in time: it is gone. */
  #keepAlive(): void {
    const { keepAliveIntervalMs, keepAliveTimeoutMs, keepAliveWithoutCalls } = this.#options;
    const silentMs = systemClock.monotonicMs() - this.#heardMs;
    const isIdle = this.http2.streamCount === 0 && !keepAliveWithoutCalls;
    if (isIdle || silentMs < keepAliveIntervalMs) return;
    const askedMs = systemClock.monotonicMs();
    this.http2.ping();
    setTimeout(() => {
      if (this.#heardMs >= askedMs) return;
      this.#failure = new Error(`nothing heard for ${keepAliveTimeoutMs} ms after a ping`);
      this.#socket.destroy();
    }, keepAliveTimeoutMs).unref();
  }

  #flush(): void {
    const socket = this.#socket;
    const parts = this.http2.takeOutput();
    if (socket.destroyed || parts.length === 0) return;
    socket.cork();
    let hasRoom = true;
    for (const part of parts) hasRoom = socket.write(part);
    socket.uncork();
    this.http2.setCongested(!hasRoom);
  }

  #hangUp(): void {
    this.#flush();
    // To whom the connection has not come about yet there is nothing to say, and what is said would wait for it.
    if (!this.#isReady) return void this.#socket.destroy();
    this.#socket.end();
    this.#socket.destroySoon();
  }

  #onClose(): void {
    clearTimeout(this.#connectTimer);
    clearInterval(this.#keepAliveTimer);
    this.http2.finish();
    const { target, onClosed } = this.#options;
    if (this.#isReady) return onClosed(undefined);
    const why = this.#failure instanceof Error ? this.#failure.message : 'the server hung up';
    const where = 'path' in target ? target.path : `${target.host}:${target.port}`;
    const message = `cannot connect to ${where}: ${why}`;
    onClosed(
      new EtcdError('UNAVAILABLE', { message, cause: this.#failure, mayHaveApplied: false }),
    );
  }
}
