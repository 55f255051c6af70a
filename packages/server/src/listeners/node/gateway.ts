/**
 * The JSON gateway: every RPC as an HTTP/1.1 POST of JSON, as grpc-gateway v2 serves it in etcd.
 *
 * A unary call answers one JSON object. A stream answers one HTTP chunk per message, each a whole JSON object on a line
 * of its own (`{"result":…}`); its requests are the JSON values of the body, one after the other.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { EtcdError, type Handlers, type MethodName, type Rpc } from '@etcd-ts/protocol';
import type { Clock } from '../../clock.ts';
import { Deadlines } from '../../requests/deadlines.ts';
import { CallMetrics } from '../../metrics/call-metrics.ts';
import { ListenerContext } from '../call-context.ts';
import { gatewayRoute } from '../gateway/gateway-routes.ts';
import { parseTimeoutMs } from '@etcd-ts/protocol/http2';
import { GatewayStream } from './gateway-stream.ts';
import { answerError, answerUnary, type GatewayCall } from './gateway-unary.ts';
import type { HttpFallback } from './http.ts';

/** What the gateway needs. */
export interface GatewayOptions {
  readonly handlers: Handlers;
  readonly clock: Clock;
  /** Where calls are counted. @defaultValue nowhere */
  readonly metrics?: CallMetrics;
  /** Bytes of one request's JSON; beyond: RESOURCE_EXHAUSTED, as gRPC answers a message that is too large. */
  readonly maxBodyBytes: number;
}

/** What base64 and names make of a message's bytes, at the most. */
const JSON_BLOAT = 2;

/** Bytes of JSON that a message of so many bytes may take. */
export function jsonBytesFor(messageBytes: number): number {
  return messageBytes * JSON_BLOAT;
}

/** Headers that become metadata although they have no `Grpc-Metadata-` before them. */
const PLAIN_METADATA = ['authorization', 'token'];

const METADATA_PREFIX = 'grpc-metadata-';

/** Makes the gateway; it takes every path below `/v3/`. */
export function gateway(options: GatewayOptions): HttpFallback {
  const deadlines = new Deadlines(options.clock);
  const metrics = options.metrics ?? new CallMetrics();
  return (request, response, path) => {
    const rpc = gatewayRoute(path);
    if (rpc === 'elsewhere') return false;
    if (rpc === undefined) {
      answerError(response, new EtcdError('NOT_FOUND', { message: 'Not Found' }));
    } else if (request.method !== 'POST') {
      answerError(response, new EtcdError('UNIMPLEMENTED', { message: 'Method Not Allowed' }));
    } else {
      startCall({ ...options, metrics }, deadlines, { request, response, rpc });
    }
    return true;
  };
}

function startCall(
  options: GatewayOptions & { readonly metrics: CallMetrics },
  deadlines: Deadlines,
  {
    request,
    response,
    rpc,
  }: { request: IncomingMessage; response: ServerResponse; rpc: Rpc<MethodName> },
): void {
  const timeoutMs = parseTimeoutMs(header(request, 'grpc-timeout'));
  const handler = options.handlers[rpc.name];
  if (handler === undefined) {
    return answerError(
      response,
      new EtcdError('UNIMPLEMENTED', { message: `unknown method ${rpc.method}` }),
    );
  }
  if (Number.isNaN(timeoutMs)) {
    const message = `invalid grpc-timeout: ${header(request, 'grpc-timeout')}`;
    return answerError(response, new EtcdError('INVALID_ARGUMENT', { message }));
  }
  const { remoteAddress = '', remotePort = '' } = request.socket;
  const context = new ListenerContext({
    metadata: metadataOf(request),
    timeoutMs,
    peer: { via: 'gateway', address: `${remoteAddress}:${remotePort}` },
  });
  const { maxBodyBytes, metrics } = options;
  const counted = metrics.started(rpc.name, context.metadata);
  const call: GatewayCall = { request, response, rpc, context, counted, maxBodyBytes };
  const expiring = { expire: () => context.cancel(new EtcdError('DEADLINE_EXCEEDED')) };
  if (timeoutMs !== undefined) deadlines.add(expiring, timeoutMs);
  response.once('close', () => {
    if (timeoutMs !== undefined) deadlines.remove(expiring);
    context.cancel(new EtcdError('CANCELED'));
  });
  if (rpc.kind === 'unary') void answerUnary(call, handler as never);
  else new GatewayStream(call).run(handler as never);
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

function metadataOf(request: IncomingMessage): Map<string, string> {
  const metadata = new Map<string, string>();
  for (const name of Object.keys(request.headers)) {
    const value = header(request, name);
    if (value === undefined) continue;
    if (PLAIN_METADATA.includes(name)) metadata.set(name, value);
    else if (name.startsWith(METADATA_PREFIX))
      metadata.set(name.slice(METADATA_PREFIX.length), value);
  }
  return metadata;
}
