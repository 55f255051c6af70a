/**
 * Every feature of the npm package etcd3 against three members as processes, as its users write them. The everyday ones
 * are in etcd3.test.ts.
 */
import {
  Etcd3,
  EtcdAuthenticationFailedError,
  EtcdLockFailedError,
  EtcdPermissionDeniedError,
  EtcdRoleExistsError,
  EtcdRoleNotFoundError,
  EtcdUserExistsError,
  EtcdUserNotFoundError,
  type IKeyValue,
  NotCampaigningError,
  Range,
  STMConflictError,
  type Watcher,
} from 'etcd3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from './harness/cluster.ts';
import { programUnderTest } from './harness/under-test.ts';

/** Under load everything takes its time. */
const LONG = { timeout: 20_000 };

let cluster: Cluster;
let client: Etcd3;

const hosts = () => cluster.members.map(({ clientUrl }) => clientUrl);

beforeAll(async () => {
  const flags = ['--bcrypt-cost=4'];
  cluster = await Cluster.start({ size: 3, program: programUnderTest(), flags });
  client = new Etcd3({ hosts: hosts() });
}, 60_000);
afterAll(async () => {
  client?.close();
  await cluster?.dispose();
});

/** Resolves with the first value that a listener is called with. */
function once<T>(listen: (heard: (value: T) => void) => unknown): Promise<T> {
  return new Promise((resolve) => void listen(resolve));
}

describe('ranges', () => {
  beforeAll(async () => {
    for (const [key, value] of [
      ['r/a', '3'],
      ['r/b', '1'],
      ['r/c', '2'],
    ] as const) {
      await client.put(key).value(value);
    }
  });

  test('are read as text, numbers, JSON and bytes', async () => {
    await client.put('one').value('{"x":[1]}');
    expect(await client.get('one').json()).toEqual({ x: [1] });
    expect(await client.get('r/a').number()).toBe(3);
    expect((await client.get('r/a').buffer())?.toString()).toBe('3');
    expect(await client.get('one').exists()).toBe(true);
    expect(await client.get('none').exists()).toBe(false);
    expect(await client.getAll().prefix('r/').numbers()).toEqual({ 'r/a': 3, 'r/b': 1, 'r/c': 2 });
    const buffers = await client.getAll().prefix('r/').buffers();
    expect(buffers['r/b']?.toString()).toBe('1');
  });

  test('are sorted, limited, counted and cut', async () => {
    const all = () => client.getAll().prefix('r/');
    expect(await all().sort('Value', 'Ascend').keys()).toEqual(['r/b', 'r/c', 'r/a']);
    expect(await all().sort('Key', 'Descend').limit(2).keys()).toEqual(['r/c', 'r/b']);
    expect(await all().sort('Mod', 'Descend').limit(1).keys()).toEqual(['r/c']);
    expect(await all().count()).toBe(3);
    expect((await all().keyBuffers()).map(String)).toEqual(['r/a', 'r/b', 'r/c']);
    expect(await client.getAll().inRange({ start: 'r/a', end: 'r/c' }).keys()).toEqual([
      'r/a',
      'r/b',
    ]);
    expect(await client.getAll().inRange(Range.from('r/c')).keys()).toContain('r/c');
  });

  test('are read at revisions, and serializable', async () => {
    const { header } = await client.put('past').value('old');
    await client.put('past').value('new');
    expect(await client.get('past').revision(header.revision).string()).toBe('old');
    expect(await client.get('past').serializable(true).exists()).toBe(true);
    const { kvs } = await client.getAll().prefix('past').minModRevision(header.revision).exec();
    expect(kvs).toHaveLength(1);
    const none = client.getAll().prefix('past').maxCreateRevision(1);
    expect((await none.exec()).kvs).toHaveLength(0);
  });
});

