/**
 * A member compares its data with the others' before it takes part (etcd server/etcdserver/corrupt.go, InitialCheck):
 * with what its database holds, before the rest of the log is applied.
 */
import { idToHex, memberId } from '@etcd-ts/base';
import type { NodePort } from '../../node-port.ts';
import { StartError } from '../../start-error.ts';
import { pause } from '../../turns.ts';
import { isOtherData } from './data-check.ts';
import type { MemberHashes } from './member-hashes.ts';

/** A member that is not connected within so long is passed over, in milliseconds. */
export const INITIAL_CHECK_CONNECT_MS = 5_000;
/** Between two looks whether it is. */
const CONNECT_POLL_MS = 20;

/**
 * Compares. Members that cannot be reached, are not as far, or have compacted otherwise say nothing.
 *
 * @throws StartError CORRUPT_DATA: another member holds other data at the same revision.
 */
export async function initialCheck(
  node: NodePort,
  hashes: MemberHashes,
  signal: AbortSignal,
): Promise<void> {
  const { state, memberId: self, log } = node;
  const others = state.membership.members().filter(({ id }) => id !== self);
  if (others.length === 0 || state.appliedIndex === 0) return;
  await Promise.all(others.map(({ id }) => connected(node, id, signal)));
  const own = await hashes.here(0);
  log.info('starting initial corruption check', {
    'local-member-id': idToHex(self),
    revision: own.hashRevision,
    'compact-revision': own.compactRevision,
    hash: own.hash,
  });
  const answers = await hashes.ofOthers(own.hashRevision, signal);
  const different = answers.filter((answer) => isOtherData(own, answer));
  for (const { member, hash } of different) {
    log.error('found different hash values from remote peer', {
      'remote-peer-id': idToHex(member),
      revision: own.hashRevision,
      hash: own.hash,
      'remote-peer-hash': hash,
    });
  }
  if (different.length === 0) return;
  const whose = different.map(({ member }) => idToHex(member)).join(', ');
  throw new StartError(
    'CORRUPT_DATA',
    `${idToHex(self)} found data inconsistency with peers: hash ${own.hash} at revision ${own.hashRevision} is not that of ${whose}`,
  );
}

async function connected(node: NodePort, id: bigint, signal: AbortSignal): Promise<void> {
  const untilMs = node.clock.monotonicMs() + INITIAL_CHECK_CONNECT_MS;
  while (node.connectedSinceMs(memberId(id)) === undefined && !signal.aborted) {
    if (node.clock.monotonicMs() >= untilMs) return;
    await pause(node.clock, CONNECT_POLL_MS);
  }
}
