/** Members that find out that one of them holds other data. */
import { AlarmType } from '@etcd-ts/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import type { EtcdNode } from '../src/etcd-node.ts';
import type { EtcdNodeOptions } from '../src/options.ts';
import { Cluster } from './support/cluster.ts';

let cluster: Cluster;

afterEach(() => cluster.close());

/** Members of which the last was stopped, harmed and started again; all hold `k` and have checks. */
async function withOneHarmed(
  names: readonly string[],
  options: EtcdNodeOptions,
  restart: EtcdNodeOptions = {},
): Promise<EtcdNode> {
  cluster = new Cluster(names, options);
  await cluster.startAll();
  await cluster.client(names[0]!).put('k', 'right');
  await cluster.client(names[0]!).put('other', 'value');
  await cluster.agreed();
  const last = names.at(-1)!;
  await cluster.node(last).stop();
  await cluster.harm(last, 'right', 'wrong');
  const node = await cluster.start(last, restart);
  await node.ready();
  return node;
}

/** Alarms as one member knows them, as soon as there are any. */
function alarmsAt(name: string) {
  return cluster.when(() => {
    const alarms = cluster.node(name).port.state.alarms.list();
    return alarms.length === 0 ? undefined : alarms;
  });
}

const corrupt = (memberID: bigint) => ({ memberID, alarm: AlarmType.CORRUPT });

describe('the leader compares all data', () => {
  test('and raises the alarm for the member that differs; writes stop, reads do not', async () => {
    const c = await withOneHarmed(['a', 'b', 'c'], {});
    expect((await cluster.client('c').get('k', { serializable: true }))?.text).toBe('wrong');
    // Only now: whoever leads begins to look.
    const names = ['a', 'b'] as const;
    for (const name of names) {
      await cluster.node(name).stop();
      await (await cluster.start(name, { corruptCheckTimeMs: 20 })).ready();
    }
    const leader = await cluster.leader();
    if (leader === c) await c.port.transferLeadership(cluster.node('a').memberId);
    expect(await alarmsAt('a')).toEqual([corrupt(c.memberId)]);
    await expect(cluster.client('b').put('k', 'v')).rejects.toMatchObject({ code: 'CORRUPT' });
    await expect(cluster.client('b').delete('k')).rejects.toMatchObject({ code: 'CORRUPT' });
    expect((await cluster.client('b').get('k'))?.text).toBe('right');
  });

  test('and finds nothing while writes and compactions go on everywhere', async () => {
    cluster = new Cluster(['a', 'b', 'c'], {
      corruptCheckTimeMs: 1,
      compactHashCheck: true,
      compactHashCheckTimeMs: 1,
    });
    await cluster.startAll();
    for (let i = 0; i < 60; i++) {
      const { revision } = await cluster.client('abc'[i % 3]!).put(`k${i % 7}`, `${i}`);
      if (i % 10 === 9) await cluster.client('a').compact(revision - 3);
    }
    await cluster.agreed();
    for (const node of cluster.running()) expect(node.port.state.alarms.list()).toEqual([]);
  });
});

describe('the leader compares what a compaction left', () => {
  const options = { compactHashCheck: true, compactHashCheckTimeMs: 20 };

  test('and raises the alarm for the member that a majority contradicts, even when it leads', async () => {
    const c = await withOneHarmed(['a', 'b', 'c'], options, options);
    const leader = await cluster.leader();
    if (leader !== c) await leader.port.transferLeadership(c.memberId);
    const { revision } = await cluster.client('a').put('last', 'value');
    await cluster.client('a').compact(revision);
    expect(await alarmsAt('a')).toEqual([corrupt(c.memberId)]);
  });

  test('and raises it for member 0 where no majority agrees', async () => {
    await withOneHarmed(['a', 'b'], options, options);
    const { revision } = await cluster.client('a').put('last', 'value');
    await cluster.client('a').compact(revision);
    expect(await alarmsAt('a')).toEqual([corrupt(0n)]);
  });
});

describe('a member compares before it takes part', () => {
  test('and does not start with other data', async () => {
    const start = withOneHarmed(['a', 'b', 'c'], {}, { initialCorruptCheck: true });
    await expect(start).rejects.toMatchObject({
      code: 'CORRUPT_DATA',
      message: expect.stringMatching(/^[0-9a-f]+ found data inconsistency with peers: hash/),
    });
  });

  test('and starts with the same, also where it was away and the others went on and compacted', async () => {
    cluster = new Cluster(['a', 'b', 'c'], { initialCorruptCheck: true });
    await cluster.startAll();
    await cluster.client('a').put('k', '1');
    await cluster.agreed();
    await cluster.node('c').stop();
    await (await cluster.start('c')).ready();
    await cluster.node('c').stop();
    const { revision } = await cluster.client('a').put('k', '2');
    await cluster.client('a').compact(revision);
    await (await cluster.start('c')).ready();
    expect((await cluster.client('c').get('k'))?.text).toBe('2');
  });
});