describe('puts and deletes', () => {
  test('give what was there, touch, and keep a lease', async () => {
    await client.put('p').value('1');
    expect((await client.put('p').value('2').getPrevious()).value.toString()).toBe('1');
    await client.put('p').touch();
    expect(await client.get('p').string()).toBe('2');
    const lease = client.lease(60, { autoKeepAlive: false });
    await lease.put('p').value('3');
    await client.put('p').value('4').ignoreLease();
    const { kvs } = await client.get('p').exec();
    expect(kvs[0]?.lease).toBe(BigInt(await lease.grant()).toString());
    await lease.revoke();
    expect(await client.get('p').exists()).toBe(false);
  });

  test('delete keys, prefixes and ranges, and give what was there', async () => {
    for (const key of ['d/a', 'd/b', 'd/c', 'd/d']) await client.put(key).value(key);
    const [previous] = await client.delete().key('d/a').getPrevious();
    expect(previous?.value.toString()).toBe('d/a');
    expect((await client.delete().inRange({ start: 'd/b', end: 'd/d' })).deleted).toBe('2');
    expect((await client.delete().prefix('d/')).deleted).toBe('1');
  });
});

describe('transactions', () => {
  test('compare every column, and take a branch', async () => {
    await client.put('t').value('v');
    const { kvs } = await client.get('t').exec();
    const { mod_revision: mod, create_revision: create } = kvs[0]!;
    const result = await client
      .if('t', 'Value', '===', 'v')
      .and('t', 'Version', '==', 1)
      .and('t', 'Mod', '==', Number(mod))
      .and('t', 'Create', '<', Number(create) + 1)
      .and('t', 'Value', '!=', 'w')
      .then(client.put('t').value('w'), client.get('t'), client.delete().key('none'))
      .else(client.get('t'))
      .commit();
    expect(result.succeeded).toBe(true);
    expect(result.responses[1]?.response_range.kvs[0]?.value.toString()).toBe('w');
    const other = await client.if('t', 'Value', '>', 'z').else(client.get('t')).commit();
    expect(other).toMatchObject({ succeeded: false });
  });

  test('in software are tried again on a conflict, or fail', async () => {
    await client.put('stm').value(1);
    let runs = 0;
    await client.stm().transact(async (tx) => {
      const value = await tx.get('stm').number();
      // Another one comes in between, once.
      if (runs++ === 0) await client.put('stm').value(10);
      await tx.put('stm').value((value ?? 0) + 1);
    });
    expect(runs).toBe(2);
    expect(await client.get('stm').number()).toBe(11);
    const failing = client.stm({ retries: 0 }).transact(async (tx) => {
      const value = await tx.get('stm').number();
      await client.put('stm').value(20);
      await tx.put('stm').value((value ?? 0) + 1);
    });
    await expect(failing).rejects.toBeInstanceOf(STMConflictError);
  });
});

test('a namespace holds keys, ranges, watchers, leases and locks of its own', async () => {
  const space = client.namespace('space/');
  await space.put('k').value('v');
  expect(await client.get('space/k').string()).toBe('v');
  expect(await space.getAll().strings()).toEqual({ k: 'v' });
  expect((await space.if('k', 'Value', '==', 'v').then(space.get('k')).commit()).succeeded).toBe(
    true,
  );
  const watcher = await space.watch().key('k').create();
  const heard = once<IKeyValue>((resolve) => watcher.on('put', resolve as never));
  await space.put('k').value('w');
  expect((await heard).key.toString()).toBe('k');
  await watcher.cancel();
  const lease = space.lease(60);
  await lease.put('leased').value('1');
  expect(await client.get('space/leased').exists()).toBe(true);
  await lease.revoke();
  const inner = space.namespace('inner/');
  await inner.put('k').value('deep');
  expect(await client.get('space/inner/k').string()).toBe('deep');
  const lock = await space.lock('a-lock').acquire();
  expect(await client.getAll().prefix('space/a-lock').count()).toBe(1);
  await lock.release();
  expect((await space.delete().all()).deleted).toBe('2');
});

