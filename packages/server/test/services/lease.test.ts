import { fromUtf8, memberId, must, utf8 } from '@etcd-ts/base';
import {
  EtcdError,
  LeaseKeepAliveResponse,
  LeaseTimeToLiveRequest,
  RangeRequest,
} from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { LEASE_CHECKPOINT_INTERVAL_MS } from '../../src/options/request-options.ts';
import { limitsOf } from '../../src/limits.ts';
import { type EtcdNodeOptions, resolveOptions } from '../../src/options.ts';
import { MAX_LEASE_TTL_SECONDS } from '../../src/lease/lessor.ts';
import { InProcessChannel } from '../../src/listeners/in-process.ts';
import { LeaseIds } from '../../src/services/lease-ids.ts';
import { Services } from '../../src/services/services.ts';
import { FakeNode } from './fake-node.ts';
import { events, failure, type Harness, harness } from './harness.ts';
import { turns } from './manual-clock.ts';
import { SURROUNDINGS } from './surroundings.ts';

const NO_LEADER = memberId(0n);
const NOBODY = { via: 'in-process', address: '' } as const;

async function keepAlive({ channel }: Harness, ID: bigint): Promise<LeaseKeepAliveResponse> {
  const call = channel.stream('etcdserverpb.Lease/LeaseKeepAlive');
  call.send({ ID });
  for await (const response of call.responses) return response;
  throw new Error('the stream ended');
}

function timeToLive({ channel }: Harness, ID: bigint) {
  return channel.unary(
    'etcdserverpb.Lease/LeaseTimeToLive',
    LeaseTimeToLiveRequest.fromPartial({ ID, keys: true }),
  );
}

describe('granting', () => {
  test.each([-5, 0, 1])(
    'a TTL of %d is raised to one and a half election timeouts',
    async (ttl) => {
      const { grant } = await harness();
      expect((await grant(7n, ttl)).TTL).toBe(2);
    },
  );

  test('the floor follows the election timeout', async () => {
    const { grant } = await harness({ electionTimeoutMs: 5_000 });
    expect((await grant(7n, 1)).TTL).toBe(8);
  });

  test('a TTL beyond the largest is refused', async () => {
    const { grant } = await harness();
    expect(await failure(grant(7n, MAX_LEASE_TTL_SECONDS + 1))).toBe('LEASE_TTL_TOO_LARGE');
    expect((await grant(7n, MAX_LEASE_TTL_SECONDS)).TTL).toBe(MAX_LEASE_TTL_SECONDS);
  });

  test('an id in use is refused, a negative one is fine', async () => {
    const { grant } = await harness();
    expect((await grant(-7n, 10)).ID).toBe(-7n);
    expect(await failure(grant(-7n, 10))).toBe('LEASE_EXIST');
  });

  test('an id of the server that is taken gives way to the next, a few times', async () => {
    const { grant, node } = await harness();
    const ids = new LeaseIds(node.memberId, node.clock);
    const taken = Array.from({ length: 5 }, () => ids.next());
    const free = ids.next();
    for (const id of taken) await grant(id, 10);
    // Three are tried for one request.
    expect(await failure(grant(0n, 10))).toBe('LEASE_EXIST');
    expect((await grant(0n, 10)).ID).toBe(free);
  });

  test('id 0 lets the server choose: positive, and never the same', async () => {
    const { grant } = await harness();
    const ids = new Set<bigint>();
    for (let i = 0; i < 300; i++) ids.add((await grant(0n, 10)).ID);
    expect(ids.size).toBe(300);
    expect([...ids].every((id) => id > 0n && id < 1n << 63n)).toBe(true);
  });
});

