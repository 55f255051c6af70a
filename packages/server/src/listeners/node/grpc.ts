/**
 * The gRPC door: serves the handlers over connections that somebody else accepts.
 *
 * HTTP/2 is spoken by `@etcd-ts/protocol/http2`, not by node:http2 or @grpc/grpc-js: those cost more per call than the
 * whole rest of a put, word refusals otherwise than grpc-go, and let a connection do more than it may.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { CallDeadlines, EtcdError, type Handlers } from '@etcd-ts/protocol';
import { Http2Connection, type Http2Stream, PingPolicy } from '@etcd-ts/protocol/http2';
import type { Clock, Timer } from '../../clock.ts';
import { CallMetrics } from '../../metrics/call-metrics.ts';
import { nextTurn } from '../../turns.ts';
import { AnswerBudget, type AnswerHolder } from '../answer-budget.ts';
import { SignOfLife } from '../sign-of-life.ts';
import type { GrpcCall } from '../grpc-call.ts';
import { type GrpcConnectionFacts, serveStream } from '../grpc-service.ts';
import { DECOMPRESSORS } from './gunzip.ts';
import { serveOverHttp1 } from './http2-bridge.ts';
import type { ConnectionServer } from './port.ts';

/** Which pings are taken and sent. */
export interface Keepalive {
  /** Least time between a client's pings; beyond: GOAWAY too_many_pings. etcd --grpc-keepalive-min-time. */
  readonly minPingIntervalMs: number;
  /** Silence after which a client is asked for a sign of life; 0: never. etcd --grpc-keepalive-interval. */
  readonly intervalMs: number;
  /** Silence after that at which it is hung up on. etcd --grpc-keepalive-timeout. */
  readonly timeoutMs: number;
}

/** What a gRPC server may be told. */
export interface GrpcServerOptions {
  readonly handlers: Handlers;
  readonly clock: Clock;
  /** Where calls are counted. @defaultValue nowhere */
  readonly metrics?: CallMetrics;
  /** Largest request message; beyond: RESOURCE_EXHAUSTED. etcd: --max-request-bytes + 512 KiB. */
  readonly maxReceiveBytes: number;
  /** Streams open on one connection; one more is refused. etcd --max-concurrent-streams. */
  readonly maxStreamsPerConnection: number;
  readonly keepalive: Keepalive;
  /** The name under which a verified certificate makes its holder known. @defaultValue nobody is known so */
  readonly commonNameOf?: (socket: Socket) => string | undefined;
  /** Serves what is no gRPC on connections of TLS (etcd embed/serve.go). @defaultValue it is refused */
  readonly http1?: ConnectionServer;
  /** What may wait for clients. @defaultValue one of its own */
  readonly answers?: AnswerBudget;
  /** @defaultValue {@link MAX_PARTIAL_BYTES_PER_CONNECTION} */
  readonly maxPartialBytes?: number;
  /** @defaultValue {@link MAX_SOCKET_BACKLOG_BYTES} */
  readonly maxBacklogBytes?: number;
}

/** Bytes of unfinished requests on one connection; beyond, the call that brings more fails. */
export const MAX_PARTIAL_BYTES_PER_CONNECTION: number = 256 << 20;

/** Bytes that a socket may owe its client before nothing more is read from it. */
export const MAX_SOCKET_BACKLOG_BYTES: number = 8 << 20;

/** Milliseconds in which a client may take what a connection says at its end; then it is cut. */
export const LINGER_MS = 1_000;

/** One connection with what belongs to it. */
interface Served {
  readonly connection: Http2Connection;
  readonly calls: Set<GrpcCall>;
  readonly closed: Promise<void>;
}