describe('locks', () => {
  test('exclude one another, and are given back', async () => {
    const first = await client.lock('lock').ttl(10).acquire();
    expect(await first.leaseId()).not.toBeNull();
    await expect(client.lock('lock').acquire()).rejects.toBeInstanceOf(EtcdLockFailedError);
    await first.release();
    expect(await client.lock('lock').do(() => Promise.resolve('done'))).toBe('done');
    expect(await client.get('lock').exists()).toBe(false);
  });
});

describe('elections', () => {
  test('have one leader, who proclaims, resigns and is followed', async () => {
    const election = client.election('election', 10);
    expect(await election.leader()).toBeUndefined();
    const observer = await election.observe();
    const changes: (string | undefined)[] = [];
    observer.on('change', (value) => changes.push(value));
    const one = await election.campaign('one').wait();
    expect(await election.leader()).toBe('one');
    await one.proclaim('one again');
    await expect.poll(() => changes.at(-1), LONG).toBe('one again');
    const two = election.campaign('two');
    await one.resign();
    await expect(one.proclaim('late')).rejects.toBeInstanceOf(NotCampaigningError);
    await two.wait();
    await expect.poll(() => changes.at(-1), LONG).toBe('two');
    expect(await client.get(await two.getCampaignKey()).exists()).toBe(true);
    await two.resign();
    await expect.poll(() => observer.hasLeader, LONG).toBe(false);
    await observer.cancel();
  });
});

describe('leases', () => {
  test('are kept alive until they are released', async () => {
    const lease = client.lease(2);
    const id = await lease.grant();
    await once((resolve) => lease.on('keepaliveSucceeded', resolve as never));
    expect(lease.revoked()).toBe(false);
    lease.release();
    const { TTL } = await client.leaseClient.leaseTimeToLive({ ID: id, keys: false });
    expect(Number(TTL)).toBeGreaterThanOrEqual(0);
  });

  test('that are revoked by another are lost', async () => {
    const lease = client.lease(2);
    const id = await lease.grant();
    const lost = once((resolve) => lease.on('lost', resolve as never));
    await client.leaseClient.leaseRevoke({ ID: id });
    await lost;
    expect(lease.revoked()).toBe(true);
    expect((await client.leaseClient.leaseLeases()).leases.map(({ ID }) => ID)).not.toContain(id);
  });
});

describe('watchers', () => {
  /** What a watcher has heard, in order. */
  function record(watcher: Watcher): string[] {
    const heard: string[] = [];
    watcher.on('put', (kv, previous) =>
      heard.push(
        `put ${kv.key.toString()}=${kv.value.toString()}${previous ? ` was ${previous.value.toString()}` : ''}`,
      ),
    );
    watcher.on('delete', (kv) => heard.push(`delete ${kv.key.toString()}`));
    return heard;
  }

  test('hear ranges, the past, the value before, and only what they want', async () => {
    const { header } = await client.put('w/a').value('1');
    const past = record(
      await client.watch().prefix('w/').startRevision(header.revision).withPreviousKV().create(),
    );
    const deletes = record(
      await client.watch().inRange({ start: 'w/a', end: 'w/b' }).only('delete').create(),
    );
    await client.put('w/a').value('2');
    await client.put('w/b').value('3');
    await client.delete().key('w/a');
    await expect.poll(() => deletes, LONG).toEqual(['delete w/a']);
    await expect
      .poll(() => past, LONG)
      .toEqual(['put w/a=1', 'put w/a=2 was 1', 'put w/b=3', 'delete w/a']);
  });

  test('miss nothing while their member is restarted', { timeout: 60_000 }, async () => {
    const watched = cluster.members[0]!;
    const follower = new Etcd3({ hosts: watched.clientUrl });
    const watcher = await follower.watch().prefix('restart/').create();
    const heard = record(watcher);
    await client.put('restart/0').value('before');
    await expect.poll(() => heard, LONG).toHaveLength(1);
    const disconnected = once((resolve) => watcher.on('disconnected', resolve as never));
    await watched.kill();
    await disconnected;
    const others = new Etcd3({ hosts: hosts().slice(1) });
    for (let i = 1; i <= 20; i++) await others.put(`restart/${i}`).value('away');
    await watched.start();
    await others.put('restart/21').value('after');
    await expect.poll(() => heard.length, LONG).toBe(22);
    expect(heard).toEqual([
      'put restart/0=before',
      ...Array.from({ length: 20 }, (_, i) => `put restart/${i + 1}=away`),
      'put restart/21=after',
    ]);
    expect(Number(watcher.lastRevision())).toBeGreaterThan(0);
    await watcher.cancel();
    follower.close();
    others.close();
  });
});

