import { EtcdError, RPCS } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { EtcdClient } from '../src/index.ts';
import { EagerClock, evenRandom, settle } from './manual-clock.ts';
import { ScriptedChannel } from './scripted-channel.ts';

/** Every call that a client has. */
const calls: Readonly<Record<string, (client: EtcdClient) => Promise<unknown>>> = {
  get: (client) => client.get('k'),
  getAll: (client) => client.getAll({ prefix: 'k' }),
  count: (client) => client.count('k'),
  entries: (client) => client.entries('k').next(),
  put: (client) => client.put('k', 'v'),
  delete: (client) => client.delete('k'),
  txn: (client) => client.txn().commit(),
  compact: (client) => client.compact(1, { physical: true }),
  watch: (client) => client.watch('k').created,
  status: (client) => client.status(),
  'lease.grant': (client) => client.lease.grant(5),
  'lease.create': (client) => client.lease.create(5),
  'lease.adopt': (client) => client.lease.adopt(5n),
  'lease.keepAliveOnce': (client) => client.lease.keepAliveOnce(5n),
  'lease.revoke': (client) => client.lease.revoke(5n),
  'lease.timeToLive': (client) => client.lease.timeToLive(5n),
  'lease.list': (client) => client.lease.list(),
  'cluster.members': (client) => client.cluster.members(),
  'cluster.add': (client) => client.cluster.add(['http://a:1'], { learner: true }),
  'cluster.remove': (client) => client.cluster.remove(1n),
  'cluster.update': (client) => client.cluster.update(1n, ['http://a:1']),
  'cluster.promote': (client) => client.cluster.promote(1n),
  'maintenance.alarms': (client) => client.maintenance.alarms(),
  'maintenance.disarm': (client) => client.maintenance.disarm({ memberID: 1n, alarm: 1 }),
  'maintenance.defragment': (client) => client.maintenance.defragment(),
  'maintenance.hash': (client) => client.maintenance.hash(),
  'maintenance.hashKV': (client) => client.maintenance.hashKV(),
  'maintenance.moveLeader': (client) => client.maintenance.moveLeader(1n),
  'maintenance.downgrade': (client) => client.maintenance.downgrade('validate', '3.5'),
  'maintenance.snapshot': (client) => client.maintenance.snapshot().next(),
  'auth.status': (client) => client.auth.status(),
  'auth.enable': (client) => client.auth.enable(),
  'auth.disable': (client) => client.auth.disable(),
  'auth.addUser': (client) => client.auth.addUser('u', 'p'),
  'auth.getUser': (client) => client.auth.getUser('u'),
  'auth.listUsers': (client) => client.auth.listUsers(),
  'auth.deleteUser': (client) => client.auth.deleteUser('u'),
  'auth.changePassword': (client) => client.auth.changePassword('u', 'p'),
  'auth.grantRole': (client) => client.auth.grantRole('u', 'r'),
  'auth.revokeRole': (client) => client.auth.revokeRole('u', 'r'),
  'auth.addRole': (client) => client.auth.addRole('r'),
  'auth.getRole': (client) => client.auth.getRole('r'),
  'auth.listRoles': (client) => client.auth.listRoles(),
  'auth.deleteRole': (client) => client.auth.deleteRole('r'),
  'auth.grantPermission': (client) => client.auth.grantPermission('r', 'read', { prefix: 'k' }),
  'auth.revokePermission': (client) => client.auth.revokePermission('r', { prefix: 'k' }),
};

function world(): { client: EtcdClient; channel: ScriptedChannel } {
  const channel = new ScriptedChannel({});
  const client = new EtcdClient({
    endpoints: ['a'],
    connect: () => channel,
    clock: new EagerClock(),
    random: evenRandom,
  });
  return { client, channel };
}

describe('every call of a client', () => {
  for (const [name, call] of Object.entries(calls)) {
    test(`${name} sends a request that its codec takes, and fails with the error that comes`, async () => {
      const { client, channel } = world();
      await expect(call(client)).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
      for (const { method, request } of channel.calls) {
        const rpc = RPCS.find((other) => other.name === method);
        const bytes = rpc?.request.encode(request as never) ?? new Uint8Array(0);
        expect(rpc?.request.decode(bytes)).toEqual(request);
      }
    });

    test(`${name} of a closed client fails with CANCELED and sends nothing`, async () => {
      const { client, channel } = world();
      await client.close();
      await expect(call(client)).rejects.toMatchObject({ code: 'CANCELED' });
      expect(channel.calls).toEqual([]);
    });
  }

  test('under way when the client is closed fails with CANCELED', async () => {
    const channel = new ScriptedChannel({
      'etcdserverpb.KV/Range': () => new Promise(() => undefined),
    });
    const closing = Object.assign(channel, {
      unary: () =>
        new Promise<never>((_resolve, reject) => {
          const check = (): void => {
            if (channel.isClosed) reject(new EtcdError('CANCELED'));
            else setImmediate(check);
          };
          check();
        }),
    });
    const client = new EtcdClient({
      endpoints: ['a'],
      connect: () => closing,
      clock: new EagerClock(),
      random: evenRandom,
    });
    const outcome = client.get('k').catch((error: unknown) => error);
    await settle();
    await client.close();
    expect(await outcome).toMatchObject({ code: 'CANCELED' });
  });

  test('closing twice is harmless', async () => {
    const { client } = world();
    await client.close();
    await client.close();
  });
});

describe('a call to one member', () => {
  test('goes to the endpoint that it names', async () => {
    const channels = new Map<string, ScriptedChannel>();
    const client = new EtcdClient({
      endpoints: ['a', 'b'],
      connect: (endpoint) => {
        const channel = new ScriptedChannel({});
        channels.set(endpoint, channel);
        return channel;
      },
      clock: new EagerClock(),
      random: evenRandom,
    });
    await expect(client.status({ endpoint: 'b' })).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
    expect([...channels.keys()]).toEqual(['b']);
    await expect(client.status({ endpoint: 'c' })).rejects.toThrow('endpoint c is not one of a, b');
  });
});
