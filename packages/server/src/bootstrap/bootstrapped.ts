/**
 * Whether a member that has no data was there before. Its log held its vote and what it had acknowledged: without them
 * it must not speak under its old id again (etcd server/etcdserver/bootstrap.go, isMemberBootstrapped).
 */
import { idToHex, type MemberId } from '@etcd-ts/base';
import type { ClusterFacts, PeerTransport } from '../peers/peer-transport.ts';
import { StartError } from '../start-error.ts';
import type { InitialCluster } from './initial-cluster.ts';

/**
 * Asks the other first members, all at once; whoever does not answer knows nothing.
 *
 * @throws StartError STATE_LOST: one of them knows that this member has served clients.
 */
export async function refuseBootstrapped(
  { local, members }: InitialCluster,
  transport: PeerTransport,
): Promise<void> {
  const urls = members.filter(({ id }) => id !== local.id).flatMap(({ peerUrls }) => peerUrls);
  const answers = await Promise.allSettled(urls.map((url) => transport.askMembers(url)));
  for (const answer of answers) {
    if (answer.status === 'fulfilled' && wasThere(answer.value, local.id)) {
      throw bootstrapped(local.id);
    }
  }
}

/** Whether members know that this one has served clients: it publishes where, once its log is durable. */
export function wasThere({ members }: ClusterFacts, id: bigint): boolean {
  return members.some((member) => member.id === id && member.clientUrls.length > 0);
}

/** Why a member without its data does not start. */
export function bootstrapped(id: MemberId): StartError {
  return new StartError(
    'STATE_LOST',
    `member ${idToHex(id)} has already been bootstrapped, and its data is gone: restore it, or remove the member and add it again`,
  );
}
