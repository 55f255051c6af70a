import { afterEach, describe, expect, test } from 'vitest';
import type { EtcdNode } from '../src/etcd-node.ts';
import type { EtcdNodeOptions } from '../src/options.ts';
import { Cluster } from './support/cluster.ts';

const NAMES = ['a', 'b', 'c'] as const;
let cluster: Cluster;

afterEach(() => cluster.close());

async function three(options: EtcdNodeOptions = {}): Promise<void> {
  cluster = new Cluster(NAMES, options);
  await cluster.startAll();
}

const nameOf = (node: EtcdNode): string => node.options.name;

async function aFollower(): Promise<EtcdNode> {
  const leader = await cluster.leader();
  return cluster.running().find((node) => node !== leader)!;
}

/** Puts through a member until it is told to end; failures are tried again, with a new value. */
function writer(name: string, key: string): { end: () => Promise<Map<string, number>> } {
  const acknowledged = new Map<string, number>();
  let running = true;
  const done = (async () => {
    for (let i = 0; running; i++) {
      try {
        const { revision } = await cluster.client(name).put(`${key}${i}`, String(i));
        acknowledged.set(`${key}${i}`, revision);
      } catch {
        await cluster.leader();
      }
    }
  })();
  return {
    end: async () => {
      running = false;
      await done;
      return acknowledged;
    },
  };
}

async function expectAll(name: string, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  const client = cluster.client(name);
  for (const [key, revision] of acknowledged) {
    expect((await client.get(key))?.modRevision).toBe(revision);
  }
}

describe('three members', () => {
  test('what is written through one is read through every other', async () => {
    await three();
    for (const [i, name] of NAMES.entries()) {
      await cluster.client(name).put(`k${i}`, name);
      for (const other of NAMES)
        expect((await cluster.client(other).get(`k${i}`))?.text).toBe(name);
    }
    await cluster.agreed();
  });

  test('a read through any member sees every write that was answered before it began', async () => {
    await three();
    for (let i = 0; i < 100; i++) {
      await cluster.client(NAMES[i % 3]!).put('k', String(i));
      const readers = NAMES.map((name) => cluster.client(name).get('k'));
      for (const entry of await Promise.all(readers)) expect(entry?.text).toBe(String(i));
    }
  });

  test('all know the same members, by name and with their client URLs', async () => {
    await three({ advertiseClientUrls: ['http://h:1'] });
    await cluster.agreed();
    for (const node of cluster.running()) {
      const members = node.port.state.membership.members();
      expect(members.map(({ name }) => name).sort()).toEqual([...NAMES]);
      for (const { clientUrls } of members) expect(clientUrls).toEqual(['http://h:1']);
    }
  });

  test('when the leader is killed another leads, and nothing acknowledged is missing', async () => {
    await three();
    const follower = nameOf(await aFollower());
    const writes = writer(follower, 'w');
    const leader = await cluster.leader();
    await cluster.when(() => (leader.status().appliedIndex > 50 ? true : undefined));
    await leader.kill();
    const successor = await cluster.leader();
    expect(successor.memberId).not.toBe(leader.memberId);
    await successor.client().put('after', 'x');
    await cluster.start(nameOf(leader));
    const acknowledged = await writes.end();
    await cluster.agreed();
    for (const name of NAMES) await expectAll(name, acknowledged);
  });

  test('revisions are gap-free over a change of leader', async () => {
    await three();
    const leader = await cluster.leader();
    const writers = NAMES.map((name) => writer(name, `${name}-`));
    await cluster.when(() => (leader.status().appliedIndex > 100 ? true : undefined));
    const successor = await aFollower();
    await leader.port.transferLeadership(successor.memberId);
    await cluster.when(() => (successor.status().isLeader ? true : undefined));
    await Promise.all(writers.map(({ end }) => end()));
    await cluster.agreed();
    const { store } = leader.port.state;
    const { entries } = await leader.client().getAll({ from: '' });
    const revisions = entries.map(({ modRevision }) => modRevision).sort((x, y) => x - y);
    expect(revisions).toEqual(Array.from({ length: store.revision - 1 }, (_, i) => i + 2));
  });

  test('a leader that is cut off acknowledges nothing, and follows when it is back', async () => {
    await three();
    const leader = await cluster.leader();
    const others = cluster.running().filter((node) => node !== leader);
    for (const other of others) cluster.network.cut(leader.memberId, other.memberId);
    const lost = leader.client().put('lost', 'x');
    lost.catch(() => undefined);
    const successor = await cluster.when(() => others.find((node) => node.status().isLeader));
    await successor.client().put('kept', 'y');
    cluster.network.heal();
    await cluster.agreed();
    expect((await leader.client().get('kept'))?.text).toBe('y');
  });

  test('a member that was down past the start of the log catches up under writes', async () => {
    await three({ snapshotCount: 100, snapshotCatchUpEntries: 10 });
    const follower = await aFollower();
    await follower.kill();
    const leader = await cluster.leader();
    for (let i = 0; i < 400; i++) await leader.client().put(`k${i % 30}`, String(i));
    const writes = writer(nameOf(leader), 'w');
    const back = await cluster.start(nameOf(follower));
    await cluster.when(() => (back.status().appliedIndex > 400 ? true : undefined));
    const acknowledged = await writes.end();
    await cluster.agreed();
    await expectAll(nameOf(back), acknowledged);
  });

  test('a member that caught up by a snapshot comes back with it after a kill', async () => {
    await three({ snapshotCount: 100, snapshotCatchUpEntries: 10 });
    const follower = await aFollower();
    await follower.kill();
    const leader = await cluster.leader();
    for (let i = 0; i < 300; i++) await leader.client().put(`k${i % 30}`, String(i));
    const back = await cluster.start(nameOf(follower));
    await cluster.when(() => (back.status().appliedIndex > 300 ? true : undefined));
    await back.kill();
    await cluster.start(nameOf(follower));
    await leader.client().put('after', 'x');
    await cluster.agreed();
  });

  test('all killed at once come back with everything acknowledged', async () => {
    await three();
    const writers = NAMES.map((name) => writer(name, `${name}-`));
    const leader = await cluster.leader();
    await cluster.when(() => (leader.status().appliedIndex > 200 ? true : undefined));
    await Promise.all(cluster.running().map((node) => node.kill()));
    const again = cluster.startAll();
    await again;
    const all = await Promise.all(writers.map(({ end }) => end()));
    await cluster.agreed();
    for (const acknowledged of all) await expectAll('a', acknowledged);
  });

  test('a member that lost its database makes it again from the whole log', async () => {
    await three();
    const follower = await aFollower();
    const leader = await cluster.leader();
    for (let i = 0; i < 50; i++) await leader.client().put(`k${i}`, String(i));
    await cluster.agreed();
    await follower.kill();
    cluster.loseDatabase(nameOf(follower));
    await cluster.start(nameOf(follower));
    await leader.client().put('after', 'x');
    await cluster.agreed();
  });

  test('a member that lost its database and the start of its log fetches the state', async () => {
    await three({
      snapshotCount: 50,
      snapshotCatchUpEntries: 5,
      walSegmentBytes: 4_096,
      maxWals: 1,
    });
    const follower = await aFollower();
    const leader = await cluster.leader();
    const writes = writer(nameOf(leader), 'w');
    await cluster.when(() => (follower.status().appliedIndex > 200 ? true : undefined));
    await follower.kill();
    cluster.loseDatabase(nameOf(follower));
    const back = await cluster.start(nameOf(follower));
    expect(back.status().appliedIndex).toBeGreaterThan(200);
    const acknowledged = await writes.end();
    await cluster.agreed();
    await expectAll(nameOf(back), acknowledged);
    await back.kill();
    await cluster.start(nameOf(follower));
    await cluster.agreed();
  });

  test('a leader that is stopped hands over: nobody waits for an election timeout', async () => {
    await three({ heartbeatIntervalMs: 200, electionTimeoutMs: 5_000 });
    const leader = await cluster.leader();
    const others = cluster.running().filter((node) => node !== leader);
    let leaderless = 0;
    for (const other of others)
      other.on('leader', (id) => (leaderless += id === undefined ? 1 : 0));
    await leader.stop();
    const successor = await cluster.leader();
    await successor.client().put('k', 'v');
    expect(others).toContain(successor);
    expect(leaderless).toBeLessThanOrEqual(others.length);
  });
});

