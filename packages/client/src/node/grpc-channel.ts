/** A Channel over gRPC, by @grpc/grpc-js. */
import {
  Client,
  credentials,
  type ChannelCredentials,
  type ClientOptions,
  Metadata,
} from '@grpc/grpc-js';
import {
  type CallOptions,
  type Channel,
  DecodeError,
  EtcdError,
  type MessageCodec,
  MessageQueue,
  type RequestOf,
  type ResponseOf,
  RPC_TABLE,
  type StreamCall,
  type StreamMethodName,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import { fromGrpc } from './grpc-error.ts';
import { GrpcStream } from './grpc-stream.ts';
import { signalError } from '../backoff.ts';

/** What a gRPC channel may be told. */
export interface GrpcChannelOptions {
  /** TLS of the connection. @defaultValue none */
  readonly credentials?: ChannelCredentials;
  /** Time between pings on a connection with calls, to notice that its host is gone. @defaultValue 10000 */
  readonly keepAliveIntervalMs?: number;
  /** Time for the answer to a ping before the connection is given up. @defaultValue 5000 */
  readonly keepAliveTimeoutMs?: number;
}

interface Cancellable {
  cancel(): void;
}

/** A connection to one `host:port`. It connects by itself when it is first used, and again when it was lost. */
export class GrpcChannel implements Channel {
  readonly #client: Client;
  readonly #open = new Set<Cancellable>();
  #isClosed = false;

  constructor(endpoint: string, options: GrpcChannelOptions = {}) {
    const clientOptions: ClientOptions = {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.keepalive_time_ms': options.keepAliveIntervalMs ?? 10_000,
      'grpc.keepalive_timeout_ms': options.keepAliveTimeoutMs ?? 5_000,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
      'grpc.use_local_subchannel_pool': 1,
    };
    this.#client = new Client(
      endpoint.replace(/^https?:\/\//, ''),
      options.credentials ?? credentials.createInsecure(),
      clientOptions,
    );
  }

  /** See {@link Channel.unary}. */
  unary<Method extends UnaryMethodName>(
    method: Method,
    request: RequestOf<Method>,
    options: CallOptions = {},
  ): Promise<ResponseOf<Method>> {
    const refusal = this.#refusal(options);
    if (refusal !== undefined) return Promise.reject(refusal);
    const rpc = RPC_TABLE[method];
    const { signal } = options;
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        `/${method}`,
        encoderOf(rpc.request),
        decoderOf(rpc.response),
        request,
        metadataOf(options),
        callOptions(options),
        (error, response) => {
          this.#open.delete(entry);
          signal?.removeEventListener('abort', onAbort);
          if (response !== undefined && error === null) resolve(response);
          else reject(error === null ? new EtcdError('INTERNAL') : fromGrpc(error));
        },
      );
      const onAbort = (): void => {
        if (signal !== undefined) reject(signalError(signal));
        call.cancel();
      };
      const entry = {
        cancel: (): void => {
          reject(closedError());
          call.cancel();
        },
      };
      this.#open.add(entry);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** See {@link Channel.stream}. */
  stream<Method extends StreamMethodName>(
    method: Method,
    options: CallOptions = {},
  ): StreamCall<RequestOf<Method>, ResponseOf<Method>> {
    const refusal = this.#refusal(options);
    if (refusal !== undefined) return refusedStream(refusal);
    const rpc = RPC_TABLE[method];
    const call = this.#client.makeBidiStreamRequest(
      `/${method}`,
      encoderOf(rpc.request),
      decoderOf(rpc.response),
      metadataOf(options),
      callOptions(options),
    );
    const { signal } = options;
    const onAbort = (): void => {
      if (signal !== undefined) stream.fail(signalError(signal));
    };
    const entry = { cancel: (): void => stream.fail(closedError()) };
    const stream = new GrpcStream<RequestOf<Method>, ResponseOf<Method>>(call, () => {
      this.#open.delete(entry);
      signal?.removeEventListener('abort', onAbort);
    });
    this.#open.add(entry);
    signal?.addEventListener('abort', onAbort, { once: true });
    return stream;
  }

  /** See {@link Channel.close}. */
  close(): Promise<void> {
    this.#isClosed = true;
    for (const call of this.#open) call.cancel();
    this.#client.close();
    return Promise.resolve();
  }

  #refusal({ signal, timeoutMs }: CallOptions): EtcdError | undefined {
    if (this.#isClosed) return closedError();
    if (signal?.aborted === true) return signalError(signal, false);
    if (timeoutMs !== undefined && !(timeoutMs > 0)) {
      return new EtcdError('DEADLINE_EXCEEDED', { mayHaveApplied: false });
    }
    return undefined;
  }
}

/** A stream that was never opened. */
function refusedStream<Request, Response>(error: EtcdError): StreamCall<Request, Response> {
  const responses = new MessageQueue<Response>(1);
  responses.abort(error);
  return {
    send: () => false,
    drained: () => Promise.resolve(),
    end: () => undefined,
    responses,
    cancel: () => undefined,
  };
}

function callOptions({ timeoutMs }: CallOptions): { deadline?: number } {
  if (timeoutMs === undefined || !Number.isFinite(timeoutMs)) return {};
  return { deadline: Date.now() + timeoutMs };
}

function metadataOf({ metadata }: CallOptions): Metadata {
  const result = new Metadata();
  for (const [name, value] of metadata ?? []) result.set(name, value);
  return result;
}

function encoderOf<Message>(codec: MessageCodec<Message>): (message: Message) => Buffer {
  return (message) => {
    const bytes = codec.encode(message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  };
}

function decoderOf<Message>(codec: MessageCodec<Message>): (bytes: Buffer) => Message {
  return (bytes) => {
    try {
      return codec.decode(bytes);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new EtcdError('INTERNAL', {
        message: `malformed response: ${error.message}`,
        cause: error,
      });
    }
  };
}

function closedError(): EtcdError {
  return new EtcdError('CANCELED', { message: 'the channel is closed' });
}
