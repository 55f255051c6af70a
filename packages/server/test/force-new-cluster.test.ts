/** A member whose cluster has lost its quorum goes on alone. */
import { memberId, must } from '@etcd-ts/base';
import type { ConfigChange, Entry } from '@etcd-ts/raft';
import { MemoryDisk, openWal } from '@etcd-ts/wal';
import { CrashDisk } from '@etcd-ts/wal/testing';
import { afterEach, expect, test } from 'vitest';
import type { EtcdNode } from '../src/etcd-node.ts';
import { encodeMemberContext } from '../src/membership/member-context.ts';
import { memoryLevelBackends } from '../src/node/level-backends.ts';
import { Cluster } from './support/cluster.ts';
import { LossyBackends } from './support/lossy-backends.ts';

let cluster: Cluster;
afterEach(() => cluster.close());

async function membersOf(node: EtcdNode): Promise<string[]> {
  const { members } = await node
    .channel()
    .unary('etcdserverpb.Cluster/MemberList', { linearizable: true });
  return members.map(({ name }) => name);
}

/** Three members, of whom only `survivor` is left, stopped. */
async function lostQuorum(survivor: string): Promise<{ memberId: bigint; clusterId: bigint }> {
  cluster = new Cluster(['a', 'b', 'c']);
  await cluster.startAll();
  for (let i = 0; i < 20; i++) await cluster.client('a').put(`k${i}`, 'v');
  await cluster.agreed();
  const { memberId, clusterId } = cluster.node(survivor);
  for (const node of cluster.running()) await node.kill();
  return { memberId, clusterId };
}

test.each(['a', 'b', 'c'])('%s keeps its ids and everything that was committed', async (name) => {
  const before = await lostQuorum(name);
  const node = await cluster.start(name, { forceNewCluster: true });
  await node.ready();
  expect({ memberId: node.memberId, clusterId: node.clusterId }).toEqual(before);
  expect(await membersOf(node)).toEqual([name]);
  expect(await node.client().get('k19')).toMatchObject({ text: 'v' });
  await node.client().put('after', '1');
});

test('it stays alone at its next start, without the flag', async () => {
  await lostQuorum('b');
  await (await cluster.start('b', { forceNewCluster: true })).stop();
  const node = await cluster.start('b');
  await node.ready();
  expect(await membersOf(node)).toEqual(['b']);
  expect(node.status()).toMatchObject({ isLeader: true });
  await node.client().put('after', '1');
});

test('the flag given twice changes nothing the second time', async () => {
  await lostQuorum('a');
  await (await cluster.start('a', { forceNewCluster: true })).kill();
  const node = await cluster.start('a', { forceNewCluster: true });
  await node.ready();
  expect(await membersOf(node)).toEqual(['a']);
  expect(await node.client().get('k0')).toMatchObject({ text: 'v' });
});

test('a new member may join it, and gets everything', async () => {
  await lostQuorum('a');
  const node = await cluster.start('a', { forceNewCluster: true });
  await node.ready();
  await node
    .channel()
    .unary('etcdserverpb.Cluster/MemberAdd', { peerURLs: ['http://d:2380'], isLearner: false });
  cluster.addMachine('d');
  const joined = await cluster.start('d', {
    initialCluster: { a: 'http://a:2380', d: 'http://d:2380' },
    initialClusterState: 'existing',
    initialAdvertisePeerUrls: ['http://d:2380'],
  });
  await joined.ready();
  expect(await joined.client().get('k19')).toMatchObject({ text: 'v' });
  await cluster.agreed();
});

