/** How a new member finds its place in a cluster that exists (etcd server/etcdserver/cluster_util.go). */
import { type ClusterId, clusterId, type MemberId, memberId } from '@etcd-ts/base';
import type { ResolvedOptions } from '../options.ts';
import type { Peer, PeerTransport } from '../peers/peer-transport.ts';
import { StartError } from '../start-error.ts';
import { wasThere } from './bootstrapped.ts';
import { formatInitialCluster } from './initial-cluster.ts';

/** What the members that are there say of a new one. */
export interface Joined {
  readonly clusterId: ClusterId;
  readonly memberId: MemberId;
  /** The others. */
  readonly peers: readonly Peer[];
  /** It has served clients before. */
  readonly wasThere: boolean;
}

/**
 * Asks the other members of the initial cluster, one after the other, who belongs to it.
 *
 * @throws StartError CLUSTER_MISMATCH: none of them answers, or their list does not have this member's peer URLs.
 */
export async function joinCluster(
  options: ResolvedOptions,
  transport: PeerTransport,
): Promise<Joined> {
  const listed = options.initialCluster.get(options.name) ?? [];
  const own = new Set([...options.initialAdvertisePeerUrls, ...listed]);
  const urls = [...options.initialCluster.values()].flat().filter((url) => !own.has(url));
  const failures: string[] = [];
  for (const url of urls) {
    try {
      const facts = await transport.askMembers(url);
      const { clusterId: cluster, members } = facts;
      const local = members.find(({ peerUrls }) => peerUrls.some((peerUrl) => own.has(peerUrl)));
      if (local === undefined) {
        failures.push(`${url} knows no member at ${[...own].join(',')}`);
        continue;
      }
      const peers = members
        .filter(({ id }) => id !== local.id)
        .map(({ id, peerUrls }) => ({ id: memberId(id), urls: peerUrls }));
      return {
        clusterId: clusterId(cluster),
        memberId: memberId(local.id),
        peers,
        wasThere: wasThere(facts, local.id),
      };
    } catch (error) {
      failures.push(`${url}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new StartError(
    'CLUSTER_MISMATCH',
    `cannot fetch cluster info from peer urls of ${formatInitialCluster(options.initialCluster)}: ${failures.join('; ') || 'there are none but this member’s own'}`,
  );
}
