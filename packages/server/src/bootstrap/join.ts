/** How a new member finds its place in a cluster that exists (etcd server/etcdserver/cluster_util.go). */
import { type ClusterId, clusterId, type MemberId, memberId } from '@etcd-ts/base';
import type { ResolvedOptions } from '../options.ts';
import type { ClusterFacts, Peer, PeerTransport } from '../peers/peer-transport.ts';
import { StartError } from '../start-error.ts';
import { wasThere } from './bootstrapped.ts';
import { formatInitialCluster } from './initial-cluster.ts';
import { leadToSame } from './same-addresses.ts';
import type { NameResolver } from './srv.ts';

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
 * Asks the other members of the initial cluster who belongs to it, and believes the one that is furthest in the log:
 * a member that lags behind may still take this one for another that was removed from the same address.
 *
 * @param names Where no member has its URLs as they are written: whether one has some that lead to the same places.
 * @throws StartError CLUSTER_MISMATCH: none of them answers, they are of several clusters, or the list does not have
 *   this member's peer URLs.
 */
export async function joinCluster(
  options: ResolvedOptions,
  transport: Pick<PeerTransport, 'askMembers'>,
  names?: NameResolver,
): Promise<Joined> {
  const listed = options.initialCluster.get(options.name) ?? [];
  const own = new Set([...options.initialAdvertisePeerUrls, ...listed]);
  const urls = [...options.initialCluster.values()].flat().filter((url) => !own.has(url));
  const answers: (ClusterFacts & { readonly url: string })[] = [];
  const failures: string[] = [];
  await Promise.all(
    urls.map(async (url) => {
      try {
        answers.push({ ...(await transport.askMembers(url)), url });
      } catch (error) {
        failures.push(`${url}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }),
  );
  const [best, ...others] = answers.sort((a, b) => b.appliedIndex - a.appliedIndex);
  const stranger = others.find((each) => each.clusterId !== best?.clusterId);
  const local =
    best?.members.find(({ peerUrls }) => peerUrls.some((each) => own.has(each))) ??
    (await memberAt(best?.members ?? [], [options.initialAdvertisePeerUrls, listed], names));
  if (best !== undefined && stranger !== undefined) {
    failures.push(`${best.url} and ${stranger.url} are of two clusters`);
  } else if (best !== undefined && local === undefined) {
    failures.push(`${best.url} knows no member at ${[...own].join(',')}`);
  } else if (best !== undefined && local !== undefined) {
    const peers = best.members
      .filter(({ id }) => id !== local.id)
      .map(({ id, peerUrls }) => ({ id: memberId(id), urls: peerUrls }));
    return {
      clusterId: clusterId(best.clusterId),
      memberId: memberId(local.id),
      peers,
      wasThere: wasThere(best, local.id),
    };
  }
  throw new StartError(
    'CLUSTER_MISMATCH',
    `cannot fetch cluster info from peer urls of ${formatInitialCluster(options.initialCluster)}: ${failures.join('; ') || 'there are none but this member’s own'}`,
  );
}

/** The member whose URLs lead to the places of one of these lists. */
async function memberAt(
  members: ClusterFacts['members'],
  lists: readonly (readonly string[])[],
  names: NameResolver | undefined,
): Promise<ClusterFacts['members'][number] | undefined> {
  if (names === undefined) return undefined;
  for (const member of members) {
    for (const urls of lists) if (await leadToSame(names, member.peerUrls, urls)) return member;
  }
  return undefined;
}
