/**
 * Every message of every call in the log, as etcd's proxy writes them with --experimental-enable-grpc-logging: go-grpc-
 * middleware's payload interceptor, its texts and names of fields.
 *
 * Invariant: no password and no token reaches the log.
 */
import {
  type CallContext,
  type Handlers,
  type MessageCodec,
  type MethodName,
  type ResponseSink,
  type Rpc,
  RPC_TABLE,
  type StreamHandler,
  type UnaryHandler,
  wrapHandlers,
} from '@etcd-ts/protocol';
import { messageToJson } from '../listeners/gateway/to-json.ts';
import type { LogFields, Logger } from '../logger.ts';

/** Characters of a message's JSON; of a longer one only its length is logged. */
export const MAX_LOGGED_CHARS = 65_536;

/** Fields that let their reader in. */
const SECRETS = ['password', 'hashed_password', 'hashedPassword', 'token'];
const WITHHELD = '<withheld>';

/** The same handlers, which tell the log what they are asked and what they answer. */
export function logged(handlers: Handlers, log: Logger): Handlers {
  const rpcOf = (method: MethodName): Rpc<MethodName> => RPC_TABLE[method] as Rpc<MethodName>;
  return wrapHandlers(handlers, {
    unary: (handler, method) => loggedUnary(rpcOf(method), handler, log),
    stream: (handler, method) => loggedStream(rpcOf(method), handler, log),
  });
}

function loggedUnary(
  rpc: Rpc<MethodName>,
  handler: UnaryHandler<unknown, unknown>,
  log: Logger,
): UnaryHandler<unknown, unknown> {
  return async (request, context) => {
    const lines = new CallLines(rpc, context, log);
    lines.asked(request);
    const response = await handler(request, context);
    lines.answered(response);
    return response;
  };
}

function loggedStream(
  rpc: Rpc<MethodName>,
  handler: StreamHandler<unknown, unknown>,
  log: Logger,
): StreamHandler<unknown, unknown> {
  return (requests, context, responses) => {
    const lines = new CallLines(rpc, context, log);
    const sink: ResponseSink<unknown> = {
      send: (response) => {
        lines.answered(response);
        return responses.send(response);
      },
      drained: () => responses.drained(),
    };
    return handler(heard(requests, lines), context, sink);
  };
}

async function* heard(requests: AsyncIterable<unknown>, lines: CallLines): AsyncIterable<unknown> {
  for await (const request of requests) {
    lines.asked(request);
    yield request;
  }
}

/** The lines of one call. */
class CallLines {
  readonly #rpc: Rpc<MethodName>;
  readonly #fields: LogFields;
  readonly #log: Logger;

  constructor(rpc: Rpc<MethodName>, { peer }: CallContext, log: Logger) {
    const [service, method] = rpc.name.split('/');
    this.#rpc = rpc;
    this.#log = log;
    this.#fields = {
      system: 'grpc',
      'span.kind': 'server',
      'grpc.service': service,
      'grpc.method': method,
      'peer.address': peer.address,
    };
  }

  asked(request: unknown): void {
    this.#log.info('server request payload logged as grpc.request.content field', {
      ...this.#fields,
      'grpc.request.content': content(this.#rpc.request, request),
    });
  }

  answered(response: unknown): void {
    this.#log.info('server response payload logged as grpc.response.content field', {
      ...this.#fields,
      'grpc.response.content': content(this.#rpc.response, response),
    });
  }
}

function content(codec: unknown, message: unknown): LogFields {
  const json = messageToJson(codec as MessageCodec<unknown>, message);
  if (json.length > MAX_LOGGED_CHARS) return { characters: json.length };
  const fields = JSON.parse(json) as Record<string, unknown>;
  for (const name of SECRETS) if (Object.hasOwn(fields, name)) fields[name] = WITHHELD;
  return { msg: fields };
}
