/**
 * The JSON gateway: every RPC as an HTTP/1.1 POST of JSON, as grpc-gateway v2 serves it in etcd, or over a WebSocket.
 *
 * A unary call answers one JSON object. A stream answers one HTTP chunk per message, each a whole JSON object on a line
 * of its own (`{"result":…}`); its requests are the JSON values of the body, one after the other.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { EtcdError, type Handlers, type MethodName, type Rpc } from '@etcd-ts/protocol';
import { parseTimeoutMs } from '@etcd-ts/protocol/http2';
import { WebSocketServer } from 'ws';
import type { Clock } from '../../clock.ts';
import { CallMetrics } from '../../metrics/call-metrics.ts';
import { Deadlines } from '../../requests/deadlines.ts';
import { nextTurn } from '../../turns.ts';
import { AnswerBudget } from '../answer-budget.ts';
import { ListenerContext } from '../call-context.ts';
import { gatewayRoute } from '../gateway/gateway-routes.ts';
import type { JsonWire } from '../gateway/json-wire.ts';
import { JsonRange } from '../range-parts.ts';
import { GatewayStream } from './gateway-stream.ts';
import {
  ANSWER_HEADERS,
  answerError,
  answerUnary,
  type GatewayCall,
  type GatewayLimits,
} from './gateway-unary.ts';
import { HttpWire } from './http-wire.ts';
import { BEARER_PROTOCOL, webSocketToken, WebSocketWire } from './web-socket-wire.ts';

/** What the gateway needs. */
export interface GatewayOptions {
  readonly handlers: Handlers;
  readonly clock: Clock;
  /** Where calls are counted. @defaultValue nowhere */
  readonly metrics?: CallMetrics;
  /** What may wait for clients. @defaultValue one of its own */
  readonly answers?: AnswerBudget;
  /** Bytes of one request as gRPC would bring it; beyond: RESOURCE_EXHAUSTED, as gRPC answers. */
  readonly maxMessageBytes: number;
}

/** What base64 and names make of a message's bytes, at the most. */
const JSON_BLOAT = 2;
/** JSON of the smallest messages may have so many bytes beside. */
const JSON_MARGIN_BYTES = 4096;

/** Milliseconds in which a unary request must be here whole, after its headers; then its client is hung up on. */
export const BODY_TIMEOUT_MS = 300_000;

/** Headers that become metadata although they have no `Grpc-Metadata-` before them. */
const PLAIN_METADATA = ['authorization', 'token'];

const METADATA_PREFIX = 'grpc-metadata-';

/** A request on its way to its handler. */
interface Incoming {
  readonly request: IncomingMessage;
  readonly wire: JsonWire;
  readonly path: string;
}

/** The gateway of a port. It takes every path below `/v3/`. */
export class Gateway {
  readonly #handlers: Handlers;
  readonly #deadlines: Deadlines;
  readonly #stalled: Deadlines;
  #isClosed = false;
  readonly #metrics: CallMetrics;
  readonly #limits: GatewayLimits;
  readonly #answers: AnswerBudget;
  readonly #turn: () => Promise<void>;
  readonly #webSockets: WebSocketServer;

