import { memberId } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import type { ServerLimits } from '../../src/limits.ts';
import { Services } from '../../src/services/services.ts';
import { InProcessChannel } from '../../src/listeners/in-process.ts';
import { FakeNode } from './fake-node.ts';
import { failure, type Harness, harness } from './harness.ts';
import { turns } from './manual-clock.ts';
import { SURROUNDINGS } from './surroundings.ts';

const NEW_URL = 'http://127.0.0.1:9380';

/** A cluster of voters 1 … n; this member is the first, all others have long been connected. */
async function cluster(
  voters: number,
  { started = voters, ...limits }: Partial<ServerLimits> & { readonly started?: number } = {},
): Promise<Harness> {
  const h = await harness(limits);
  const ids = [h.node.memberId, ...Array.from({ length: voters - 1 }, (_, i) => BigInt(i + 2))];
  h.node.state.bootstrap(
    ids.map((id, i) => ({
      id,
      name: i < started ? `m${id}` : '',
      peerUrls: [`http://peer-${id}:2380`],
      clientUrls: [],
      isLearner: false,
    })),
    { voters: ids, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
  );
  for (const id of ids.slice(1)) h.node.connected.set(id, 0);
  await h.node.time.advance(10_000);
  return h;
}

function add({ channel }: Harness, peerURLs: string[], isLearner = false) {
  return channel.unary('etcdserverpb.Cluster/MemberAdd', { peerURLs, isLearner });
}
function remove({ channel }: Harness, ID: bigint) {
  return channel.unary('etcdserverpb.Cluster/MemberRemove', { ID });
}
function update({ channel }: Harness, ID: bigint, peerURLs: string[]) {
  return channel.unary('etcdserverpb.Cluster/MemberUpdate', { ID, peerURLs });
}
function promote({ channel }: Harness, ID: bigint) {
  return channel.unary('etcdserverpb.Cluster/MemberPromote', { ID });
}

describe('listing', () => {
  test('is sorted by id, without a revision in the header, with empty names for those not started', async () => {
    const h = await cluster(3);
    await add(h, [NEW_URL]);
    const { header, members } = await h.channel.unary('etcdserverpb.Cluster/MemberList', {
      linearizable: true,
    });
    expect(header).toMatchObject({ revision: 0, memberId: h.node.memberId });
    const ids = members.map(({ ID }) => ID);
    expect(ids).toEqual([...ids].sort((a, b) => (a < b ? -1 : 1)));
    expect(members.find(({ peerURLs }) => peerURLs[0] === NEW_URL)).toMatchObject({
      name: '',
      clientURLs: [],
      isLearner: false,
    });
  });

  test('asks for a barrier only when it is to be linearizable', async () => {
    const h = await cluster(3);
    await h.channel.unary('etcdserverpb.Cluster/MemberList', { linearizable: false });
    expect(h.node.barriers).toBe(0);
    await h.channel.unary('etcdserverpb.Cluster/MemberList', { linearizable: true });
    expect(h.node.barriers).toBe(1);
  });
});

describe('adding', () => {
  test('answers the new member and all members', async () => {
    const h = await cluster(3);
    const { member, members, header } = await add(h, [NEW_URL, 'http://127.0.0.1:9379']);
    expect(member?.peerURLs).toEqual(['http://127.0.0.1:9379', NEW_URL]);
    expect(members).toHaveLength(4);
    expect(header?.revision).toBe(0);
    expect(h.node.state.confState.voters).toContain(member?.ID);
  });

  test.each([
    ['no URL', []],
    ['no scheme', ['127.0.0.1:2380']],
    ['a scheme that is not HTTP', ['ftp://127.0.0.1:2380']],
    ['no port', ['http://127.0.0.1']],
    ['a path', ['http://127.0.0.1:2380/path']],
  ])('%s is refused', async (_, urls) => {
    expect(await failure(add(await cluster(3), urls))).toBe('MEMBER_BAD_URLS');
  });

  test('a peer URL of another member is refused', async () => {
    expect(await failure(add(await cluster(3), ['http://peer-2:2380']))).toBe('PEER_URL_EXIST');
  });

  test('the same URL in the same second is the same member', async () => {
    const h = await cluster(1);
    const { member } = await add(h, [NEW_URL], true);
    expect(await failure(add(h, [NEW_URL], true))).toBe('MEMBER_EXIST');
    await remove(h, member?.ID ?? 0n);
    expect(await failure(add(h, [NEW_URL], true))).toBe('MEMBER_NOT_FOUND');
    await h.node.time.advance(1_000);
    expect((await add(h, [NEW_URL], true)).member?.ID).not.toBe(member?.ID);
  });

  test('one learner too many is refused', async () => {
    const h = await cluster(3);
    await add(h, [NEW_URL], true);
    expect(await failure(add(h, ['http://127.0.0.1:9381'], true))).toBe('TOO_MANY_LEARNERS');
  });

  test('a lone member may get a second one', async () => {
    const h = await cluster(1);
    expect((await add(h, [NEW_URL])).members).toHaveLength(2);
  });

  test('a voter is refused while too few members have started', async () => {
    const h = await cluster(3);
    // Three of four, then three of five have started; of six they would be no quorum.
    for (const port of [9381, 9382]) {
      const { member } = await add(h, [`http://127.0.0.1:${port}`]);
      h.node.connected.set(member?.ID ?? 0n, 0);
    }
    expect(await failure(add(h, [NEW_URL]))).toBe('MEMBER_NOT_ENOUGH_STARTED');
  });

  test('a voter is refused while a voter has not been connected for five seconds; a learner is not', async () => {
    const h = await cluster(3);
    h.node.connected.set(2n, h.node.clock.monotonicMs() - 4_999);
    expect(await failure(add(h, [NEW_URL]))).toBe('UNHEALTHY');
    expect((await add(h, [NEW_URL], true)).member?.isLearner).toBe(true);
    await h.node.time.advance(1);
    expect((await add(h, ['http://127.0.0.1:9381'])).member?.isLearner).toBe(false);
  });

  test('waits while another change is under way, and judges again', async () => {
    const h = await cluster(3);
    let refusals = 0;
    h.node.beforeChange = () => {
      refusals++;
      if (refusals > 2) return Promise.resolve();
      return Promise.reject(new EtcdError('TOO_MANY_REQUESTS'));
    };
    const adding = add(h, [NEW_URL], true);
    await turns();
    await h.node.time.advance(200);
    expect((await adding).members).toHaveLength(4);
    expect(refusals).toBe(3);
  });
});

describe('removing', () => {
  test('an unknown or removed member is not found', async () => {
    const h = await cluster(3);
    expect(await failure(remove(h, 99n))).toBe('MEMBER_NOT_FOUND');
    await remove(h, 3n);
    expect(await failure(remove(h, 3n))).toBe('MEMBER_NOT_FOUND');
    expect(h.node.state.membership.removedIds()).toEqual([3n]);
  });

  test('the last member is refused', async () => {
    const h = await cluster(1);
    expect(await failure(remove(h, h.node.memberId))).toBe('MEMBER_NOT_ENOUGH_STARTED');
  });

  test('a member that is down may go, one that is up may not when others are down', async () => {
    const h = await cluster(3);
    h.node.connected.delete(3n);
    expect(await failure(remove(h, 2n))).toBe('UNHEALTHY');
    expect((await remove(h, 3n)).members).toHaveLength(2);
  });

  test('of the leader is answered, though its connection ends with its membership', async () => {
    const h = await cluster(3);
    h.node.setStatus({ leader: memberId(2n), isLeader: false });
    h.node.leader = async () => {
      const steps = [{ op: 'remove', node: memberId(2n) }] as const;
      await h.node.changeMembers({ steps, transition: 'auto', context: new Uint8Array(0) });
      throw new EtcdError('UNAVAILABLE', { message: 'the connection is lost' });
    };
    expect((await remove(h, 2n)).members).toHaveLength(2);
    h.node.leader = () => Promise.reject(new EtcdError('UNAVAILABLE', { message: 'lost' }));
    expect(await failure(remove(h, 3n))).toBe('TIMEOUT_DUE_TO_CONNECTION_LOST');
    // One that was removed before says nothing of how this request ended.
    expect(await failure(remove(h, 2n))).toBe('TIMEOUT_DUE_TO_CONNECTION_LOST');
  });

  test('a learner may always go', async () => {
    const h = await cluster(3);
    const { member } = await add(h, [NEW_URL], true);
    h.node.connected.clear();
    expect((await remove(h, member?.ID ?? 0n)).members).toHaveLength(3);
  });
});

describe('updating', () => {
  test('replaces the peer URLs and keeps the rest', async () => {
    const h = await cluster(3);
    const { members } = await update(h, 2n, [NEW_URL]);
    expect(members.find(({ ID }) => ID === 2n)).toMatchObject({ name: 'm2', peerURLs: [NEW_URL] });
  });

  test('bad URLs, unknown members and URLs of others are refused', async () => {
    const h = await cluster(3);
    expect(await failure(update(h, 2n, ['nonsense']))).toBe('MEMBER_BAD_URLS');
    expect(await failure(update(h, 99n, [NEW_URL]))).toBe('MEMBER_NOT_FOUND');
    expect(await failure(update(h, 2n, ['http://peer-3:2380']))).toBe('PEER_URL_EXIST');
    expect((await update(h, 2n, ['http://peer-2:2380'])).members).toHaveLength(3);
  });

  test('leaves a learner a learner', async () => {
    const h = await cluster(3);
    const { member } = await add(h, [NEW_URL], true);
    const { members } = await update(h, member!.ID, ['http://127.0.0.1:9381']);
    expect(members.find(({ ID }) => ID === member!.ID)?.isLearner).toBe(true);
  });

  test('of a member that is gone by the time it comes through brings nobody back', async () => {
    const h = await cluster(3);
    const update = { op: 'update', node: memberId(99n) } as const;
    const change = { steps: [update], transition: 'auto', context: new Uint8Array(0) } as const;
    await h.node.changeMembers(change);
    expect(h.node.state.membership.members()).toHaveLength(3);
  });
});

describe('promoting', () => {
  test('makes a voter of a learner that has nine tenths of what the leader has', async () => {
    const h = await cluster(3);
    const { member } = await add(h, [NEW_URL], true);
    for (let i = 0; i < 20; i++) await h.put('a');
    const id = memberId(member?.ID ?? 0n);
    const last = h.node.status().committedIndex;
    h.node.followers = [{ id, matchIndex: Math.ceil(last * 0.9) - 1, active: true }];
    expect(await failure(promote(h, id))).toBe('LEARNER_NOT_READY');
    h.node.followers = [{ id, matchIndex: Math.ceil(last * 0.9), active: true }];
    const { members } = await promote(h, id);
    expect(members.find(({ ID }) => ID === id)?.isLearner).toBe(false);
  });

  test('is judged by what the leader knows once it has proved to be one', async () => {
    const h = await cluster(3);
    const { member } = await add(h, [NEW_URL], true);
    h.node.beforeBarrier = () => {
      const matchIndex = h.node.status().committedIndex;
      h.node.followers = [{ id: memberId(member!.ID), matchIndex, active: true }];
      return Promise.resolve();
    };
    expect((await promote(h, member!.ID)).members.every(({ isLearner }) => !isLearner)).toBe(true);
  });

  test.each([
    [3, 1, true, 'MEMBER_NOT_ENOUGH_STARTED'],
    [3, 1, false, 'promoted'],
    [2, 1, true, 'promoted'],
  ])(
    'beside %d voters of whom %d has started, strictly: %s, it is %s',
    async (voters, started, strictReconfigCheck, outcome) => {
      const h = await cluster(voters, { started, strictReconfigCheck });
      const { member } = await add(h, [NEW_URL], true);
      const matchIndex = h.node.status().committedIndex;
      h.node.followers = [{ id: memberId(member!.ID), matchIndex, active: true }];
      const call = promote(h, member!.ID);
      expect(outcome === 'promoted' ? (await call) && outcome : await failure(call)).toBe(outcome);
    },
  );

  test('an unknown member is not found, a voter is no learner', async () => {
    const h = await cluster(3);
    expect(await failure(promote(h, 99n))).toBe('MEMBER_NOT_FOUND');
    expect(await failure(promote(h, 2n))).toBe('MEMBER_NOT_LEARNER');
  });
});

test('a change is made by the leader, whichever member is asked, and answered under the asked one’s name', async () => {
  const h = await cluster(3);
  const follower = await FakeNode.start();
  Object.assign(follower, { memberId: memberId(2n) });
  follower.setStatus({ isLeader: false, leader: h.node.memberId });
  follower.leader = (method, request) => h.services.answerMember(method, request);
  const services = new Services(follower, SURROUNDINGS);
  const channel = new InProcessChannel(services.handlers, follower.clock);
  const answer = await add({ ...h, channel }, [NEW_URL]);
  expect(answer.header?.memberId).toBe(2n);
  expect(h.node.state.membership.members()).toHaveLength(4);
});
