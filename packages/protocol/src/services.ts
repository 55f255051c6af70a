/**
 * What a service method looks like to whoever calls it: the listeners (gRPC, HTTP gateway, in-process) on one side,
 * the services of a node on the other.
 *
 * Services know no wire: a handler sees decoded messages and a {@link CallContext}, never a socket or a header.
 *
 * What always holds
 * - A handler fails with an EtcdError; anything else that it throws reaches the caller as code UNKNOWN with its text.
 * - After `context.signal` is aborted nothing that the handler answers or sends is delivered any more.
 * - Requests and responses are immutable once handed over. Bytes in a request may share memory with what the wire
 *   delivered and are never written to again; a handler may keep them.
 */
import type { ResponseHeader } from './gen/etcdserverpb/header.ts';
import type { KeyValue } from './gen/mvccpb/kv.ts';
import type { MethodName, RequestOf, ResponseOf, RpcTypes } from './rpcs.ts';

/** Who calls. */
export interface PeerInfo {
  /** Which door the call came through; `health` is the node asking itself, and is never refused by auth. */
  readonly via: 'in-process' | 'grpc' | 'gateway' | 'health';
  /** `host:port` of the caller; empty in process. */
  readonly address: string;
  /**
   * Common name of the client certificate that this connection's handshake verified, where the listener demands one
   * (etcd --client-cert-auth); it stands for the user of that name when the call brings no token. The door fills it in;
   * undefined wherever it verified nothing, and always for calls through the gateway, which come with the certificate
   * of whoever runs it (etcd server/auth/store.go, AuthInfoFromTLS).
   */
  readonly certificateCommonName?: string | undefined;
}

/** What comes with a call besides its request. */
export interface CallContext {
  /**
   * Aborted when the caller cancels, its deadline passes, its connection is lost or the listener stops. The reason is
   * an EtcdError (`CANCELED`, `DEADLINE_EXCEEDED` or `STOPPED`).
   *
   * Made on first use, so that calls which never look at it do not pay for it.
   */
  readonly signal: AbortSignal;
  /** Text metadata, names in lower case (`token`, `authorization`, `hasleader`, `client-api-version`). Last value wins. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Milliseconds that were left of the caller's deadline when the call came in; undefined without deadline. */
  readonly timeoutMs?: number | undefined;
  readonly peer: PeerInfo;
  /**
   * The request as the wire delivered it, so that a proposal can put these bytes into the log without encoding again.
   * Undefined in process and through the gateway. Only for unary calls.
   */
  readonly rawRequest?: Uint8Array | undefined;
  /**
   * Where the keys of a large range may go while they are read; the response then has everything but the keys. Only for
   * KV.Range, and only at doors that can.
   */
  readonly rangeParts?: RangeParts | undefined;
}

/** Takes a large range part by part, so that nobody has to hold it whole. */
export interface RangeParts {
  /** Once, before the first part: the response's header. */
  begin(header: ResponseHeader): void;
  /**
   * Takes the next keys, in order.
   *
   * @returns What to wait for before the next, when the caller has enough for now: it never rejects, and resolves also
   * when the call has ended (see `context.signal`).
   * @throws EtcdError RESOURCE_EXHAUSTED: too much waits for clients.
   */
  take(kvs: readonly KeyValue[]): Promise<void> | undefined;
}

/**
 * Where a streaming handler puts its responses.
 *
 * Bounded: the listener buffers what `send` takes, and says `false` when its buffer is full. A handler that goes on
 * regardless is not dropped, it only grows that buffer; so it waits, or parks the work.
 */
export interface ResponseSink<Response> {
  /** Takes the response. False: the buffer is full now, wait for {@link drained} before the next. */
  send(response: Response): boolean;
  /** Resolves when there is room again, and also when the call has ended (see `context.signal`). Never rejects. */
  drained(): Promise<void>;
}

/** One request, one response. */
export type UnaryHandler<Request, Response> = (
  request: Request,
  context: CallContext,
) => Promise<Response>;

/**
 * A stream of responses to one request (server stream) or many (bidi).
 *
 * `requests` ends when the caller half-closes; for a server stream it yields exactly one. The call ends with status OK
 * when the returned promise resolves, with the error when it rejects. When the call is cancelled, `requests` ends.
 */
export type StreamHandler<Request, Response> = (
  requests: AsyncIterable<Request>,
  context: CallContext,
  responses: ResponseSink<Response>,
) => Promise<void>;

/** The handler of one method, by its kind. */
export type HandlerOf<Method extends MethodName> = RpcTypes[Method]['kind'] extends 'unary'
  ? UnaryHandler<RequestOf<Method>, ResponseOf<Method>>
  : StreamHandler<RequestOf<Method>, ResponseOf<Method>>;

/**
 * The methods that a node serves, by `package.Service/Method`. A method that is not there answers UNIMPLEMENTED on
 * every door.
 *
 * @example
 * const kv: Handlers = { 'etcdserverpb.KV/Range': (request, context) => range(request, context) };
 */
export type Handlers = { readonly [Method in MethodName]?: HandlerOf<Method> };
