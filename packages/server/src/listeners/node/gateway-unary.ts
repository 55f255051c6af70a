import {
  EtcdError,
  type MethodName,
  type RangeResponse,
  type Rpc,
  Status,
  type UnaryHandler,
} from '@etcd-ts/protocol';
import type { CountedCall } from '../../metrics/call-metrics.ts';
import { type AnswerBudget, SMALL_ANSWER_BYTES } from '../answer-budget.ts';
import { jsonPieces, largeAnswer } from '../large-answer.ts';
import type { JsonRange } from '../range-parts.ts';
import type { ListenerContext } from '../call-context.ts';
import { JsonMappingError, messageFromJson } from '../gateway/from-json.ts';
import { httpStatus } from '../gateway/http-status.ts';
import { JsonPieces } from '../gateway/json-pieces.ts';
import { JsonError, type JsonValue, readJson } from '../gateway/json-value.ts';
import type { JsonWire } from '../gateway/json-wire.ts';
import { messageToJson } from '../gateway/to-json.ts';

/** One call through the gateway. */
export interface GatewayCall {
  readonly wire: JsonWire;
  readonly rpc: Rpc<MethodName>;
  readonly context: ListenerContext;
  readonly counted: CountedCall;
  readonly limits: GatewayLimits;
  readonly answers: AnswerBudget;
  /** Where a large range goes while it is read. */
  readonly range?: JsonRange | undefined;
  /** Resolves in a later turn of the event loop. */
  readonly turn: () => Promise<void>;
  /** Hangs up when the request is not here whole in time; the answer may take as long as it will. */
  readonly whole: (request: Promise<string>) => Promise<string>;
}

/** What a request may cost. */
export interface GatewayLimits {
  /** Bytes of a message as gRPC would bring it; beyond: RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes: number;
  /** Bytes of its JSON; beyond, the same, before it is looked at. */
  readonly maxJsonBytes: number;
}

const NOTHING: JsonValue = { kind: 'object', at: 0, members: [] };

const JSON_TYPE = { 'Content-Type': 'application/json' } as const;

/** What grpc-gateway adds to every answer of an RPC. */
export const ANSWER_HEADERS: Readonly<Record<string, string>> = {
  ...JSON_TYPE,
  'Grpc-Metadata-Content-Type': 'application/grpc',
};

/** Reads the request, asks the handler, and answers. Never rejects. */
export async function answerUnary(
  call: GatewayCall,
  handler: UnaryHandler<unknown, unknown>,
): Promise<void> {
  const { wire, rpc, context, counted, range, turn } = call;
  try {
    const text = await call.whole(readRequest(call));
    const request = decodeRequest(call, readJson(text)?.value ?? NOTHING, text);
    counted.received();
    const message = await Promise.race([handler(request, context), cancelled(context)]);
    if (range?.hasBegun === true) {
      counted.sent();
      counted.ended();
      // The method says which message it is.
      range.end(message as RangeResponse);
      return;
    }
    const large = largeAnswer(rpc.name, message);
    const body =
      large === undefined
        ? messageToJson(rpc.response as never, message as never)
        : await jsonPieces(large, turn);
    waitFor(call, body);
    counted.sent();
    counted.ended();
    wire.answer(200, ANSWER_HEADERS, body);
  } catch (cause) {
    const error = gatewayError(cause);
    counted.ended(error);
    // Half an answer says by its missing end that it is one.
    if (range?.hasBegun === true) wire.cut();
    else answerError(wire, error);
  }
}

/** Counts an answer among those that wait until its client has it. @throws EtcdError RESOURCE_EXHAUSTED. */
function waitFor({ wire, answers }: GatewayCall, body: string | readonly Uint8Array[]): void {
  const waitingBytes =
    typeof body === 'string' ? body.length : body.reduce((sum, { length }) => sum + length, 0);
  if (waitingBytes < SMALL_ANSWER_BYTES) return;
  const holder = { waitingBytes, hangUp: () => wire.cut() };
  answers.admit(waitingBytes, holder);
  answers.join(holder);
  wire.onGone(() => answers.leave(holder));
}

/**
 * The message in a JSON value.
 *
 * @throws JsonMappingError; EtcdError RESOURCE_EXHAUSTED for a message that gRPC would have refused to take.
 */
export function decodeRequest(
  { limits, rpc }: Pick<GatewayCall, 'limits' | 'rpc'>,
  value: JsonValue,
  text: string,
): unknown {
  const message: unknown = messageFromJson(rpc.request as never, value, text);
  // JSON is never shorter than what it stands for.
  if (text.length <= limits.maxMessageBytes) return message;
  const { length } = rpc.request.encode(message as never);
  if (length > limits.maxMessageBytes) throw tooLarge(length, limits.maxMessageBytes);
  return message;
}

/** Answers with an error, unless the answer has begun or the client is gone. */
export function answerError(wire: JsonWire, error: EtcdError): void {
  const authenticate =
    error.status === Status.UNAUTHENTICATED ? { 'WWW-Authenticate': error.message } : {};
  wire.answer(httpStatus(error.status), { ...JSON_TYPE, ...authenticate }, errorJson(error));
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

/** The refusal of a message beyond the limit, in gRPC's words. */
export function tooLarge(bytes: number, limit: number): EtcdError {
  const message = `grpc: received message larger than max (${bytes} vs. ${limit})`;
  return new EtcdError('RESOURCE_EXHAUSTED', { message });
}

/**
 * The text of a request: all of it over HTTP, where the client hears no answer before it has sent everything; up to the
 * end of the first value over a WebSocket.
 */
function readRequest({ wire, limits }: GatewayCall): Promise<string> {
  return new Promise((resolve, reject) => {
    let parts: string[] = [];
    let bytes = 0;
    const value = new JsonPieces();
    wire.read({
      text: (part, partBytes) => {
        bytes += partBytes;
        if (bytes <= limits.maxJsonBytes) parts.push(part);
        else parts = [];
        if (!wire.endsWithValue) return;
        value.add(part);
        if (bytes > limits.maxJsonBytes || hasEnded(value)) finish();
      },
      end: finish,
      broken: () => reject(new EtcdError('CANCELED')),
    });
    function finish(): void {
      if (bytes > limits.maxJsonBytes) reject(tooLarge(bytes, limits.maxJsonBytes));
      else resolve(parts.join(''));
    }
  });
}

/** Whether there is a value, or something that will never be one. */
function hasEnded(value: JsonPieces): boolean {
  try {
    return value.next() !== undefined;
  } catch {
    // Told when it is read for good.
    return true;
  }
}

function cancelled({ signal }: ListenerContext): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(EtcdError.from(signal.reason));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
