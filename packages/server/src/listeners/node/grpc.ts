/**
 * The gRPC door: serves the handlers over HTTP/2 connections that somebody else accepts.
 *
 * gRPC is spoken here on node:http2 itself. @grpc/grpc-js, which the client uses, costs more per call than the whole
 * rest of a put, words its refusals otherwise than grpc-go, and cannot bound what a connection may do.
 */
import {
  createServer,
  constants,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import {
  EtcdError,
  type Handlers,
  type MethodName,
  type PeerInfo,
  RPC_TABLE,
} from '@etcd-ts/protocol';
import type { Clock } from '../../clock.ts';
import { Deadlines } from '../../requests/deadlines.ts';
import { ListenerContext } from '../call-context.ts';
import { metadataOf, parseTimeoutMs } from '../grpc-wire.ts';
import { unimplemented } from '../in-process.ts';
import { PingPolicy } from '../ping-policy.ts';
import { GrpcCall, sendError } from './grpc-call.ts';

/** What a gRPC server may be told. */
export interface GrpcServerOptions {
  readonly handlers: Handlers;
  readonly clock: Clock;
  /** Largest request message; beyond: RESOURCE_EXHAUSTED. etcd: --max-request-bytes + 512 KiB. */
  readonly maxReceiveBytes: number;
  /** Streams open on one connection; beyond, HTTP/2 makes the client wait. etcd --max-concurrent-streams. */
  readonly maxStreamsPerConnection: number;
  /** Least time between a client's pings; beyond: GOAWAY too_many_pings. etcd --grpc-keepalive-min-time. */
  readonly minPingIntervalMs: number;
}

/** Bytes that a connection may send before the server has looked at them. */
const CONNECTION_WINDOW_BYTES = 1 << 20;
/** Memory of one connection, in megabytes, beyond which it gets no new streams. */
const MAX_SESSION_MEMORY_MB = 512;

/** Serves gRPC on the connections given to {@link accept}. */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #http2: Http2Server;
  readonly #deadlines: Deadlines;
  readonly #sessions = new Map<ServerHttp2Session, Set<GrpcCall>>();

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
    this.#http2 = createServer({
      maxSessionMemory: MAX_SESSION_MEMORY_MB,
      settings: {
        maxConcurrentStreams: options.maxStreamsPerConnection,
        initialWindowSize: CONNECTION_WINDOW_BYTES,
        enablePush: false,
      },
    });
    this.#http2.on('session', (session) => this.#onSession(session));
    // A connection's trouble is its own; its calls learn of it when their streams close.
    this.#http2.on('sessionError', () => undefined);
  }

  /** Connections that are open. */
  get connectionCount(): number {
    return this.#sessions.size;
  }

  /** Speaks HTTP/2 on a connection from now on. */
  accept(connection: Duplex): void {
    this.#http2.emit('connection', connection);
  }

  /**
   * Takes no new calls, ends streams with STOPPED, lets unary calls end within the grace time, then closes all
   * connections.
   */
  async close(graceMs: number): Promise<void> {
    const stopped = new EtcdError('STOPPED');
    for (const [session, calls] of this.#sessions) {
      session.close();
      for (const call of calls) if (call.isStreaming) call.fail(stopped);
    }
    await this.#sessionsGone(graceMs);
    for (const [session, calls] of this.#sessions) {
      for (const call of calls) call.fail(stopped);
      session.destroy();
    }
    this.#deadlines.clear();
  }

  #sessionsGone(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(graceMs, resolve);
      const check = (): void => {
        if (this.#sessions.size > 0) return;
        timer.cancel();
        resolve();
      };
      for (const session of this.#sessions.keys()) session.once('close', check);
      check();
    });
  }

  #onSession(session: ServerHttp2Session): void {
    const calls = new Set<GrpcCall>();
    const pings = new PingPolicy(this.#options.minPingIntervalMs);
    this.#sessions.set(session, calls);
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.once('close', () => this.#sessions.delete(session));
    session.on('error', () => session.destroy());
    session.on('ping', () => {
      if (pings.allows(this.#options.clock.monotonicMs(), calls.size > 0)) return;
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from('too_many_pings'));
      session.destroy();
    });
    session.on('stream', (stream, headers) => {
      pings.forgive();
      this.#onStream(stream, headers, calls);
    });
  }

  #onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, calls: Set<GrpcCall>): void {
    // Without a listener a reset by the client would end the process.
    stream.on('error', () => undefined);
    if (!isGrpc(stream, headers)) return;
    const name = (headers[':path'] ?? '').slice(1);
    const handler = Object.hasOwn(this.#options.handlers, name)
      ? this.#options.handlers[name as MethodName]
      : undefined;
    const timeoutMs = parseTimeoutMs(headers['grpc-timeout'] as string | undefined);
    if (handler === undefined)
      return sendError(stream, unimplemented(name, this.#options.handlers));
    if (Number.isNaN(timeoutMs)) {
      return sendError(stream, new EtcdError('INTERNAL', { message: 'malformed grpc-timeout' }));
    }
    this.#startCall(stream, headers, { name: name as MethodName, handler, timeoutMs }, calls);
  }

  #startCall(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    {
      name,
      handler,
      timeoutMs,
    }: { name: MethodName; handler: Handlers[MethodName]; timeoutMs: number | undefined },
    calls: Set<GrpcCall>,
  ): void {
    const call = new GrpcCall(stream, RPC_TABLE[name], handler, {
      maxReceiveBytes: this.#options.maxReceiveBytes,
      newContext: (rawRequest) =>
        new ListenerContext({
          metadata: metadataOf(headers),
          timeoutMs,
          peer: peerOf(stream),
          rawRequest,
        }),
    });
    calls.add(call);
    const expiring = { expire: () => call.fail(new EtcdError('DEADLINE_EXCEEDED')) };
    if (timeoutMs !== undefined) this.#deadlines.add(expiring, timeoutMs);
    stream.once('close', () => {
      calls.delete(call);
      if (timeoutMs !== undefined) this.#deadlines.remove(expiring);
    });
  }
}

/** Answers what is not gRPC as grpc-go does. */
function isGrpc(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
  const isPost = headers[':method'] === 'POST';
  if (isPost && headers['content-type']?.startsWith('application/grpc') === true) return true;
  stream.respond({ ':status': isPost ? 415 : 405 }, { endStream: true });
  return false;
}

function peerOf(stream: ServerHttp2Stream): PeerInfo {
  const socket = stream.session?.socket;
  return { via: 'grpc', address: `${socket?.remoteAddress ?? ''}:${socket?.remotePort ?? ''}` };
}
