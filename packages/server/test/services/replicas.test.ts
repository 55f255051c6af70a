import { fromUtf8, utf8 } from '@etcd-ts/base';
import {
  AuthUserAddRequest,
  type Channel,
  LeaseGrantRequest,
  LeaseTimeToLiveRequest,
  PutRequest,
  RangeRequest,
  WatchCreateRequest,
} from '@etcd-ts/protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { failure } from './harness.ts';

/** Three members in one process, in real time: what the services promise across members. */
const NAMES = ['a', 'b', 'c'] as const;
let cluster: Cluster;

beforeEach(async () => {
  cluster = new Cluster(NAMES);
  await cluster.startAll();
});

afterEach(() => cluster.close());

function channels(): readonly Channel[] {
  return cluster.running().map((node) => node.channel());
}

async function followers(): Promise<readonly Channel[]> {
  const leader = await cluster.leader();
  return cluster
    .running()
    .filter((node) => node !== leader)
    .map((node) => node.channel());
}

function put(channel: Channel, key: string, lease = 0n) {
  return channel.unary('etcdserverpb.KV/Put', PutRequest.fromPartial({ key: utf8(key), lease }));
}

async function keepAlive(channel: Channel, ID: bigint) {
  const call = channel.stream('etcdserverpb.Lease/LeaseKeepAlive');
  call.send({ ID });
  for await (const response of call.responses) return response;
  throw new Error('the stream ended');
}

/** Resolves when the key is deleted, as a watcher of one member sees it. */
async function deletion(channel: Channel, key: string): Promise<void> {
  const call = channel.stream('etcdserverpb.Watch/Watch');
  const value = WatchCreateRequest.fromPartial({ key: utf8(key), startRevision: 1 });
  call.send({ requestUnion: { $case: 'createRequest', value } });
  for await (const { events } of call.responses) if (events.some(({ type }) => type === 1)) return;
}

describe('leases', () => {
  test('are kept alive and looked at through every member alike', async () => {
    const [first] = channels();
    await first!.unary(
      'etcdserverpb.Lease/LeaseGrant',
      LeaseGrantRequest.fromPartial({ ID: 7n, TTL: 60 }),
    );
    await put(first!, 'k', 7n);
    for (const channel of channels()) {
      expect(await keepAlive(channel, 7n)).toMatchObject({ ID: 7n, TTL: 60 });
      expect(await keepAlive(channel, 8n)).toMatchObject({ ID: 8n, TTL: 0 });
      const look = LeaseTimeToLiveRequest.fromPartial({ ID: 7n, keys: true });
      const answer = await channel.unary('etcdserverpb.Lease/LeaseTimeToLive', look);
      expect(answer).toMatchObject({ grantedTTL: 60, keys: [utf8('k')] });
      // Whole seconds, and however slow the machine is.
      expect(answer.TTL).toBeGreaterThan(30);
      expect(answer.TTL).toBeLessThan(60);
    }
  });

  test('end on every member, also when the leader that granted them is gone', async () => {
    const leader = await cluster.leader();
    await leader
      .channel()
      .unary('etcdserverpb.Lease/LeaseGrant', LeaseGrantRequest.fromPartial({ ID: 7n, TTL: 1 }));
    await put(leader.channel(), 'k', 7n);
    const seen = (await followers()).map((channel) => deletion(channel, 'k'));
    await leader.kill();
    await Promise.all(seen);
    for (const channel of channels()) {
      const request = RangeRequest.fromPartial({ key: utf8('k') });
      expect((await channel.unary('etcdserverpb.KV/Range', request)).count).toBe(0);
    }
    await cluster.agreed();
  });
});

test('a lock is handed over between callers of different members', async () => {
  const [first, second] = channels();
  for (const ID of [7n, 8n]) {
    await first!.unary(
      'etcdserverpb.Lease/LeaseGrant',
      LeaseGrantRequest.fromPartial({ ID, TTL: 60 }),
    );
  }
  const held = await first!.unary('v3lockpb.Lock/Lock', { name: utf8('l'), lease: 7n });
  const waiting = second!.unary('v3lockpb.Lock/Lock', { name: utf8('l'), lease: 8n });
  await first!.unary('v3lockpb.Lock/Unlock', { key: held.key });
  expect(fromUtf8((await waiting).key)).toBe('l/8');
});

test('a token from one member is good at once on every other, and its rights are the same', async () => {
  const [first] = channels();
  const add = (name: string) =>
    first!.unary(
      'etcdserverpb.Auth/UserAdd',
      AuthUserAddRequest.fromPartial({ name, password: name }),
    );
  await add('root');
  await add('ann');
  await first!.unary('etcdserverpb.Auth/UserGrantRole', { user: 'root', role: 'root' });
  await first!.unary('etcdserverpb.Auth/AuthEnable', {});
  const login = async (name: string) => {
    const request = { name, password: name };
    const { token } = await first!.unary('etcdserverpb.Auth/Authenticate', request);
    return { metadata: new Map([['token', token]]) };
  };
  const [root, ann] = [await login('root'), await login('ann')];
  const request = RangeRequest.fromPartial({ key: utf8('k') });
  for (const channel of channels()) {
    expect((await channel.unary('etcdserverpb.KV/Range', request, root)).count).toBe(0);
    expect(await failure(channel.unary('etcdserverpb.KV/Range', request, ann))).toBe(
      'PERMISSION_DENIED',
    );
  }
  await cluster.agreed();
});

test('alarms raised through one member hold on every other', async () => {
  const [first] = channels();
  await first!.unary('etcdserverpb.Maintenance/Alarm', { action: 1, memberID: 7n, alarm: 1 });
  for (const channel of channels()) expect(await failure(put(channel, 'k'))).toBe('NO_SPACE');
  await first!.unary('etcdserverpb.Maintenance/Alarm', { action: 2, memberID: 7n, alarm: 1 });
  for (const channel of channels()) await put(channel, 'k');
});
