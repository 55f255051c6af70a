/** What the leader makes of its members' versions. */
import { utf8 } from '@etcd-ts/base';
import { afterEach, expect, test } from 'vitest';
import { VersionMonitor } from '../../src/services/version-monitor.ts';
import { FakeNode } from './fake-node.ts';

let monitor: VersionMonitor | undefined;
afterEach(() => monitor?.stop());

/** The leader of a cluster at 3.5, with a member of this version beside it, has looked once. */
async function looked(version: string, begin: (node: FakeNode) => void): Promise<FakeNode> {
  const node = await FakeNode.start({ clock: 'real' });
  const member = (id: bigint, name: string) => ({
    id,
    name,
    peerUrls: [`http://${name}:1`],
    clientUrls: [],
    isLearner: false,
  });
  node.state.bootstrap([member(node.memberId, 'a'), member(2n, 'b')], node.state.confState);
  node.apply({ kind: 'setClusterVersion', version: '3.5' });
  begin(node);
  const asked = new Promise<void>((resolve) => {
    node.others = () => {
      resolve();
      return Promise.resolve(utf8(version));
    };
  });
  monitor = new VersionMonitor(node, 1_000_000);
  node.setStatus({ isLeader: true, term: 3 });
  await asked;
  await new Promise((resolve) => setImmediate(resolve));
  return node;
}

test('the version of the cluster rises to the lowest of its members', async () => {
  const node = await looked('3.6.2', () => undefined);
  expect(node.state.versions.cluster).toBe('3.6');
});

test('a member that is older than the cluster does not take it down: only a downgrade does', async () => {
  const older = await looked('3.4.1', () => undefined);
  expect(older.state.versions.cluster).toBe('3.5');
  expect(older.proposed).toEqual([]);
  monitor?.stop();
  const downgraded = await looked('3.4.1', (node) =>
    node.apply({ kind: 'setDowngrade', target: '3.4' }),
  );
  expect(downgraded.state.versions.cluster).toBe('3.4');
});
