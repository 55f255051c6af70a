import type { IncomingMessage, ServerResponse } from 'node:http';
import { EtcdError, type MethodName, type Rpc, type UnaryHandler } from '@etcd-ts/protocol';
import type { CountedCall } from '../../metrics/call-metrics.ts';
import type { ListenerContext } from '../call-context.ts';
import { JsonMappingError, messageFromJson } from '../gateway/from-json.ts';
import { httpStatus } from '../gateway/http-status.ts';
import { JsonError, type JsonValue, readJson } from '../gateway/json-value.ts';
import { messageToJson } from '../gateway/to-json.ts';

/** One call through the gateway. */
export interface GatewayCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly rpc: Rpc<MethodName>;
  readonly context: ListenerContext;
  readonly counted: CountedCall;
  readonly maxBodyBytes: number;
}

const NOTHING: JsonValue = { kind: 'object', at: 0, members: [] };

/** What grpc-gateway adds to every answer of an RPC. */
const HEADERS = {
  'Content-Type': 'application/json',
  'Grpc-Metadata-Content-Type': 'application/grpc',
} as const;

/** Reads the request, asks the handler, and answers. Never rejects. */
export async function answerUnary(
  call: GatewayCall,
  handler: UnaryHandler<unknown, unknown>,
): Promise<void> {
  const { response, rpc, context, counted } = call;
  try {
    const text = await readBody(call);
    const value = readJson(text)?.value ?? NOTHING;
    const request = messageFromJson(rpc.request as never, value, text);
    counted.received();
    const message = await Promise.race([handler(request, context), cancelled(context)]);
    const body = messageToJson(rpc.response as never, message as never);
    counted.sent();
    counted.ended();
    if (response.destroyed) return;
    response.writeHead(200, { ...HEADERS, 'Content-Length': Buffer.byteLength(body) });
    response.end(body);
  } catch (cause) {
    const error = gatewayError(cause);
    counted.ended(error);
    answerError(response, error);
  }
}

/** Answers with an error, unless the answer has begun or the client is gone. */
export function answerError(response: ServerResponse, error: EtcdError): void {
  if (response.destroyed || response.headersSent) return;
  const body = errorJson(error);
  response.writeHead(httpStatus(error.status), {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** An error in the gateway's shape. */
export function errorJson(error: EtcdError): string {
  return JSON.stringify({ code: error.status, message: error.message });
}

/** What went wrong as an EtcdError: broken JSON is INVALID_ARGUMENT with its text. */
export function gatewayError(error: unknown): EtcdError {
  if (error instanceof JsonError || error instanceof JsonMappingError) {
    return new EtcdError('INVALID_ARGUMENT', { message: error.message, cause: error });
  }
  return EtcdError.from(error);
}

/** The refusal of a body beyond the limit, in gRPC's words. */
export function tooLarge(bytes: number, limit: number): EtcdError {
  const message = `grpc: received message larger than max (${bytes} vs. ${limit})`;
  return new EtcdError('RESOURCE_EXHAUSTED', { message });
}

async function readBody({ request, maxBodyBytes }: GatewayCall): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    // Read to its end all the same: a client that is still sending would not see the answer.
    if (bytes <= maxBodyBytes) chunks.push(chunk);
  }
  if (bytes > maxBodyBytes) throw tooLarge(bytes, maxBodyBytes);
  return Buffer.concat(chunks).toString('utf8');
}

function cancelled({ signal }: ListenerContext): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(EtcdError.from(signal.reason));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
