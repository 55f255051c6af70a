/**
 * What only the leader does: carried out here while this member leads, else asked of the leader, over changes of
 * leadership (etcd server/etcdserver/v3_server.go).
 *
 * What always holds: the work runs on a member that believed to lead when it began; work that needs proof asks for a
 * read barrier itself.
 */
import {
  EtcdError,
  type ErrorCode,
  type MethodName,
  type RequestOf,
  type ResponseOf,
  RPC_TABLE,
} from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';

/** Failures before which nothing was done: the same is asked again, of whoever leads then. */
const RETRIED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'NO_LEADER',
  'NOT_LEADER',
  'LEADER_CHANGED',
]);
/** Doing these twice is doing them once: they are asked again also where the first may have been done. */
const REPEATABLE: ReadonlySet<MethodName> = new Set<MethodName>([
  'etcdserverpb.Lease/LeaseKeepAlive',
  'etcdserverpb.Lease/LeaseTimeToLive',
]);
/** A leader that is not heard of is looked for again after this long, unless something is heard before. */
const RETRY_MS = 50;

/** Asks the leader, wherever it is. */
export type LeaderMethod<Method extends MethodName> = (
  request: RequestOf<Method>,
  signal?: AbortSignal,
) => Promise<ResponseOf<Method>>;

/** The leader's methods of one node. */
export class LeaderMethods {
  readonly #node: NodePort;
  readonly #answers = new Map<string, (request: Uint8Array) => Promise<Uint8Array>>();

  constructor(node: NodePort) {
    this.#node = node;
  }

  /** Registers how this member does it as the leader. Returns how any member gets it done. */
  register<Method extends MethodName>(
    method: Method,
    work: (request: RequestOf<Method>, signal?: AbortSignal) => Promise<ResponseOf<Method>>,
  ): LeaderMethod<Method> {
    const { request: requests, response: responses } = RPC_TABLE[method];
    this.#answers.set(method, async (bytes) =>
      responses.encode(await work(requests.decode(bytes))),
    );
    return (request, signal) =>
      this.#run(method, signal, async () => {
        if (this.#node.status().isLeader) return work(request, signal);
        const bytes = requests.encode(request);
        return responses.decode(await this.#node.callLeader(method, bytes, signal));
      });
  }

  /**
   * Answers what another member asks of this one as the leader ({@link NodePort.callLeader}).
   *
   * @throws EtcdError NOT_LEADER where this member does not lead; UNIMPLEMENTED for a method that is not asked of
   *   leaders; what the work failed with.
   */
  async answer(method: string, request: Uint8Array): Promise<Uint8Array> {
    if (!this.#node.status().isLeader) throw new EtcdError('NOT_LEADER');
    const answer = this.#answers.get(method);
    if (answer === undefined) {
      throw new EtcdError('UNIMPLEMENTED', { message: `no member answers ${method}` });
    }
    return answer(request);
  }

  /** @throws EtcdError what the work failed with; the last failure when no leader was found in the request timeout. */
  async #run<T>(
    method: MethodName,
    signal: AbortSignal | undefined,
    attempt: () => Promise<T>,
  ): Promise<T> {
    const { clock, limits } = this.#node;
    const giveUpAtMs = clock.monotonicMs() + limits.requestTimeoutMs;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (!isRetried(error, method) || signal?.aborted === true) throw wire(error);
        if (clock.monotonicMs() >= giveUpAtMs) throw wire(error);
      }
      await this.#leaderMayHaveChanged();
    }
  }

  #leaderMayHaveChanged(): Promise<void> {
    return new Promise((resolve) => {
      const proceed = (): void => {
        timer.cancel();
        stopListening();
        resolve();
      };
      const timer = this.#node.clock.after(RETRY_MS, proceed);
      const stopListening = this.#node.onStatusChange(proceed);
    });
  }
}

function isRetried(error: unknown, method: MethodName): boolean {
  if (!EtcdError.is(error)) return false;
  if (RETRIED.has(error.code)) return true;
  // The leader cannot be reached: it may be gone, and the next one be on its way.
  return error.code === 'UNAVAILABLE' && (!error.mayHaveApplied || REPEATABLE.has(method));
}

/** A leader that cannot be reached, in etcd's words. */
function wire(error: unknown): unknown {
  if (!EtcdError.is(error) || error.code !== 'UNAVAILABLE') return error;
  const { mayHaveApplied, message: detail } = error;
  return new EtcdError('TIMEOUT_DUE_TO_CONNECTION_LOST', { cause: error, mayHaveApplied, detail });
}
