/** The first members of a cluster: parsing, and the checks that etcd makes before it starts. */
import { type ClusterId, type MemberId, must } from '@etcd-ts/base';
import { StartError } from '../start-error.ts';
import { computeClusterId, computeMemberId } from './member-id.ts';
import { urlProblem } from './urls.ts';

/** A member as the options name it. */
export interface InitialMember {
  readonly id: MemberId;
  readonly name: string;
  /** Sorted. */
  readonly peerUrls: readonly string[];
}

/** The first members of a cluster. */
export interface InitialCluster {
  readonly clusterId: ClusterId;
  readonly local: InitialMember;
  /** Ascending by id, the local one among them. */
  readonly members: readonly InitialMember[];
}

/**
 * Parses `name=url,name=url`; a name may come several times, once for each of its URLs. Commas too many mean nothing
 * (etcd client/pkg/types/urlsmap.go).
 *
 * @throws StartError BAD_OPTION in etcd's words.
 */
export function parseInitialCluster(text: string): ReadonlyMap<string, readonly string[]> {
  const urls = new Map<string, string[]>();
  for (const part of text.split(',')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const url = equals < 0 ? '' : part.slice(equals + 1);
    const problem = urlProblem(url);
    if (problem !== undefined) {
      throw new StartError('BAD_OPTION', `error setting up initial cluster: ${problem}`);
    }
    const known = urls.get(name.trim());
    if (known === undefined) urls.set(name.trim(), [url.trim()]);
    else known.push(url.trim());
  }
  return urls;
}

/** The form that {@link parseInitialCluster} reads, names and URLs sorted. */
export function formatInitialCluster(cluster: ReadonlyMap<string, readonly string[]>): string {
  const pairs = [...cluster].flatMap(([name, urls]) => urls.map((url) => `${name}=${url}`));
  return pairs.sort().join(',');
}

/**
 * The ids of the first members, after etcd's checks (server/config/config.go, VerifyBootstrap).
 *
 * @throws StartError BAD_OPTION: unknown local name, or URLs that two members share.
 */
export function initialCluster(options: {
  readonly name: string;
  readonly token: string;
  readonly cluster: ReadonlyMap<string, readonly string[]>;
}): InitialCluster {
  const { name, token, cluster } = options;
  if (!cluster.has(name)) {
    throw new StartError(
      'BAD_OPTION',
      `couldn't find local name "${name}" in the initial cluster configuration`,
    );
  }
  const all = [...cluster.values()].flat();
  if (new Set(all).size !== all.length) {
    const text = formatInitialCluster(cluster);
    throw new StartError('BAD_OPTION', `initial cluster ${text} has duplicate url`);
  }
  const members = [...cluster].map(([memberName, urls]): InitialMember => {
    const peerUrls = [...urls].sort();
    return { id: computeMemberId(peerUrls, token), name: memberName, peerUrls };
  });
  members.sort((a, b) => (a.id < b.id ? -1 : 1));
  const local = must(
    members.find((member) => member.name === name),
    'local member',
  );
  return { clusterId: computeClusterId(members.map((member) => member.id)), local, members };
}

/** What is advertised is written otherwise than in the initial cluster. Names may still lead to the same addresses. */
export class AdvertisedElsewhere extends StartError {}

/** How the URLs that a member advertises contradict those that the initial cluster has for it. */
export function advertisedProblem(options: {
  readonly name: string;
  readonly cluster: ReadonlyMap<string, readonly string[]>;
  readonly advertisePeerUrls: readonly string[];
}): AdvertisedElsewhere | undefined {
  const { name, cluster, advertisePeerUrls } = options;
  const listed = [...(cluster.get(name) ?? [])].sort();
  const advertised = [...advertisePeerUrls].sort();
  const missing = listed.filter((url) => !advertised.includes(url));
  if (missing.length > 0) {
    const pairs = missing.map((url) => `${name}=${url}`).join(',');
    return new AdvertisedElsewhere(
      'BAD_OPTION',
      `--initial-cluster has ${pairs} but missing from --initial-advertise-peer-urls=${advertised.join(',')}`,
    );
  }
  const extra = advertised.filter((url) => !listed.includes(url));
  if (extra.length > 0) {
    const pairs = listed.map((url) => `${name}=${url}`).join(',');
    return new AdvertisedElsewhere(
      'BAD_OPTION',
      `--initial-advertise-peer-urls has ${extra.join(',')} but missing from --initial-cluster=${pairs}`,
    );
  }
  return undefined;
}
