import { EtcdError } from '@etcd-ts/protocol';
import type { NodePort } from './node-port.ts';
import type { ResolvedOptions } from './options.ts';
import { pause } from './services/turns.ts';

/** A publication that failed is tried again after so long, in milliseconds. */
export const PUBLISH_RETRY_MS = 200;

/**
 * Tells the cluster through the log how this member is called and where its clients reach it (etcd
 * server/etcdserver/server.go, publishV3). Tried until it succeeds.
 *
 * @throws EtcdError STOPPED when the node ends first.
 */
export async function publishMember(
  node: NodePort,
  options: ResolvedOptions,
  signal: AbortSignal,
): Promise<void> {
  const { name, advertiseClientUrls: clientUrls } = options;
  // The node is not connected yet in the turn in which it is made.
  await pause(node.clock, 0, signal);
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