/** Serves gRPC on the connections given to {@link accept}. */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #deadlines: CallDeadlines;
  readonly #served = new Set<Served>();
  readonly #metrics: CallMetrics;
  readonly #answers: AnswerBudget;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#metrics = options.metrics ?? new CallMetrics();
    this.#answers = options.answers ?? new AnswerBudget();
    this.#deadlines = new CallDeadlines(options.clock);
  }

  /** Connections that are open. */
  get connectionCount(): number {
    return this.#served.size;
  }

  /** Speaks HTTP/2 on a connection from now on. */
  accept(socket: Socket): void {
    const calls = new Set<GrpcCall>();
    const { clock, keepalive, maxBacklogBytes = MAX_SOCKET_BACKLOG_BYTES } = this.#options;
    const holder: AnswerHolder = {
      get waitingBytes() {
        return connection.waitingBytes + socket.writableLength;
      },
      hangUp: (reason) => {
        connection.hangUp(reason);
        flush(socket, connection, maxBacklogBytes);
        socket.destroy();
      },
    };
    const facts = this.#factsOf(socket, calls, holder);
    let lingering: Timer | undefined;
    const connection = new Http2Connection(
      {
        onStream: (stream) => serveStream(stream, facts),
        onOutput: () => this.#options.clock.soon(() => flush(socket, connection, maxBacklogBytes)),
        onFinished: () => {
          clock.soon(() => socket.end());
          lingering = clock.after(LINGER_MS, () => socket.destroy());
        },
      },
      {
        maxStreams: this.#options.maxStreamsPerConnection,
        pings: new PingPolicy(this.#options.keepalive.minPingIntervalMs),
        monotonicMs: () => this.#options.clock.monotonicMs(),
      },
    );
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => {
        connection.finish();
        lingering?.cancel();
        this.#answers.leave(holder);
        this.#served.delete(served);
        resolve();
      });
    });
    const served: Served = { connection, calls, closed };
    this.#served.add(served);
    this.#answers.join(holder);
    const alive = new SignOfLife(clock, keepalive, {
      ask: () => connection.ping(),
      giveUp: () => {
        connection.finish();
        socket.destroy();
      },
    });
    socket.once('close', () => alive.stop());
    socket.on('data', (chunk: Uint8Array) => {
      alive.heard();
      connection.receive(chunk);
    });
    socket.on('drain', () => {
      connection.setCongested(false);
      socket.resume();
    });
  }

  /**
   * Takes no new calls, ends streams with STOPPED, lets unary calls end within the grace time, then closes all
   * connections.
   */
  async close(graceMs: number): Promise<void> {
    const stopped = new EtcdError('STOPPED');
    const waiting: Promise<void>[] = [];
    for (const { connection, calls, closed } of this.#served) {
      connection.drain();
      for (const call of calls) if (call.isStreaming) call.fail(stopped);
      waiting.push(closed);
    }
    const timer = this.#options.clock.after(graceMs, () => {
      for (const { connection, calls } of this.#served) {
        for (const call of calls) call.fail(stopped);
        connection.finish();
      }
    });
    await Promise.all(waiting);
    timer.cancel();
    this.#deadlines.close();
  }

  #factsOf(socket: Socket, calls: Set<GrpcCall>, holder: AnswerHolder): GrpcConnectionFacts {
    const address = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`;
    const { http1 } = this.#options;
    return {
      handlers: this.#options.handlers,
      deadlines: this.#deadlines,
      maxReceiveBytes: this.#options.maxReceiveBytes,
      decompressors: DECOMPRESSORS,
      metrics: this.#metrics,
      answers: this.#answers,
      holder,
      turn: () => nextTurn(this.#options.clock),
      partialBytes: {
        bytes: 0,
        limit: this.#options.maxPartialBytes ?? MAX_PARTIAL_BYTES_PER_CONNECTION,
      },
      peer: { via: 'grpc', address, certificateCommonName: this.#options.commonNameOf?.(socket) },
      calls,
      ...(http1 !== undefined && socket instanceof TLSSocket
        ? { otherwise: (stream: Http2Stream) => serveOverHttp1(stream, socket, http1) }
        : {}),
    };
  }
}

/** Sends all that a turn of the event loop had to say, in one write. */
function flush(socket: Socket, connection: Http2Connection, maxBacklogBytes: number): void {
  const parts = connection.takeOutput();
  if (socket.destroyed || parts.length === 0) return;
  socket.cork();
  let hasRoom = true;
  for (const part of parts) hasRoom = socket.write(part);
  socket.uncork();
  connection.setCongested(!hasRoom);
  if (socket.writableLength > maxBacklogBytes) socket.pause();
}