describe('a member that joins', () => {
  test('is added, gets the state, and takes part', async () => {
    await three({ snapshotCount: 100, snapshotCatchUpEntries: 10 });
    const leader = await cluster.leader();
    for (let i = 0; i < 50; i++) await leader.client().put(`k${i}`, String(i));
    const joiner = await join('d');
    await cluster.agreed();
    expect((await joiner.client().get('k49'))?.text).toBe('49');
    await joiner.client().put('from', 'd');
    for (const node of cluster.running()) expect((await node.client().get('from'))?.text).toBe('d');
  });

  test('survives a restart before and after it has the state', async () => {
    await three();
    const joiner = await join('d');
    await cluster.agreed();
    await joiner.kill();
    const again = await cluster.start('d', joining('d'));
    await again.ready();
    await cluster.agreed();
  });

  test('that is removed again stops by itself and cannot come back', async () => {
    await three();
    const joiner = await join('d');
    const ended = joiner.ended;
    const leader = await cluster.leader();
    await leader.port.changeMembers({
      steps: [{ op: 'remove', node: joiner.memberId }],
      transition: 'auto',
      context: new Uint8Array(0),
    });
    await ended;
    expect(joiner.phase).toBe('stopped');
    expect(leader.port.state.membership.wasRemoved(joiner.memberId)).toBe(true);
  });
});

test('a member that was removed while it was down is told so, and ends', async () => {
  await three();
  const leader = await cluster.leader();
  const gone = await aFollower();
  await gone.stop();
  await leader.port.changeMembers({
    steps: [{ op: 'remove', node: gone.memberId }],
    transition: 'auto',
    context: new Uint8Array(0),
  });
  const back = await cluster.start(nameOf(gone));
  const reason = await new Promise((resolve) => back.once('stopped', resolve));
  expect(String(reason)).toContain('the member has been permanently removed from the cluster');
});

async function join(name: string): Promise<EtcdNode> {
  const { encodeMemberContext } = await import('../src/membership/member-context.ts');
  const { computeMemberId } = await import('../src/bootstrap/member-id.ts');
  const peerUrls = [`http://${name}:2380`];
  const id = computeMemberId(peerUrls, '', 1_700_000_000);
  const leader = await cluster.leader();
  await leader.port.changeMembers({
    steps: [{ op: 'addVoter', node: id }],
    transition: 'auto',
    context: encodeMemberContext([{ id, name: '', peerUrls }]),
  });
  cluster.addMachine(name);
  const node = await cluster.start(name, joining(name));
  await node.ready();
  return node;
}

function joining(name: string): EtcdNodeOptions {
  const initialCluster = Object.fromEntries([...NAMES, name].map((n) => [n, `http://${n}:2380`]));
  return { initialCluster, initialClusterState: 'existing' };
}