test('what was not committed is let go of', async () => {
  cluster = new Cluster(['a', 'b', 'c']);
  await cluster.startAll();
  await cluster.client('a').put('k', 'committed');
  const leader = await cluster.leader();
  const { name } = leader.options;
  for (const node of cluster.running()) if (node !== leader) await node.kill();
  const before = leader.status().committedIndex;
  const lost = leader.client().put('k', 'never committed');
  lost.catch(() => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  await leader.kill();
  await expect(lost).rejects.toThrow();
  const node = await cluster.start(name, { forceNewCluster: true });
  await node.ready();
  expect(await node.client().get('k')).toMatchObject({ text: 'committed' });
  expect(node.status().committedIndex).toBeGreaterThan(before);
});

test('a learner that is left becomes the voter', async () => {
  cluster = new Cluster(['a']);
  await cluster.startAll();
  await cluster
    .node('a')
    .channel()
    .unary('etcdserverpb.Cluster/MemberAdd', { peerURLs: ['http://l:2380'], isLearner: true });
  cluster.addMachine('l');
  const options = {
    initialCluster: { a: 'http://a:2380', l: 'http://l:2380' },
    initialClusterState: 'existing',
    initialAdvertisePeerUrls: ['http://l:2380'],
  } as const;
  const learner = await cluster.start('l', options);
  await learner.ready();
  await cluster.client('a').put('k', 'v');
  await cluster.agreed();
  for (const node of cluster.running()) await node.kill();
  const node = await cluster.start('l', { ...options, forceNewCluster: true });
  await node.ready();
  expect(await membersOf(node)).toEqual(['l']);
  expect(node.status()).toMatchObject({ isLeader: true, isLearner: false });
  expect(await node.client().get('k')).toMatchObject({ text: 'v' });
});

/** A voter with a learner that never came, on a machine whose power goes. */
async function voterBesideLearner(): Promise<{ disk: CrashDisk; powerLoss: () => Promise<void> }> {
  const [disk, backends] = [new CrashDisk(), new LossyBackends()];
  cluster = new Cluster(['a']);
  cluster.addMachine('a', { disk, backends });
  await cluster.startAll();
  const request = { peerURLs: ['http://l:2380'], isLearner: true };
  await cluster.node('a').channel().unary('etcdserverpb.Cluster/MemberAdd', request);
  const powerLoss = async (): Promise<void> => {
    disk.crash();
    backends.crash(() => false);
    await cluster.node('a').kill();
  };
  return { disk, powerLoss };
}

test('a lone voter keeps what it has acknowledged, though a power cut took the mark of its commit', async () => {
  const { powerLoss } = await voterBesideLearner();
  await cluster.client('a').put('k', 'acknowledged');
  await powerLoss();
  const node = await cluster.start('a', { forceNewCluster: true });
  await node.ready();
  expect(await node.client().get('k')).toMatchObject({ text: 'acknowledged' });
  expect(await membersOf(node)).toEqual(['a']);
});

test('a voter that was about to be added to a lone one is not waited for', async () => {
  const disk = new MemoryDisk();
  cluster = new Cluster(['a']);
  cluster.addMachine('a', { disk, backends: memoryLevelBackends() });
  await cluster.startAll();
  await cluster.client('a').put('k', 'v');
  const { term } = cluster.node('a').status();
  await cluster.node('a').kill();
  const { wal, recovered } = await openWal({ disk, directory: 'a.etcd/member/wal' });
  const b = memberId(7n);
  const context = encodeMemberContext([{ id: b, name: '', peerUrls: ['http://b:2380'] }]);
  const change: ConfigChange = {
    steps: [{ op: 'addVoter', node: b }],
    transition: 'auto',
    context,
  };
  const index = wal.stats().lastIndex + 1;
  const entry: Entry = { index, term, payload: { kind: 'config', change } };
  // The commit index on disk may be behind what was acknowledged: here all is committed but the change.
  const hardState = { ...must(recovered, 'log').hardState, commit: index - 1 };
  await wal.append({ entries: [entry], hardState }, { sync: true });
  await wal.close();
  for (let starts = 0; starts < 2; starts++) {
    // What the first start has overwritten does not come back at the second one.
    const node = await cluster.start('a', { forceNewCluster: starts === 0 });
    await node.ready();
    expect(await membersOf(node)).toEqual(['a']);
    await node.client().put('k', 'after');
    await node.kill();
  }
});

test('without data the flag founds a cluster as usual', async () => {
  cluster = new Cluster(['a']);
  const node = await cluster.start('a', { forceNewCluster: true });
  await node.ready();
  expect(await membersOf(node)).toEqual(['a']);
});