describe('revoking', () => {
  test('deletes all keys in one revision, in the order of the keys', async () => {
    const { grant, put, channel, watch } = await harness();
    await grant(7n, 10);
    for (const key of ['c', 'a', 'b']) await put(key, '', { lease: 7n });
    const client = watch();
    client.create('', { rangeEnd: new Uint8Array([0]) });
    await client.next();
    const revoked = await channel.unary('etcdserverpb.Lease/LeaseRevoke', { ID: 7n });
    expect(revoked.header?.revision).toBe(5);
    expect(events(await client.next())).toEqual(['delete a@5', 'delete b@5', 'delete c@5']);
  });

  test('a lease without keys bumps no revision; an absent lease is not found', async () => {
    const { grant, channel } = await harness();
    await grant(7n, 10);
    const revoked = await channel.unary('etcdserverpb.Lease/LeaseRevoke', { ID: 7n });
    expect(revoked.header?.revision).toBe(1);
    const again = channel.unary('etcdserverpb.Lease/LeaseRevoke', { ID: 7n });
    expect(await failure(again)).toBe('LEASE_NOT_FOUND');
  });

  test('keys that were put again without the lease, or with another one, stay', async () => {
    const { grant, put, channel, range } = await harness();
    await grant(7n, 10);
    await grant(8n, 10);
    for (const key of ['a', 'b', 'c', 'd']) await put(key, '', { lease: 7n });
    await put('a');
    await put('b', '', { lease: 8n });
    await put('c', 'new', { ignoreLease: true });
    await channel.unary('etcdserverpb.Lease/LeaseRevoke', { ID: 7n });
    const left = await range('', { key: new Uint8Array([0]), rangeEnd: new Uint8Array([0]) });
    expect(left.kvs.map(({ key }) => fromUtf8(key))).toEqual(['a', 'b']);
  });
});

