/** Does something at the leader, wherever it is, over changes of leadership (etcd server/etcdserver/v3_server.go). */
import { EtcdError, type ErrorCode } from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';

/** Failures after which the same question is asked again, of whoever leads then. */
const RETRIED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'NO_LEADER',
  'NOT_LEADER',
  'LEADER_CHANGED',
]);
/** A leader that is not heard of is looked for again after this long, unless something is heard before. */
const RETRY_MS = 50;

/** The two ways to the same answer. Doing it twice must be harmless. */
export interface LeaderWork<T> {
  readonly here: () => Promise<T>;
  readonly there: () => Promise<T>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs the work here while this member leads, else there.
 *
 * @throws EtcdError what the work failed with; the last such failure when no leader was found for the request timeout.
 */
export async function onLeader<T>(node: NodePort, work: LeaderWork<T>): Promise<T> {
  const giveUpAtMs = node.clock.monotonicMs() + node.limits.requestTimeoutMs;
  for (;;) {
    try {
      return await (node.status().isLeader ? work.here() : work.there());
    } catch (error) {
      const isRetried = EtcdError.is(error) && RETRIED.has(error.code);
      if (!isRetried || work.signal?.aborted === true) throw error;
      if (node.clock.monotonicMs() >= giveUpAtMs) throw error;
    }
    await leaderMayHaveChanged(node);
  }
}

function leaderMayHaveChanged(node: NodePort): Promise<void> {
  return new Promise((resolve) => {
    const proceed = (): void => {
      timer.cancel();
      stopListening();
      resolve();
    };
    const timer = node.clock.after(RETRY_MS, proceed);
    const stopListening = node.onStatusChange(proceed);
  });
}
