import {
  EtcdError,
  type Handlers,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
  type ResponseSink,
} from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { EtcdClient } from '../src/index.ts';
import { evenRandom, ManualClock, settle } from './manual-clock.ts';
import { ScriptedChannel } from './scripted-channel.ts';

interface World {
  readonly client: EtcdClient;
  readonly clock: ManualClock;
  readonly channel: ScriptedChannel;
  /** Requests to keep alive that reached the server. */
  readonly refreshes: bigint[];
  /** What the server answers: a time to live in seconds, or undefined for silence. */
  answer: number | undefined;
  /** How long an answer is on its way. */
  latencyMs: number;
}

function world(): World {
  const clock = new ManualClock();
  const refreshes: bigint[] = [];
  const keepAlive = async (
    requests: AsyncIterable<LeaseKeepAliveRequest>,
    _context: unknown,
    responses: ResponseSink<LeaseKeepAliveResponse>,
  ): Promise<void> => {
    for await (const { ID } of requests) {
      refreshes.push(ID);
      const { answer } = made;
      if (answer === undefined) continue;
      if (made.latencyMs === 0) responses.send({ ID, TTL: answer });
      else clock.after(made.latencyMs, () => responses.send({ ID, TTL: answer }));
    }
  };
  const handlers: Handlers = {
    'etcdserverpb.Lease/LeaseGrant': ({ TTL, ID }) =>
      Promise.resolve({ ID: ID === 0n ? 77n : ID, TTL, error: '' }),
    'etcdserverpb.Lease/LeaseKeepAlive': keepAlive,
    'etcdserverpb.Lease/LeaseTimeToLive': ({ ID, keys }) =>
      Promise.resolve({
        ID,
        TTL: ID === 77n ? 5 : -1,
        grantedTTL: 9,
        keys: keys ? [new Uint8Array([1])] : [],
      }),
    'etcdserverpb.Lease/LeaseLeases': () => Promise.resolve({ leases: [{ ID: 77n }] }),
    'etcdserverpb.Lease/LeaseRevoke': ({ ID }) =>
      ID === 77n ? Promise.resolve({}) : Promise.reject(new EtcdError('LEASE_NOT_FOUND')),
  };
  const channel = new ScriptedChannel(handlers);
  const client = new EtcdClient({
    endpoints: ['a'],
    connect: () => channel,
    clock,
    random: evenRandom,
  });
  const made: World = { client, clock, channel, refreshes, answer: 9, latencyMs: 0 };
  return made;
}

describe('lease calls', () => {
  test('grant gives the id and the time that the server chose', async () => {
    const { client } = world();
    expect(await client.lease.grant(9)).toMatchObject({ id: 77n, ttlSeconds: 9 });
    expect(await client.lease.grant(9, { id: -5n })).toMatchObject({ id: -5n });
  });

  test('timeToLive tells how a lease stands, and undefined when it is not there', async () => {
    const { client } = world();
    const standing = await client.lease.timeToLive(77n, { keys: true });
    expect(standing).toEqual({
      remainingSeconds: 5,
      grantedTtlSeconds: 9,
      keys: [new Uint8Array([1])],
    });
    expect(await client.lease.timeToLive(1n)).toBeUndefined();
  });

  test('list and revoke', async () => {
    const { client } = world();
    expect(await client.lease.list()).toEqual([77n]);
    await client.lease.revoke(77n);
    await expect(client.lease.revoke(1n)).rejects.toMatchObject({ code: 'LEASE_NOT_FOUND' });
  });

  test('keepAliveOnce gives the new time, and LEASE_NOT_FOUND when there is no such lease', async () => {
    const made = world();
    expect(await made.client.lease.keepAliveOnce(77n)).toBe(9);
    made.answer = 0;
    await expect(made.client.lease.keepAliveOnce(77n)).rejects.toMatchObject({
      code: 'LEASE_NOT_FOUND',
    });
    await settle();
    expect(made.channel.openStreams).toBe(0);
  });
});

