import { membersOf } from '../../conf-change.ts';
import type { LogIndex, NodeId } from '../../index.ts';
import type { SimNode } from './node.ts';

/**
 * Whether the id of a removed node may be given to a new one with an empty disk.
 *
 * Only when the removal is beyond doubt: something was committed under a configuration without the id, and no
 * log holds a change behind it that brings the id back. Before that an old configuration could still count the
 * empty node as one that remembers.
 *
 * @param decidedUnder Index of the configuration under which the newest committed entry was decided.
 */
export function mayReuse(
  nodes: readonly SimNode[],
  node: SimNode,
  decidedUnder: LogIndex,
): boolean {
  const isEmpty = node.life > 0 && node.disk.lastIndex === 0;
  const names = (other: SimNode): boolean => membersOf(other.confState).includes(node.id);
  const isMember = nodes.some((other) => other.configIndex >= decidedUnder && names(other));
  const isDecided = nodes.some((other) => other.configIndex === decidedUnder && !names(other));
  const mayReturn = nodes.some(
    (other) => other !== node && holdsChangeOf(other, node.id, decidedUnder),
  );
  return !isEmpty && !isMember && isDecided && !mayReturn;
}

/** Whether a log holds a change behind `from` that names the id. */
function holdsChangeOf(node: SimNode, id: NodeId, from: LogIndex): boolean {
  return node.core
    .entries(from + 1, node.status.lastIndex)
    .some(
      ({ payload }) =>
        payload.kind === 'config' && payload.change.steps.some((step) => step.node === id),
    );
}
