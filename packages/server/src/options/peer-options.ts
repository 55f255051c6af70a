/** Connections between members, and the sockets that are listened on. */
import { MAX_TIMER_MS } from '@etcd-ts/protocol';
import { type Range, resolveNumbers } from './numbers.ts';

/** Peers and sockets. */
export interface PeerOptions {
  /** Silence of a peer at which its connection is given up; at least 5000. etcd --raft-read-timeout. @defaultValue 5000 */
  readonly raftReadTimeoutMs?: number;
  /** What waits longer to leave costs the connection; at least 5000. etcd --raft-write-timeout. @defaultValue 5000 */
  readonly raftWriteTimeoutMs?: number;
  /**
   * Dial peers from the first address that the member advertises to them and that is no loopback.
   * etcd --feature-gates=SetMemberLocalAddr. @defaultValue false
   */
  readonly setMemberLocalAddress?: boolean;
  /** Let several processes listen on one port (SO_REUSEPORT). etcd --socket-reuse-port. @defaultValue false */
  readonly socketReusePort?: boolean;
}

/** etcd's least values of the two timeouts; less is raised to them. */
export const MIN_RAFT_TIMEOUT_MS = 5_000;

const NUMBERS = {
  raftReadTimeoutMs: [MIN_RAFT_TIMEOUT_MS, -Number.MAX_VALUE, MAX_TIMER_MS],
  raftWriteTimeoutMs: [MIN_RAFT_TIMEOUT_MS, -Number.MAX_VALUE, MAX_TIMER_MS],
} as const satisfies Record<string, Range>;

/** Completes and checks. @throws StartError BAD_OPTION. */
export function resolvePeers(given: PeerOptions): Required<PeerOptions> {
  const { raftReadTimeoutMs, raftWriteTimeoutMs } = resolveNumbers(given, NUMBERS);
  return {
    raftReadTimeoutMs: Math.max(MIN_RAFT_TIMEOUT_MS, raftReadTimeoutMs),
    raftWriteTimeoutMs: Math.max(MIN_RAFT_TIMEOUT_MS, raftWriteTimeoutMs),
    setMemberLocalAddress: given.setMemberLocalAddress ?? false,
    socketReusePort: given.socketReusePort ?? false,
  };
}
