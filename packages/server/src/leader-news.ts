import { idToHex, type MemberId } from '@etcd-ts/base';
import type { NodeStatus } from './node-port.ts';

/** What the log says when another member leads, in etcd's words (raft/node.go); undefined when the same one does. */
export function leaderNews(
  self: MemberId,
  before: MemberId,
  { leader, term }: NodeStatus,
): string | undefined {
  if (leader === before) return undefined;
  const [own, old, next] = [self, before, leader].map(idToHex);
  if (leader === 0n) return `raft.node: ${own} lost leader ${old} at term ${term}`;
  if (before === 0n) return `raft.node: ${own} elected leader ${next} at term ${term}`;
  return `raft.node: ${own} changed leader from ${old} to ${next} at term ${term}`;
}
