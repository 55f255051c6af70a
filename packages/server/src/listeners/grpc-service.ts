/** What a gRPC server does with each new stream: finds the method, checks the request's headers, starts the call. */
import {
  type CallDeadlines,
  EtcdError,
  type Handlers,
  type MethodName,
  type PeerInfo,
  RPC_TABLE,
} from '@etcd-ts/protocol';
import {
  type Decompress,
  headerBlock,
  type Http2Stream,
  metadataOf,
  parseTimeoutMs,
} from '@etcd-ts/protocol/http2';
import type { CallMetrics } from '../metrics/call-metrics.ts';
import type { AnswerBudget, AnswerHolder } from './answer-budget.ts';
import { ListenerContext } from './call-context.ts';
import { GrpcCall, type PartialBytes, sendError } from './grpc-call.ts';
import { unimplemented } from './in-process.ts';

/** What is the same for all calls of a connection. */
export interface GrpcConnectionFacts {
  readonly handlers: Handlers;
  readonly deadlines: CallDeadlines;
  readonly maxReceiveBytes: number;
  /** Of requests, by the name in `grpc-encoding`. */
  readonly decompressors: ReadonlyMap<string, Decompress>;
  readonly metrics: CallMetrics;
  readonly answers: AnswerBudget;
  readonly holder: AnswerHolder;
  readonly turn: () => Promise<void>;
  readonly partialBytes: PartialBytes;
  readonly peer: PeerInfo;
  /** Serves what is no gRPC; absent: it is refused. */
  readonly otherwise?: ((stream: Http2Stream) => void) | undefined;
  /** Calls that are under way. */
  readonly calls: Set<GrpcCall>;
}

/** What says in `grpc-encoding` that nothing is compressed. */
const IDENTITY = 'identity';

const NOT_POST = headerBlock([[':status', '405']]);
const NOT_GRPC = headerBlock([[':status', '415']]);

/** Serves one stream. */
export function serveStream(stream: Http2Stream, facts: GrpcConnectionFacts): void {
  const { headers } = stream;
  const type = headerOf(headers, 'content-type') ?? '';
  const isGrpc = /^application\/grpc(?:$|[+;])/.test(type);
  // A kind of gRPC that is not ours is refused as such.
  const isLike = type.startsWith('application/grpc');
  if (!isLike && facts.otherwise !== undefined) return facts.otherwise(stream);
  if (headerOf(headers, ':method') !== 'POST') return stream.end(NOT_POST);
  if (!isGrpc) return stream.end(NOT_GRPC);
  const path = headerOf(headers, ':path') ?? '';
  if (!/^\/.*\//.test(path)) return sendError(stream, malformedMethod(path));
  const name = path.slice(1);
  const handler = Object.hasOwn(facts.handlers, name)
    ? facts.handlers[name as MethodName]
    : undefined;
  if (handler === undefined) return sendError(stream, unimplemented(name, facts.handlers));
  const timeoutMs = parseTimeoutMs(headerOf(headers, 'grpc-timeout'));
  if (Number.isNaN(timeoutMs)) {
    return sendError(stream, new EtcdError('INTERNAL', { message: 'malformed grpc-timeout' }));
  }
  if (timeoutMs === 0) return sendError(stream, new EtcdError('DEADLINE_EXCEEDED'));
  const encoding = headerOf(headers, 'grpc-encoding') ?? IDENTITY;
  const decompress = facts.decompressors.get(encoding);
  if (decompress === undefined && encoding !== IDENTITY) {
    const message = `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`;
    return sendError(stream, new EtcdError('UNIMPLEMENTED', { message }));
  }
  startCall(stream, facts, { name: name as MethodName, handler, timeoutMs, decompress });
}

function startCall(
  stream: Http2Stream,
  facts: GrpcConnectionFacts,
  {
    name,
    handler,
    timeoutMs,
    decompress,
  }: {
    name: MethodName;
    handler: Handlers[MethodName];
    timeoutMs: number | undefined;
    decompress: Decompress | undefined;
  },
): void {
  const { deadlines, calls, peer, maxReceiveBytes, metrics, partialBytes } = facts;
  const { answers, holder, turn } = facts;
  const call = new GrpcCall({
    stream,
    rpc: RPC_TABLE[name],
    handler,
    maxReceiveBytes,
    decompress,
    metrics,
    answers,
    holder,
    turn,
    partialBytes,
    newContext: (source) =>
      new ListenerContext({ metadata: metadataOf(stream.headers), timeoutMs, peer, source }),
    onClose: () => {
      calls.delete(call);
      if (deadline !== undefined) deadlines.clear(deadline);
    },
  });
  const deadline =
    timeoutMs === undefined
      ? undefined
      : deadlines.set(timeoutMs, () => call.fail(new EtcdError('DEADLINE_EXCEEDED')));
  calls.add(call);
  stream.user = call;
  call.start();
}

/** A path that is not of the form `/service/method`, in grpc-go's words. */
function malformedMethod(path: string): EtcdError {
  const message = `malformed method name: ${JSON.stringify(path)}`;
  return new EtcdError('UNIMPLEMENTED', { message });
}

/** The value of a header. */
function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1];
  return undefined;
}
