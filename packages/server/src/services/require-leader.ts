/**
 * What a call with the metadata `hasleader: true` asks for: to fail where there is no leader, at once for a unary call,
 * after three election timeouts without one for a stream (etcd server/etcdserver/api/v3rpc/interceptor.go).
 */
import { type CallContext, EtcdError } from '@etcd-ts/protocol';
import type { Timer } from '../clock.ts';
import type { NodePort, NodeStatus } from '../node-port.ts';

/** Election timeouts that a stream outlives without a leader. */
const STREAM_GRACE_ELECTION_TIMEOUTS = 3;

/** Whether the caller insists on a leader. */
export function requiresLeader(context: CallContext): boolean {
  return context.metadata.get('hasleader') === 'true';
}

/**
 * Runs a stream until it ends or has been without a leader for too long.
 *
 * @param run The stream, under a signal that is also aborted when the leader stays away.
 * @throws EtcdError NO_LEADER.
 */
export async function whileLed(
  node: NodePort,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  if (node.status().leader === 0n) throw new EtcdError('NO_LEADER');
  const controller = new AbortController();
  const forward = (): void => controller.abort(signal.reason);
  if (signal.aborted) forward();
  else signal.addEventListener('abort', forward, { once: true });
  let timer: Timer | undefined;
  let leaderless: (error: EtcdError) => void;
  const lost = new Promise<never>((_, reject) => {
    leaderless = reject;
  });
  const follow = ({ leader }: NodeStatus): void => {
    if (leader !== 0n) {
      timer?.cancel();
      timer = undefined;
      return;
    }
    // Elections that nobody wins are news as well: they give no time anew.
    if (timer !== undefined) return;
    const graceMs = STREAM_GRACE_ELECTION_TIMEOUTS * node.limits.electionTimeoutMs;
    timer = node.clock.after(graceMs, () => {
      const error = new EtcdError('NO_LEADER');
      leaderless(error);
      controller.abort(error);
    });
  };
  const stopListening = node.onStatusChange(follow);
  try {
    await Promise.race([run(controller.signal), lost]);
  } finally {
    stopListening();
    timer?.cancel();
    signal.removeEventListener('abort', forward);
  }
}