describe('expiry', () => {
  test('deletes the keys of a lease when its time is over, through the log', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    await h.put('a', '', { lease: 7n });
    await h.node.time.advance(4_999);
    expect((await h.range('a')).count).toBe(1);
    await h.node.time.advance(1);
    expect((await h.range('a')).count).toBe(0);
    expect(h.node.proposed.at(-1)).toMatchObject({
      kind: 'leaseRevokeExpired',
      ids: [7n],
      term: 2,
    });
  });

  test('goes in batches of the limit, one at a time, with a pause for others between them', async () => {
    const h = await harness({ maxLeaseExpiriesPerBatch: 10 });
    for (let id = 1n; id <= 25n; id++) await h.grant(id, 5);
    let underWay = 0;
    h.node.beforeApply = async () => {
      underWay++;
      expect(underWay).toBe(1);
      await turns(1);
      underWay--;
    };
    const sizes = (): number[] =>
      h.node.proposed.flatMap((command) =>
        command.kind === 'leaseRevokeExpired' ? [command.ids.length] : [],
      );
    await h.node.time.advance(5_000);
    await turns(20);
    expect(sizes()).toEqual([10]);
    await h.node.time.advance(19);
    await turns(20);
    expect(sizes()).toEqual([10]);
    await h.node.time.advance(1);
    await turns(20);
    expect(sizes()).toEqual([10, 10]);
    await h.node.time.advance(20);
    await turns(20);
    expect(sizes()).toEqual([10, 10, 5]);
    expect(h.node.state.lessor.size).toBe(0);
  });

  test('a member that does not lead revokes nothing', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    h.node.setStatus({ isLeader: false, leader: memberId(9n), term: 3 });
    expect(h.node.time.pendingTimers).toBe(0);
    await h.node.time.advance(60_000);
    expect(h.node.proposed.map(({ kind }) => kind)).toEqual(['leaseGrant']);
    expect(h.node.state.lessor.exists(7n)).toBe(true);
  });

  test('while a batch is under way no other is proposed', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    await h.grant(8n, 6);
    let release: () => void = () => undefined;
    h.node.beforeApply = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    await h.node.time.advance(5_000);
    const batches = () => h.node.proposed.filter(({ kind }) => kind === 'leaseRevokeExpired');
    // Another lease comes, which wakes the keeper, and the second one's time is over.
    h.node.apply({ kind: 'leaseGrant', request: { ID: 10n, TTL: 1 } });
    await h.node.time.advance(1_000);
    expect(batches()).toHaveLength(1);
    h.node.beforeApply = () => Promise.resolve();
    release();
    await turns(20);
    await h.node.time.advance(20);
    await turns(20);
    expect(batches()).toHaveLength(2);
  });

  test('a batch of a leader that was deposed meanwhile has no effect', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    h.node.beforeApply = () => {
      // The batch is committed in the next leader's term.
      h.node.setStatus({ isLeader: false, leader: memberId(9n), term: 3 });
      return Promise.resolve();
    };
    await h.node.time.advance(5_000);
    expect(h.node.proposed.at(-1)?.kind).toBe('leaseRevokeExpired');
    expect(h.node.state.lessor.exists(7n)).toBe(true);
  });

  test('a batch that comes late spares a lease that was granted anew under the same id', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    h.node.beforeApply = () => {
      h.node.apply({ kind: 'leaseRevoke', request: { ID: 7n } });
      h.node.apply({ kind: 'leaseGrant', request: { ID: 7n, TTL: 5 } });
      h.node.beforeApply = () => Promise.resolve();
      return Promise.resolve();
    };
    await h.node.time.advance(5_000);
    expect(h.node.state.lessor.exists(7n)).toBe(true);
    await h.node.time.advance(5_000);
    expect(h.node.state.lessor.exists(7n)).toBe(false);
  });

  test('a new leader gives every lease its whole TTL and the election timeout', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    await h.node.time.advance(4_000);
    h.node.setStatus({ isLeader: false, leader: memberId(9n), term: 3 });
    h.node.setStatus({ isLeader: true, leader: h.node.memberId, term: 4 });
    await h.node.time.advance(5_999);
    expect(h.node.state.lessor.exists(7n)).toBe(true);
    await h.node.time.advance(1);
    expect(h.node.state.lessor.exists(7n)).toBe(false);
  });

  test('batches are small while the log is quick, and as much larger as it is slow', async () => {
    const h = await harness();
    for (let id = 1n; id <= 500n; id++) await h.grant(id, 5);
    const sizes = (): number[] =>
      h.node.proposed.flatMap((command) =>
        command.kind === 'leaseRevokeExpired' ? [command.ids.length] : [],
      );
    let tookMs = 0;
    h.node.beforeApply = () =>
      tookMs === 0
        ? Promise.resolve()
        : new Promise((resolve) => h.node.clock.after(tookMs, resolve));
    await h.node.time.advance(5_020);
    tookMs = 100;
    await h.node.time.advance(120);
    await h.node.time.advance(20);
    expect(sizes().slice(0, 4)).toEqual([32, 32, 32, 192]);
  });

  test('while the log takes nothing, the batches that are due do not follow each other at once', async () => {
    const h = await harness({ maxLeaseExpiriesPerBatch: 1 });
    for (let id = 1n; id <= 20n; id++) await h.grant(id, 5);
    let tried = 0;
    h.node.beforeApply = () => {
      tried++;
      return Promise.reject(new EtcdError('NO_LEADER'));
    };
    await h.node.time.advance(5_000);
    await h.node.time.advance(1_000);
    expect(tried).toBeLessThanOrEqual(3);
    h.node.beforeApply = () => Promise.resolve();
    await h.node.time.advance(10_000);
    expect(h.node.state.lessor.size).toBe(0);
  });

  test('a batch that the log did not take is proposed again', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    h.node.beforeApply = () => Promise.reject(new EtcdError('TIMEOUT'));
    await h.node.time.advance(5_000);
    expect(h.node.state.lessor.exists(7n)).toBe(true);
    h.node.beforeApply = () => Promise.resolve();
    await h.node.time.advance(3_000);
    expect(h.node.state.lessor.exists(7n)).toBe(false);
  });

  test('what is left of a long lease survives a change of leader through its checkpoint', async () => {
    const h = await harness({ leaseCheckpointIntervalMs: LEASE_CHECKPOINT_INTERVAL_MS });
    await h.grant(7n, 3_600);
    await h.node.time.advance(LEASE_CHECKPOINT_INTERVAL_MS + 1);
    expect(h.node.state.lessor.get(7n)?.checkpointedTtlSeconds).toBe(3_300);
    h.node.setStatus({ term: 3 });
    await h.node.time.advance(3_300_000);
    expect(h.node.state.lessor.exists(7n)).toBe(true);
    await h.node.time.advance(1_001);
    expect(h.node.state.lessor.exists(7n)).toBe(false);
  });

  test('checkpoints come as often as was asked for: every five minutes unless said otherwise, or never', () => {
    const intervalMs = (options: EtcdNodeOptions): number =>
      limitsOf(resolveOptions(options)).leaseCheckpointIntervalMs;
    expect(intervalMs({ leaseCheckpoint: true })).toBe(300_000);
    expect(intervalMs({ leaseCheckpoint: true, leaseCheckpointIntervalMs: 250 })).toBe(250);
    expect(intervalMs({ leaseCheckpointIntervalMs: 250 })).toBe(Infinity);
    expect(() => intervalMs({ leaseCheckpointIntervalMs: 99 })).toThrow(
      'leaseCheckpointIntervalMs',
    );
  });

  test('without checkpoints a new leader gives a lease its whole time again', async () => {
    const h = await harness();
    await h.grant(7n, 3_600);
    await h.node.time.advance(3_000_000);
    expect(h.node.state.lessor.get(7n)?.checkpointedTtlSeconds).toBe(0);
    h.node.setStatus({ term: 3 });
    await h.node.time.advance(3_600_000);
    expect(h.node.state.lessor.exists(7n)).toBe(true);
    await h.node.time.advance(1_001);
    expect(h.node.state.lessor.exists(7n)).toBe(false);
  });

  test('after stop nothing is proposed any more and no timer is left', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    h.services.stop();
    expect(h.node.time.pendingTimers).toBe(0);
    await h.node.time.advance(60_000);
    expect(h.node.state.lessor.exists(7n)).toBe(true);
  });
});

