/**
 * Maintenance.Downgrade (etcd server/etcdserver/v3_server.go, Downgrade): a cluster goes back to the minor version
 * before its own, at once for what it tells and stores, and for good when every member runs it.
 */
import { DowngradeAction, type DowngradeRequest, EtcdError } from '@etcd-ts/protocol';
import type { NodePort } from '../node-port.ts';
import { compareMinors, minorOf, previousMinor } from './version.ts';

/**
 * Validates, begins or calls off a downgrade.
 *
 * @returns The version of the cluster, major and minor.
 * @throws EtcdError WRONG_DOWNGRADE_VERSION_FORMAT, INVALID_DOWNGRADE_TARGET_VERSION, DOWNGRADE_IN_PROCESS,
 *   CLUSTER_VERSION_UNAVAILABLE, UNKNOWN_METHOD.
 */
export async function downgrade(
  node: NodePort,
  { action, version }: DowngradeRequest,
): Promise<string> {
  await node.readBarrier();
  switch (action) {
    case DowngradeAction.VALIDATE:
      validate(node, version);
      break;
    case DowngradeAction.ENABLE:
      validate(node, version);
      await node.propose({ kind: 'setDowngrade', target: minorOf(version) });
      break;
    case DowngradeAction.CANCEL:
      // Without one under way it is OK, as in 3.6.
      await node.propose({ kind: 'setDowngrade', target: '' });
      break;
    default:
      throw new EtcdError('UNKNOWN_METHOD');
  }
  return clusterVersion(node);
}

function clusterVersion(node: NodePort): string {
  const { cluster } = node.state.versions;
  if (cluster === undefined) throw new EtcdError('CLUSTER_VERSION_UNAVAILABLE');
  return cluster;
}

function validate(node: NodePort, version: string): void {
  if (!/^\d+\.\d+(\.\d+)?$/.test(version)) {
    throw new EtcdError('WRONG_DOWNGRADE_VERSION_FORMAT', { detail: version });
  }
  const cluster = clusterVersion(node);
  if (compareMinors(version, previousMinor(cluster)) !== 0) {
    throw new EtcdError('INVALID_DOWNGRADE_TARGET_VERSION', {
      detail: `${version}, the cluster is at ${cluster}`,
    });
  }
  if (node.state.versions.downgradeTarget !== undefined) {
    throw new EtcdError('DOWNGRADE_IN_PROCESS');
  }
}
