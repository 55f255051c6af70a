/**
 * The npm package etcd3 against three members as processes: put, get, watch, lease, as its users write them.
 */
import { Etcd3, EtcdLeaseInvalidError } from 'etcd3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { programUnderTest } from './harness/under-test.ts';

describe('npm etcd3 against three members', () => {
  let cluster: Cluster;
  let client: Etcd3;

  beforeAll(async () => {
    cluster = await Cluster.start({ size: 3, program: programUnderTest() });
    client = new Etcd3({ hosts: cluster.members.map((member) => member.clientUrl) });
  }, 60_000);
  afterAll(async () => {
    client?.close();
    await cluster?.dispose();
  });

  test('put, get, getAll and delete', async () => {
    await client.put('app/a').value('1');
    await client.put('app/b').value(2);
    expect(await client.get('app/a').string()).toBe('1');
    expect(await client.get('app/b').number()).toBe(2);
    expect(await client.get('app/absent').string()).toBeNull();
    expect(await client.getAll().prefix('app/').strings()).toEqual({ 'app/a': '1', 'app/b': '2' });
    expect(await client.getAll().prefix('app/').count()).toBe(2);
    const deleted = await client.delete().prefix('app/');
    expect(deleted.deleted).toBe('2');
  });

  test('a conditional transaction runs the branch that holds', async () => {
    const create = () =>
      client.if('once', 'Create', '==', 0).then(client.put('once').value('mine')).commit();
    expect((await create()).succeeded).toBe(true);
    expect((await create()).succeeded).toBe(false);
    expect(await client.get('once').string()).toBe('mine');
  });

  test('a watcher sees puts and deletes in order', async () => {
    const watcher = await client.watch().prefix('watched/').create();
    const seen: string[] = [];
    const done = new Promise<void>((resolve) => {
      watcher.on('put', (kv) => seen.push(`put ${kv.key.toString()}=${kv.value.toString()}`));
      watcher.on('delete', (kv) => {
        seen.push(`delete ${kv.key.toString()}`);
        resolve();
      });
    });
    await client.put('watched/a').value('1');
    await client.put('watched/b').value('2');
    await client.delete().key('watched/a');
    await done;
    expect(seen).toEqual(['put watched/a=1', 'put watched/b=2', 'delete watched/a']);
    await watcher.cancel();
  });

  test('a lease keeps its keys until it is revoked', async () => {
    const lease = client.lease(60);
    await lease.put('leased/k').value('v');
    const id = await lease.grant();
    expect(await client.get('leased/k').string()).toBe('v');
    const info = await client.leaseClient.leaseTimeToLive({ ID: id, keys: true });
    expect(info.grantedTTL).toBe('60');
    expect(info.keys.map(String)).toEqual(['leased/k']);
    await lease.keepaliveOnce();
    await lease.revoke();
    expect(await client.get('leased/k').string()).toBeNull();
  });

  test('errors arrive as the classes that etcd3 knows', async () => {
    const revoked = client.leaseClient.leaseRevoke({ ID: '12345' });
    await expect(revoked).rejects.toBeInstanceOf(EtcdLeaseInvalidError);
    await expect(client.put('').value('v')).rejects.toThrow('key is not provided');
  });
});
