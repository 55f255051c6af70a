/** What the initial options mean at the first start, and that later ones do not read them. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { EtcdNode } from '../src/etcd-node.ts';
import type { EtcdNodeOptions } from '../src/index.ts';
import { systemClock } from '../src/node/system-clock.ts';
import { InMemoryNetwork } from '../src/peers/in-memory-network.ts';

const scratch = mkdtempSync(join(tmpdir(), 'etcd-ts-initial-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const nodes: EtcdNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

async function start(dataDir: string, options: EtcdNodeOptions): Promise<EtcdNode> {
  const network = new InMemoryNetwork(systemClock);
  const node = await EtcdNode.start({ name: 'a', dataDir, network, ...options });
  nodes.push(node);
  await node.ready();
  return node;
}

const BAD: readonly (readonly [EtcdNodeOptions, string])[] = [
  [
    { initialCluster: 'b=http://localhost:2380' },
    `couldn't find local name "a" in the initial cluster configuration`,
  ],
  [
    { initialCluster: 'a=http://localhost:2380,b=http://localhost:2380' },
    'initial cluster a=http://localhost:2380,b=http://localhost:2380 has duplicate url',
  ],
  [
    { initialCluster: 'a=http://h:1' },
    '--initial-cluster has a=http://h:1 but missing from --initial-advertise-peer-urls',
  ],
  [{ initialCluster: 'a' }, 'error setting up initial cluster: URL scheme must be'],
];

describe('at the first start', () => {
  test.each(BAD)('%j is refused, and nothing is made', async (options, message) => {
    const dataDir = join(scratch, 'never');
    await expect(start(dataDir, options)).rejects.toThrow(message);
    expect(readdirSync(scratch)).not.toContain('never');
  });
});

describe('at a later start', () => {
  test('other first members, other tokens and another state count for nothing', async () => {
    const dataDir = join(scratch, 'data');
    const first = await start(dataDir, { initialClusterToken: 'one' });
    const { clusterId, memberId } = first;
    await first.client().put('k', 'v');
    await nodes.pop()?.stop();
    const others: EtcdNodeOptions[] = [
      ...BAD.map(([options]) => options),
      { initialClusterToken: 'two' },
      { initialClusterState: 'existing' },
      { initialCluster: 'a=http://localhost:2380,b=http://b:2380' },
    ];
    for (const options of others) {
      const again = await start(dataDir, options);
      expect({ options, clusterId: again.clusterId, memberId: again.memberId }).toEqual({
        options,
        clusterId,
        memberId,
      });
      expect(await again.client().get('k')).toMatchObject({ text: 'v' });
      await nodes.pop()?.stop();
    }
  });
});
