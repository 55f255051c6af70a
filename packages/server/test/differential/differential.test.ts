import { afterEach, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../../../../tools/peers/real-etcd.ts';
import { compareAuth } from './auth-run.ts';
import { startMember, startServices } from './ours.ts';
import { GatewayChannel } from './gateway-channel.ts';
import { compareServers } from './run.ts';
import { startRealEtcd, type Target } from './target.ts';
import { compareUnary } from './unary-run.ts';

const peers = realEtcd();
const stopping: Target[] = [];

afterEach(async () => {
  await Promise.all(stopping.splice(0).map((target) => target.stop()));
});

/** The short form of `npm run differential`. */
describe.skipIf(!hasEtcd(peers))('beside real etcd', () => {
  test.each([
    [1001, 'the services alone', startServices],
    [1002, 'a member over gRPC', startMember],
  ])('every answer to the requests of seed %d is the same, from %s', async (seed, _, start) => {
    if ('missing' in peers) return;
    const [ours, theirs] = await Promise.all([start(), startRealEtcd(peers.etcd)]);
    stopping.push(ours, theirs);
    const { difference } = await compareServers(ours.channel, theirs.channel, {
      seed,
      operations: 500,
      watchTimeoutMs: 5_000,
    });
    expect(difference).toBeUndefined();
  });

  test('every answer through the gateway is the same, streams included', async () => {
    if ('missing' in peers) return;
    const [ours, theirs] = await Promise.all([startMember(), startRealEtcd(peers.etcd)]);
    stopping.push(ours, theirs);
    const [left, right] = [ours, theirs].map(({ clientUrl }) => new GatewayChannel(clientUrl!));
    const run = { seed: 1007, operations: 300, watchTimeoutMs: 5_000 };
    expect((await compareServers(left!, right!, run)).difference).toBeUndefined();
  });

  test.each([
    ['unary calls to every service', 1004, 'grpc'],
    ['unary calls through the gateway', 1005, 'json'],
  ] as const)('the answers to %s are the same', async (_, seed, via) => {
    if ('missing' in peers) return;
    const [ours, theirs] = await Promise.all([startMember(), startRealEtcd(peers.etcd)]);
    stopping.push(ours, theirs);
    const channel = (target: Target) =>
      via === 'json' ? new GatewayChannel(target.clientUrl!) : target.channel;
    const run = { seed, operations: 250 };
    const { difference } = await compareUnary(channel(ours), channel(theirs), run);
    expect(difference).toBeUndefined();
  });

  test('with authentication on, every answer through the gateway is the same', async () => {
    if ('missing' in peers) return;
    const [ours, theirs] = await Promise.all([startMember(), startRealEtcd(peers.etcd)]);
    stopping.push(ours, theirs);
    const channels = [ours, theirs].map(({ clientUrl }) => new GatewayChannel(clientUrl!));
    const run = { seed: 1006, operations: 200 };
    const { difference } = await compareAuth(channels[0]!, channels[1]!, run);
    expect(difference).toBeUndefined();
  });

  test('with authentication on, every answer to every user is the same', async () => {
    if ('missing' in peers) return;
    const [ours, theirs] = await Promise.all([startServices(), startRealEtcd(peers.etcd)]);
    stopping.push(ours, theirs);
    const run = { seed: 1003, operations: 400 };
    const { difference } = await compareAuth(ours.channel, theirs.channel, run);
    expect(difference).toBeUndefined();
  });
});
