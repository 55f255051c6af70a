/** Who a member is, where it keeps its data, and where it is reached. */
import { bindAddress, urlProblem } from '../bootstrap/urls.ts';
import { StartError } from '../start-error.ts';

/** Name, directories, addresses. */
export interface MemberOptions {
  /** The member's name. etcd --name. @defaultValue 'default' */
  readonly name?: string;
  /** Where log and database live; everything is in memory without it, gone with the process. etcd --data-dir. */
  readonly dataDir?: string;
  /** A place of its own for the log. etcd --wal-dir. @defaultValue `<dataDir>/member/wal` */
  readonly walDir?: string;
  /** Where clients come in over the network; none: only in process. etcd --listen-client-urls. @defaultValue [] */
  readonly listenClientUrls?: readonly string[];
  /** What other members tell clients of this one. etcd --advertise-client-urls. @defaultValue listenClientUrls */
  readonly advertiseClientUrls?: readonly string[];
  /** Where peers come in; none: a cluster of one. etcd --listen-peer-urls. @defaultValue [] */
  readonly listenPeerUrls?: readonly string[];
  /**
   * What peers dial. The first start makes the member's id of it.
   * etcd --initial-advertise-peer-urls. @defaultValue listenPeerUrls, or http://localhost:2380
   */
  readonly initialAdvertisePeerUrls?: readonly string[];
}

/** {@link MemberOptions}, complete. */
export interface ResolvedMemberOptions extends Required<Omit<MemberOptions, 'dataDir' | 'walDir'>> {
  readonly dataDir: string | undefined;
  readonly walDir: string | undefined;
}

/** The name of a member that is given none. */
export const DEFAULT_NAME = 'default';

/** Where a member is that is given no URL for its peers. */
export const DEFAULT_PEER_URL = 'http://localhost:2380';

/** Completes and checks. @throws StartError BAD_OPTION in etcd's words. */
export function resolveMember(given: MemberOptions): ResolvedMemberOptions {
  const listenPeerUrls = [...(given.listenPeerUrls ?? [])];
  const listenClientUrls = [...(given.listenClientUrls ?? [])];
  const ownPeerUrls = listenPeerUrls.length > 0 ? listenPeerUrls : [DEFAULT_PEER_URL];
  const resolved: ResolvedMemberOptions = {
    name: given.name ?? DEFAULT_NAME,
    dataDir: given.dataDir,
    walDir: given.walDir,
    listenClientUrls,
    advertiseClientUrls: [...(given.advertiseClientUrls ?? listenClientUrls)],
    listenPeerUrls,
    initialAdvertisePeerUrls: [...(given.initialAdvertisePeerUrls ?? ownPeerUrls)],
  };
  for (const url of [...listenPeerUrls, ...listenClientUrls]) bindAddress(url);
  for (const url of [...resolved.advertiseClientUrls, ...resolved.initialAdvertisePeerUrls]) {
    const problem = urlProblem(url);
    if (problem !== undefined) throw new StartError('BAD_OPTION', problem);
  }
  return resolved;
}