describe('keeping alive', () => {
  test('gives the granted TTL again', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    await h.node.time.advance(4_000);
    expect(await keepAlive(h, 7n)).toMatchObject({ ID: 7n, TTL: 5 });
    await h.node.time.advance(4_999);
    expect(h.node.state.lessor.exists(7n)).toBe(true);
  });

  test('an absent lease answers TTL 0, without error', async () => {
    const h = await harness();
    expect(await keepAlive(h, 7n)).toMatchObject({ ID: 7n, TTL: 0 });
  });

  test('a lease past its time waits for its revoke, then answers TTL 0', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    let release: () => void = () => undefined;
    h.node.beforeApply = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    await h.node.time.advance(5_000);
    let answer: LeaseKeepAliveResponse | undefined;
    void keepAlive(h, 7n).then((response) => {
      answer = response;
    });
    await turns(20);
    expect(answer).toBeUndefined();
    release();
    await turns(20);
    expect(answer).toMatchObject({ TTL: 0 });
  });

  /** A lease whose time is over and whose revoke does not come through, and a renewal that waits for it. */
  async function stuck(signal?: AbortSignal) {
    const h = await harness();
    await h.grant(7n, 5);
    h.node.beforeApply = () => new Promise(() => undefined);
    await h.node.time.advance(5_000);
    const heard: unknown[] = [];
    const handler = must(h.services.handlers['etcdserverpb.Lease/LeaseKeepAlive'], 'handler');
    const requests = (async function* () {
      yield await Promise.resolve({ ID: 7n });
    })();
    const call = handler(
      requests,
      { signal: signal ?? new AbortController().signal, metadata: new Map(), peer: NOBODY },
      {
        send: ({ TTL }) => heard.push(TTL) > 0,
        drained: () => Promise.resolve(),
      },
    );
    call.catch((error: unknown) => heard.push(EtcdError.from(error).code));
    await turns(20);
    expect(heard).toEqual([]);
    return { ...h, heard };
  }

  test('a revoke that a change of leader overtook is not waited for: the next leader is asked', async () => {
    const { node, heard } = await stuck();
    const answer = LeaseKeepAliveResponse.fromPartial({ ID: 7n, TTL: 5 });
    node.leader = () => Promise.resolve(LeaseKeepAliveResponse.encode(answer));
    node.setStatus({ isLeader: false, leader: memberId(0xb2n), term: 3 });
    await turns();
    await node.time.advance(100);
    expect(heard).toEqual([5]);
  });

  test('a member that leads again renews what it could not revoke before', async () => {
    const { node, heard } = await stuck();
    node.setStatus({ term: 3 });
    await turns();
    await node.time.advance(100);
    expect(heard).toEqual([5]);
  });

  test('a revoke is not waited for any more when the stream has ended', async () => {
    const ended = new AbortController();
    const { heard } = await stuck(ended.signal);
    ended.abort(new EtcdError('CANCELED'));
    await turns();
    expect(heard).toEqual(['CANCELED']);
  });

  test('the header is taken before the renewal', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    expect((await keepAlive(h, 7n)).header).toMatchObject({ revision: 1, raftTerm: 2 });
  });

  test('answers in order, and ends with OK when the client half-closes', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    const call = h.channel.stream('etcdserverpb.Lease/LeaseKeepAlive');
    for (const ID of [7n, 8n, 7n]) call.send({ ID });
    call.end();
    const answers: LeaseKeepAliveResponse[] = [];
    for await (const response of call.responses) answers.push(response);
    expect(answers.map(({ ID, TTL }) => [ID, TTL])).toEqual([
      [7n, 5],
      [8n, 0],
      [7n, 5],
    ]);
  });

  test('a renewal after a checkpoint takes the checkpoint back before it is answered', async () => {
    const h = await harness({ leaseCheckpointIntervalMs: LEASE_CHECKPOINT_INTERVAL_MS });
    await h.grant(7n, 3_600);
    await h.node.time.advance(LEASE_CHECKPOINT_INTERVAL_MS + 1);
    expect(await keepAlive(h, 7n)).toMatchObject({ TTL: 3_600 });
    expect(h.node.state.lessor.get(7n)?.checkpointedTtlSeconds).toBe(0);
  });

  test('a renewal takes back a checkpoint that is still on its way through the log', async () => {
    const h = await harness({ leaseCheckpointIntervalMs: LEASE_CHECKPOINT_INTERVAL_MS });
    await h.grant(7n, 3_600);
    const held: (() => void)[] = [];
    h.node.beforeApply = () => new Promise((resolve) => held.push(resolve));
    await h.node.time.advance(LEASE_CHECKPOINT_INTERVAL_MS + 1);
    const answer = keepAlive(h, 7n);
    await turns();
    for (const resolve of held) resolve();
    expect(await answer).toMatchObject({ TTL: 3_600 });
    expect(h.node.state.lessor.get(7n)?.checkpointedTtlSeconds).toBe(0);
    const before = h.node.proposed.length;
    expect(await keepAlive(h, 7n)).toMatchObject({ TTL: 3_600 });
    expect(h.node.proposed).toHaveLength(before);
  });

  test('what is left is looked up when the revokes before it have come through', async () => {
    const h = await harness({ leaseCheckpointIntervalMs: LEASE_CHECKPOINT_INTERVAL_MS });
    await h.grant(7n, 3_600);
    await h.grant(8n, LEASE_CHECKPOINT_INTERVAL_MS / 1000);
    let resolve = (): void => undefined;
    h.node.beforeApply = () => new Promise((done) => (resolve = done));
    await h.node.time.advance(LEASE_CHECKPOINT_INTERVAL_MS + 1);
    h.node.beforeApply = () => Promise.resolve();
    expect(await keepAlive(h, 7n)).toMatchObject({ TTL: 3_600 });
    resolve();
    await turns();
    expect(h.node.state.lessor.exists(8n)).toBe(false);
    expect(h.node.state.lessor.get(7n)?.checkpointedTtlSeconds).toBe(0);
  });

  test('a checkpoint that came through in a later term is taken back again before the answer', async () => {
    const h = await harness({ leaseCheckpointIntervalMs: LEASE_CHECKPOINT_INTERVAL_MS });
    await h.grant(7n, 3_600);
    await h.node.time.advance(LEASE_CHECKPOINT_INTERVAL_MS + 1);
    h.node.beforeApply = () => Promise.resolve(h.node.setStatus({ term: 3 }));
    const answer = keepAlive(h, 7n);
    await turns();
    expect(h.node.state.lessor.get(7n)?.checkpointedTtlSeconds).toBe(3_300);
    await h.node.time.advance(50);
    expect(await answer).toMatchObject({ TTL: 3_600 });
    expect(h.node.state.lessor.get(7n)?.checkpointedTtlSeconds).toBe(0);
  });

  test('a proof of leadership older than an election timeout is asked for again', async () => {
    const h = await harness();
    await h.grant(7n, 60);
    let slow = 2;
    h.node.beforeBarrier = async () => {
      // As if the process had been stopped between the proof and its use.
      if (slow-- > 0) await h.node.time.advance(1_001);
    };
    h.node.barriers = 0;
    expect(await keepAlive(h, 7n)).toMatchObject({ TTL: 60 });
    expect(h.node.barriers).toBe(3);
  });

  test('without a proof in time fails', async () => {
    const h = await harness();
    await h.grant(7n, 60);
    h.node.beforeBarrier = () => h.node.time.advance(1_001);
    expect(await failure(keepAlive(h, 7n))).toBe('TIMEOUT');
  });

  test('is answered by the leader, through whichever member it is asked', async () => {
    const leader = await harness();
    await leader.grant(7n, 5);
    const { follower, channel } = await followerOf(leader);
    const asked: Harness = { ...leader, channel };
    await leader.node.time.advance(4_000);
    expect(await keepAlive(asked, 7n)).toMatchObject({
      TTL: 5,
      header: { memberId: follower.memberId },
    });
    await leader.node.time.advance(4_000);
    expect(leader.node.state.lessor.exists(7n)).toBe(true);
  });

  test('without a leader fails when the request timeout is over', async () => {
    const h = await harness();
    await h.grant(7n, 500);
    h.node.setStatus({ isLeader: false, leader: NO_LEADER });
    const answer = failure(keepAlive(h, 7n));
    await turns();
    await h.node.time.advance(h.node.limits.requestTimeoutMs + 100);
    expect(await answer).toBe('NO_LEADER');
  });
});

