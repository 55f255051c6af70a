/** Where a member listens and what it advertises, when the flags leave that out. */
import type { EtcdNodeOptions } from '../../options.ts';
import { DEFAULT_PEER_URL } from '../../options/member-options.ts';
import type { Remark } from './remark.ts';

/** Where clients come in that are given no URL. */
const DEFAULT_CLIENT_URL = 'http://localhost:2379';

/** Where a member listens, and what it advertises. */
export type Addresses = Required<
  Pick<
    EtcdNodeOptions,
    'listenPeerUrls' | 'listenClientUrls' | 'initialAdvertisePeerUrls' | 'advertiseClientUrls'
  >
>;

/** The doors that the program has where the node by itself has none. */
export function withDefaultAddresses({
  listenPeerUrls = [DEFAULT_PEER_URL],
  listenClientUrls = [DEFAULT_CLIENT_URL],
  initialAdvertisePeerUrls = [DEFAULT_PEER_URL],
  advertiseClientUrls = [DEFAULT_CLIENT_URL],
}: EtcdNodeOptions): Addresses {
  return { listenPeerUrls, listenClientUrls, initialAdvertisePeerUrls, advertiseClientUrls };
}

/**
 * Who listens on every address and does not say where it is advertises the machine's own address (etcd embed/config.go,
 * UpdateDefaultClusterFromName).
 */
export function advertisedByDefault(
  options: Addresses,
  defaultHost: () => string | undefined,
): { readonly options: EtcdNodeOptions; readonly remarks: readonly Remark[] } {
  const pairs = [
    ['initialAdvertisePeerUrls', 'listenPeerUrls', DEFAULT_PEER_URL],
    ['advertiseClientUrls', 'listenClientUrls', DEFAULT_CLIENT_URL],
  ] as const;
  const open = pairs.filter(([advertised, listened, fallback]) => {
    const [first = ''] = options[listened];
    return options[advertised].join() === fallback && first.includes('//0.0.0.0:');
  });
  const host = open.length === 0 ? undefined : defaultHost();
  if (host === undefined) return { options: {}, remarks: [] };
  const urls = open.map(([advertised, listened]) => {
    const port = /:(\d+)\/?$/.exec(options[listened][0] as string)?.[1];
    return [advertised, [`http://${host}:${port}`]];
  });
  const message = 'detected default host for advertise';
  return {
    options: Object.fromEntries(urls) as EtcdNodeOptions,
    remarks: [{ level: 'info', message, fields: { host } }],
  };
}