  constructor(options: GatewayOptions) {
    const { handlers, clock, metrics = new CallMetrics(), maxMessageBytes } = options;
    this.#handlers = handlers;
    this.#answers = options.answers ?? new AnswerBudget();
    this.#turn = () => nextTurn(clock);
    this.#deadlines = new Deadlines(clock);
    this.#stalled = new Deadlines(clock);
    this.#metrics = metrics;
    const maxJsonBytes = maxMessageBytes * JSON_BLOAT + JSON_MARGIN_BYTES;
    this.#limits = { maxMessageBytes, maxJsonBytes };
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: maxJsonBytes,
      handleProtocols: (protocols) => protocols.has(BEARER_PROTOCOL) && BEARER_PROTOCOL,
    });
  }

  /** Whether a path is the gateway's. */
  has(path: string): boolean {
    return gatewayRoute(path) !== 'elsewhere';
  }

  /** Serves a request. */
  serve(request: IncomingMessage, response: ServerResponse, path: string): void {
    const wire = new HttpWire(request, response);
    const isKnown = gatewayRoute(path) !== undefined;
    if (isKnown && request.method !== 'POST') {
      answerError(wire, new EtcdError('UNIMPLEMENTED', { message: 'Method Not Allowed' }));
    } else {
      this.#route({ request, wire, path });
    }
  }

  /** Serves a request that asks for a WebSocket; its method does not matter. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, path: string): void {
    this.#webSockets.handleUpgrade(request, socket, head, (opened) =>
      this.#route({ request, wire: new WebSocketWire(opened), path }),
    );
  }

  /** Lets nobody wait for a deadline any more. */
  close(): void {
    this.#isClosed = true;
    this.#stalled.clear();
    this.#webSockets.close();
  }

  #route(incoming: Incoming): void {
    const rpc = gatewayRoute(incoming.path);
    if (rpc === undefined || rpc === 'elsewhere') {
      answerError(incoming.wire, new EtcdError('NOT_FOUND', { message: 'Not Found' }));
    } else {
      this.#call(rpc, incoming);
    }
  }

  #call(rpc: Rpc<MethodName>, { request, wire }: Incoming): void {
    const timeoutMs = parseTimeoutMs(header(request, 'grpc-timeout'));
    const handler = this.#handlers[rpc.name];
    if (handler === undefined) {
      const message = `unknown method ${rpc.method}`;
      return answerError(wire, new EtcdError('UNIMPLEMENTED', { message }));
    }
    if (Number.isNaN(timeoutMs)) {
      const message = `invalid grpc-timeout: ${header(request, 'grpc-timeout')}`;
      return answerError(wire, new EtcdError('INVALID_ARGUMENT', { message }));
    }
    const { remoteAddress = '', remotePort = '' } = request.socket;
    const range =
      rpc.name === 'etcdserverpb.KV/Range' && wire.takesParts
        ? new JsonRange(wire, this.#answers, () => wire.begin(200, ANSWER_HEADERS))
        : undefined;
    const context = new ListenerContext({
      metadata: metadataOf(request, wire.endsWithValue),
      timeoutMs,
      peer: { via: 'gateway', address: `${remoteAddress}:${remotePort}` },
      source: { rangeParts: range },
    });
    const counted = this.#metrics.started(rpc.name, context.metadata);
    const call: GatewayCall = {
      wire,
      rpc,
      context,
      counted,
      limits: this.#limits,
      answers: this.#answers,
      range,
      turn: this.#turn,
      whole: (body) => this.#withinTime(body, wire),
    };
    this.#watch(context, wire, timeoutMs);
    if (rpc.kind === 'unary') void answerUnary(call, handler as never);
    else new GatewayStream(call).run(handler as never);
  }

  async #withinTime(body: Promise<string>, wire: JsonWire): Promise<string> {
    const stalled = { expire: () => wire.cut() };
    if (!this.#isClosed) this.#stalled.add(stalled, BODY_TIMEOUT_MS);
    try {
      return await body;
    } finally {
      this.#stalled.remove(stalled);
    }
  }

  /** Ends a call with its deadline, and when its client goes. */
  #watch(context: ListenerContext, wire: JsonWire, timeoutMs: number | undefined): void {
    const expiring = { expire: () => context.cancel(new EtcdError('DEADLINE_EXCEEDED')) };
    if (timeoutMs !== undefined) this.#deadlines.add(expiring, timeoutMs);
    wire.onGone(() => {
      if (timeoutMs !== undefined) this.#deadlines.remove(expiring);
      context.cancel(new EtcdError('CANCELED'));
    });
  }
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

function metadataOf(request: IncomingMessage, isWebSocket: boolean): Map<string, string> {
  const metadata = new Map<string, string>();
  for (const name of Object.keys(request.headers)) {
    const value = header(request, name);
    if (value === undefined) continue;
    if (PLAIN_METADATA.includes(name)) metadata.set(name, value);
    else if (name.startsWith(METADATA_PREFIX))
      metadata.set(name.slice(METADATA_PREFIX.length), value);
  }
  const token = isWebSocket ? webSocketToken(request) : undefined;
  if (token !== undefined) metadata.set('authorization', token);
  return metadata;
}