describe('looking', () => {
  test('time to live counts whole seconds down, to 0 but not below, and knows the keys', async () => {
    const h = await harness();
    await h.grant(7n, 5);
    await h.put('b', '', { lease: 7n });
    await h.put('a', '', { lease: 7n });
    await h.node.time.advance(100);
    expect(await timeToLive(h, 7n)).toMatchObject({
      TTL: 4,
      grantedTTL: 5,
      keys: [utf8('a'), utf8('b')],
    });
    h.node.beforeApply = () => new Promise(() => undefined);
    await h.node.time.advance(6_000);
    expect((await timeToLive(h, 7n)).TTL).toBe(0);
  });

  test('an absent lease has TTL -1, without error', async () => {
    const h = await harness();
    expect(await timeToLive(h, 7n)).toMatchObject({ ID: 7n, TTL: -1, grantedTTL: 0, keys: [] });
  });

  test('a follower asks the leader for the time, and answers under its own name', async () => {
    const leader = await harness();
    await leader.grant(7n, 5);
    const { follower, channel } = await followerOf(leader);
    const answer = await timeToLive({ ...leader, channel }, 7n);
    expect(answer).toMatchObject({ TTL: 5, header: { memberId: follower.memberId } });
  });

  test('leases are listed by what is left of them', async () => {
    const h = await harness();
    await h.grant(1n, 30);
    await h.grant(2n, 10);
    await h.grant(3n, 20);
    const { leases } = await h.channel.unary('etcdserverpb.Lease/LeaseLeases', {});
    expect(leases.map(({ ID }) => ID)).toEqual([2n, 3n, 1n]);
  });
});

test('a member that does not lead refuses to answer for the leader', async () => {
  const h = await harness();
  h.node.setStatus({ isLeader: false });
  const asked = h.services.answerMember('etcdserverpb.Lease/LeaseTimeToLive', new Uint8Array(0));
  expect(await failure(asked)).toBe('NOT_LEADER');
});

/** A member beside the leader that knows where the leader is. */
async function followerOf(leader: Harness) {
  const follower = await FakeNode.start();
  Object.assign(follower, { memberId: memberId(0xb2n) });
  follower.setStatus({ isLeader: false, leader: leader.node.memberId });
  follower.leader = (method, request) => leader.services.answerMember(method, request);
  const services = new Services(follower, SURROUNDINGS);
  return { follower, channel: new InProcessChannel(services.handlers, follower.clock) };
}

test('a put with an absent lease is refused and writes nothing', async () => {
  const { put, channel } = await harness();
  expect(await failure(put('a', '', { lease: 7n }))).toBe('LEASE_NOT_FOUND');
  const all = RangeRequest.fromPartial({ key: utf8('a') });
  expect((await channel.unary('etcdserverpb.KV/Range', all)).count).toBe(0);
});