test('the cluster and its members are told', async () => {
  const { members } = await client.cluster.memberList({ linearizable: true });
  expect(members.map(({ name }) => name).sort((a, b) => (a < b ? -1 : 1))).toEqual([
    'm1',
    'm2',
    'm3',
  ]);
  const status = await client.maintenance.status();
  expect(status.version).toMatch(/^3\.\d+\.\d+$/);
  expect((await client.maintenance.hash()).hash).toBeGreaterThan(0);
  await client.maintenance.defragment();
  const alarms = await client.maintenance.alarm({ action: 'Get', memberID: 0, alarm: 'None' });
  expect(alarms.alarms).toEqual([]);
  const stream = await client.maintenance.snapshot();
  let bytes = 0;
  stream.on('data', ({ blob }: { blob: Buffer }) => (bytes += blob.length));
  await once((resolve) => stream.on('end', resolve as never));
  expect(bytes % 512).toBe(32);
});

describe('users and roles', () => {
  test('are made, granted, told and enforced', { timeout: 60_000 }, async () => {
    const role = await client.role('reader').create();
    await expect(client.role('reader').create()).rejects.toBeInstanceOf(EtcdRoleExistsError);
    await role.grant({ permission: 'Read', range: Range.prefix('open/') });
    await role.grant({ permission: 'Readwrite', key: 'mine' });
    expect(await role.permissions()).toHaveLength(2);
    await role.revoke({ permission: 'Readwrite', key: 'mine' });
    expect(await role.permissions()).toHaveLength(1);
    await role.grant({ permission: 'Readwrite', key: 'mine' });
    const user = await client.user('ann').create('ann');
    await expect(client.user('ann').create('x')).rejects.toBeInstanceOf(EtcdUserExistsError);
    await user.addRole('reader');
    expect((await user.roles()).map(({ name }) => name)).toEqual(['reader']);
    await expect(client.user('none').roles()).rejects.toBeInstanceOf(EtcdUserNotFoundError);
    await expect(user.addRole('none')).rejects.toBeInstanceOf(EtcdRoleNotFoundError);
    const root = await client.user('root').create('root');
    await client.role('root').create();
    await client.role('root').addUser(root);
    expect((await client.getRoles()).map(({ name }) => name)).toEqual(['reader', 'root']);
    expect((await client.getUsers()).map(({ name }) => name)).toEqual(['ann', 'root']);
    await client.put('open/a').value('v');
    await client.auth.authEnable();
    const as = (username: string, password: string) =>
      new Etcd3({ hosts: hosts(), auth: { username, password } });
    const [ann, admin, liar] = [as('ann', 'ann'), as('root', 'root'), as('ann', 'wrong')];
    try {
      expect(await ann.get('open/a').string()).toBe('v');
      await ann.put('mine').value('v');
      await expect(ann.put('open/a').value('x')).rejects.toBeInstanceOf(EtcdPermissionDeniedError);
      await expect(liar.get('open/a').string()).rejects.toBeInstanceOf(
        EtcdAuthenticationFailedError,
      );
      await admin.user('ann').setPassword('new');
      const again = as('ann', 'new');
      expect(await again.get('mine').string()).toBe('v');
      again.close();
      await admin.user('ann').removeRole('reader');
      await admin.role('reader').delete();
      await admin.user('ann').delete();
    } finally {
      await admin.auth.authDisable();
      for (const each of [ann, admin, liar]) each.close();
    }
    expect(await client.get('open/a').string()).toBe('v');
  });
});