describe('a lease keeper', () => {
  test('refreshes three times in each time to live, for as long as it runs', async () => {
    const { client, clock, refreshes } = world();
    const keeper = await client.lease.create(9);
    await clock.pass(30_000);
    expect(keeper.isAlive).toBe(true);
    expect(refreshes.length).toBeGreaterThanOrEqual(10);
    expect(refreshes.length).toBeLessThanOrEqual(13);
    keeper.stop();
    const count = refreshes.length;
    await clock.pass(30_000);
    expect(refreshes.length).toBe(count);
  });

  test('says at once that the lease is lost when the server says so', async () => {
    const made = world();
    const keeper = await made.client.lease.create(9);
    await settle();
    made.answer = 0;
    await made.clock.pass(3_100);
    expect(keeper.isAlive).toBe(false);
    expect(keeper.signal.aborted).toBe(true);
    expect(await keeper.lost).toMatchObject({ code: 'LEASE_NOT_FOUND' });
  });

  test('takes the lease for lost when nothing is heard for its time to live, counted from the last request answered', async () => {
    const made = world();
    const keeper = await made.client.lease.create(9);
    await settle();
    await made.clock.pass(4_000);
    made.answer = undefined;
    // The last answered refresh was sent after 3 seconds.
    await made.clock.pass(7_900);
    expect(keeper.isAlive).toBe(true);
    await made.clock.pass(200);
    expect(keeper.isAlive).toBe(false);
    expect(await keeper.lost).toMatchObject({ code: 'LEASE_NOT_FOUND' });
  });

  test('counts from when a refresh was sent, not from when its answer came', async () => {
    const made = world();
    made.latencyMs = 2_000;
    const keeper = await made.client.lease.create(9);
    // Sent at the beginning, answered after 2 seconds; what is sent later is not answered.
    await made.clock.pass(4_500);
    made.answer = undefined;
    await made.clock.pass(4_400);
    expect(keeper.isAlive).toBe(true);
    await made.clock.pass(200);
    expect(keeper.isAlive).toBe(false);
  });

  test('takes the lease for lost as soon as its process gets to run again after too long a pause', async () => {
    const made = world();
    const keeper = await made.client.lease.create(9);
    await settle();
    made.answer = undefined;
    await made.clock.pass(100_000);
    expect(keeper.signal.aborted).toBe(true);
  });

  test('outlives a broken stream: the next one refreshes at once', async () => {
    const made = world();
    const keeper = await made.client.lease.create(9);
    await settle();
    const before = made.refreshes.length;
    made.channel.breakStreams();
    await made.clock.pass(1_000);
    expect(made.refreshes.length).toBeGreaterThan(before);
    await made.clock.pass(20_000);
    expect(keeper.isAlive).toBe(true);
  });

  test('is lost with the error when the server will never refresh it', async () => {
    const made = world();
    const keeper = await made.client.lease.create(9);
    await settle();
    made.channel.breakStreams(new EtcdError('PERMISSION_DENIED'));
    expect(await keeper.lost).toMatchObject({ code: 'PERMISSION_DENIED' });
  });

  test('of a lease that is kept already is the same keeper', async () => {
    const { client } = world();
    const lease = await client.lease.grant(9);
    expect(client.lease.keepAlive(lease)).toBe(client.lease.keepAlive(lease));
  });

  test('takes up a lease by its id', async () => {
    const made = world();
    const keeper = await made.client.lease.adopt(77n);
    expect([keeper.id, keeper.ttlSeconds, keeper.isAlive]).toEqual([77n, 9, true]);
    made.answer = 0;
    await expect(made.client.lease.adopt(78n)).rejects.toMatchObject({ code: 'LEASE_NOT_FOUND' });
  });

  test('does not take for its own what an earlier keeper of the lease has asked for', async () => {
    const made = world();
    const { client, clock } = made;
    await client.lease.create(60, { id: 1n });
    const lease = await client.lease.grant(9);
    await settle();
    made.latencyMs = 4_000;
    const first = client.lease.keepAlive(lease);
    await clock.pass(3_000);
    first.stop();
    // The answers to what the first has asked for, at 0 and at 3 seconds, come after the second has asked.
    made.answer = undefined;
    const second = client.lease.keepAlive({ ...lease, refreshedMs: 0 });
    await clock.pass(5_900);
    expect(second.isAlive).toBe(true);
    await clock.pass(200);
    expect(second.isAlive).toBe(false);
  });

  test('the last one frees the stream and leaves no timer', async () => {
    const { client, channel, clock } = world();
    const keeper = await client.lease.create(9);
    await settle();
    expect(channel.openStreams).toBe(1);
    keeper.stop();
    await settle();
    expect([channel.openStreams, clock.timerCount]).toEqual([0, 0]);
  });

  test('closing the client stops all keepers', async () => {
    const { client, clock } = world();
    const keeper = await client.lease.create(9);
    await client.close();
    await settle();
    expect([keeper.isAlive, keeper.signal.aborted, clock.timerCount]).toEqual([false, false, 0]);
  });
});
