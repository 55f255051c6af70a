import type { Entry, HardState, NodeId, Role, SnapshotMeta } from '../index.ts';
import { describeEntry, describeMessage, describeRole, describeSnapshot } from './describe.ts';
import type { WireMessage } from './wire-message.ts';

/** Leader and role: what etcd calls the soft state. */
export interface SoftState {
  readonly leader: NodeId;
  readonly role: Role;
}

/** etcd's batch of work for the driver, put together from our effects. */
export interface Ready {
  readonly softState?: SoftState;
  readonly hardState?: HardState;
  readonly mustSync: boolean;
  readonly entries: readonly Entry[];
  readonly snapshot?: SnapshotMeta;
  readonly committed: readonly Entry[];
  readonly messages: readonly WireMessage[];
}

/** `Term:1 Vote:1 Commit:11`; the vote only when there is one. */
export function describeHardState(hardState: HardState): string {
  const vote = hardState.vote === 0n ? '' : ` Vote:${hardState.vote}`;
  return `Term:${hardState.term}${vote} Commit:${hardState.commit}`;
}

/** The Ready as etcd's tests print it, or `<empty Ready>`. */
export function describeReady(ready: Ready): string {
  const lines: string[] = [];
  const { softState, hardState, snapshot } = ready;
  if (softState !== undefined) {
    lines.push(`Lead:${softState.leader} State:${describeRole(softState.role)}`);
  }
  if (hardState !== undefined) lines.push(`HardState ${describeHardState(hardState)}`);
  if (ready.entries.length > 0) lines.push('Entries:', ...ready.entries.map(describeEntry));
  if (snapshot !== undefined) lines.push(`Snapshot ${describeSnapshot(snapshot)}`);
  if (ready.committed.length > 0) {
    lines.push('CommittedEntries:', ...ready.committed.map(describeEntry));
  }
  if (ready.messages.length > 0) {
    lines.push('Messages:', ...ready.messages.map((message) => describeMessage(message)));
  }
  if (lines.length === 0) return '<empty Ready>';
  return [`Ready MustSync=${ready.mustSync}:`, ...lines].join('\n');
}
