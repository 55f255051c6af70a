import { EtcdError } from '@etcd-ts/protocol';
import { socketAddress } from './bootstrap/urls.ts';
import type { NodePort } from './node-port.ts';
import type { ResolvedOptions } from './options.ts';
import { pause } from './turns.ts';

/** A publication that failed is tried again after so long, in milliseconds. */
export const PUBLISH_RETRY_MS = 200;

/** What a member tells of itself. */
export interface Attributes {
  readonly name: string;
  readonly clientUrls: readonly string[];
}

/**
 * A member's attributes by its options. Where the system chose the port, it is in the URL that is listened on.
 *
 * @param listening The URLs that are listened on, for each of `listenClientUrls`.
 */
export function attributesOf(
  {
    name,
    advertiseClientUrls,
    listenClientUrls,
  }: Pick<ResolvedOptions, 'name' | 'advertiseClientUrls' | 'listenClientUrls'>,
  listening: readonly string[],
): Attributes {
  const clientUrls = advertiseClientUrls.map((url) => {
    const address = socketAddress(url);
    if ('path' in address || address.port !== 0) return url;
    return listening[listenClientUrls.indexOf(url)] ?? url;
  });
  return { name, clientUrls };
}

/**
 * Tells the cluster through the log how this member is called and where its clients reach it (etcd
 * server/etcdserver/server.go, publishV3). Tried until it succeeds.
 *
 * @throws EtcdError STOPPED when the node ends first.
 */
export async function publishMember(
  node: NodePort,
  { name, clientUrls }: Attributes,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    try {
      await node.propose(
        { kind: 'publishMember', id: node.memberId, name, clientUrls },
        { signal },
      );
      break;
    } catch (error) {
      if (signal.aborted || !EtcdError.is(error)) throw error;
      node.log.debug('failed to publish local member to cluster through raft', { error });
      await pause(node.clock, PUBLISH_RETRY_MS, signal);
    }
  }
  node.log.info('published local member to cluster through raft', {
    'local-member-id': node.memberId,
    'local-member-attributes': `{Name:${name} ClientURLs:[${clientUrls.join(' ')}]}`,
    'cluster-id': node.clusterId,
  });
}
