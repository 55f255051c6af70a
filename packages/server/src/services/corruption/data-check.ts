/**
 * The leader compares the data of all members, and raises the CORRUPT alarm for those whose data is not the cluster's
 * (etcd server/etcdserver/corrupt.go, PeriodicCheck).
 *
 * Sound, because members are asked between two moments at which the leader knows everything that is committed: no
 * healthy member can be ahead of the second, and what it says of the first is what the leader says.
 */
import { idToHex, type MemberId } from '@etcd-ts/base';
import { EtcdError, type HashKVResponse } from '@etcd-ts/protocol';
import type { NodePort } from '../../node-port.ts';
import type { MemberHash, MemberHashes } from './member-hashes.ts';

/**
 * Compares once.
 *
 * @returns The members whose data is corrupt.
 * @throws EtcdError what kept this member from knowing what is committed, or from reading its own data.
 */
export async function findCorruptMembers(
  node: NodePort,
  hashes: MemberHashes,
  signal: AbortSignal,
): Promise<readonly MemberId[]> {
  await node.readBarrier(signal);
  const before = await hashes.here(0);
  const revision = before.hashRevision;
  const answers = await hashes.ofOthers(revision, signal);
  await node.readBarrier(signal);
  const after = await sameAgain(hashes, revision);
  const corrupt: MemberId[] = [];
  if (after !== undefined && isOtherData(before, after)) {
    node.log.error('found hash mismatch', {
      revision,
      'compact-revision': before.compactRevision,
      hash: before.hash,
      'new-hash': after.hash,
    });
    corrupt.push(node.memberId);
  }
  for (const answer of answers) {
    const problem = problemOf(node, [before, after], answer);
    if (problem === undefined) continue;
    node.log.error(problem, {
      'remote-peer-id': idToHex(answer.member),
      revision,
      hash: before.hash,
      'remote-peer-hash': answer.hash,
      'remote-peer-revision': answer.revision,
      'remote-peer-compact-revision': answer.compactRevision,
    });
    corrupt.push(answer.member);
  }
  return corrupt;
}

/** The own hash once more; undefined where a compaction came in between. */
async function sameAgain(
  hashes: MemberHashes,
  revision: number,
): Promise<HashKVResponse | undefined> {
  try {
    return await hashes.here(revision);
  } catch (error) {
    if (EtcdError.is(error) && error.code === 'COMPACTED') return undefined;
    throw error;
  }
}

type Hashed = Pick<HashKVResponse, 'hash' | 'compactRevision'>;

/** Hashes of the same history, compacted alike, that differ. */
export function isOtherData(ours: Hashed, theirs: Hashed): boolean {
  return ours.compactRevision === theirs.compactRevision && ours.hash !== theirs.hash;
}

function problemOf(
  { state }: NodePort,
  ours: readonly (HashKVResponse | undefined)[],
  theirs: MemberHash,
): string | undefined {
  if (theirs.revision > state.store.revision) {
    return "revision from peer is greater than the leader's";
  }
  if (theirs.compactRevision > state.store.compactRevision) {
    return "compact revision from peer is greater than the leader's";
  }
  const differs = ours.some((own) => own !== undefined && isOtherData(own, theirs));
  return differs
    ? "same revision and compact revision, but hash does not match the leader's"
    : undefined;
}
