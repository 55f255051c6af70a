/** Users, rights and tokens on three members: on each of them, over restarts, and behind a snapshot. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@etcd-ts/base';
import {
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  type CallOptions,
  LeaseGrantRequest,
  LeaseTimeToLiveRequest,
  PutRequest,
  RangeRequest,
  WatchCreateRequest,
} from '@etcd-ts/protocol';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { EtcdNode } from '../../src/etcd-node.ts';
import type { EtcdNodeOptions } from '../../src/options.ts';
import { failure } from '../services/harness.ts';
import { Cluster } from '../support/cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-tokens-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const privateKeyFile = join(folder, 'key.pem');
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
writeFileSync(privateKeyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }));
const JWT = `jwt,sign-method=RS256,priv-key=${privateKeyFile},ttl=10m`;

const NAMES = ['a', 'b', 'c'] as const;
let cluster: Cluster;
afterEach(() => cluster.close());

const as = (token: string): CallOptions => ({ metadata: new Map([['token', token]]) });

async function login(node: EtcdNode, name: string): Promise<string> {
  const request = { name, password: name };
  return (await node.channel().unary('etcdserverpb.Auth/Authenticate', request)).token;
}

function get(node: EtcdNode, key: string, token: string) {
  const request = RangeRequest.fromPartial({ key: utf8(key) });
  return node.channel().unary('etcdserverpb.KV/Range', request, as(token));
}

/** Auth is on; `ann` may do everything with key `mine`. */
async function secured(options: EtcdNodeOptions): Promise<readonly EtcdNode[]> {
  cluster = new Cluster(NAMES, { bcryptCost: 4, ...options });
  const nodes = await cluster.startAll();
  const channel = nodes[0]!.channel();
  for (const name of ['root', 'ann']) {
    await channel.unary(
      'etcdserverpb.Auth/UserAdd',
      AuthUserAddRequest.fromPartial({ name, password: name }),
    );
  }
  await channel.unary('etcdserverpb.Auth/RoleAdd', { name: 'r' });
  const perm = { permType: 2, key: utf8('mine') };
  await channel.unary(
    'etcdserverpb.Auth/RoleGrantPermission',
    AuthRoleGrantPermissionRequest.fromPartial({ name: 'r', perm }),
  );
  await channel.unary('etcdserverpb.Auth/UserGrantRole', { user: 'ann', role: 'r' });
  await channel.unary('etcdserverpb.Auth/UserGrantRole', { user: 'root', role: 'root' });
  await channel.unary('etcdserverpb.Auth/AuthEnable', {});
  await cluster.agreed();
  return nodes;
}

/** Every way of a member: a read, a write, a lease on the leader, keys of the lease. */
async function useEverywhere(nodes: readonly EtcdNode[], token: string): Promise<void> {
  for (const [i, node] of nodes.entries()) {
    const channel = node.channel();
    const options = as(token);
    const ID = BigInt(100 + i);
    await channel.unary(
      'etcdserverpb.Lease/LeaseGrant',
      LeaseGrantRequest.fromPartial({ ID, TTL: 60 }),
      options,
    );
    const put = PutRequest.fromPartial({ key: utf8('mine'), lease: ID });
    await channel.unary('etcdserverpb.KV/Put', put, options);
    const { keys } = await channel.unary(
      'etcdserverpb.Lease/LeaseTimeToLive',
      LeaseTimeToLiveRequest.fromPartial({ ID, keys: true }),
      options,
    );
    expect(keys).toHaveLength(1);
    await channel.unary('etcdserverpb.Lease/LeaseRevoke', { ID }, options);
    expect(await failure(get(node, 'theirs', token))).toBe('PERMISSION_DENIED');
    const foreign = PutRequest.fromPartial({ key: utf8('theirs') });
    expect(await failure(channel.unary('etcdserverpb.KV/Put', foreign, options))).toBe(
      'PERMISSION_DENIED',
    );
  }
}

describe('signed tokens', () => {
  test('are good on every member, also after all have restarted', async () => {
    const nodes = await secured({ authToken: JWT });
    const token = await login(nodes[1]!, 'ann');
    expect(token.split('.')).toHaveLength(3);
    await useEverywhere(nodes, token);
    for (const node of nodes) await node.kill();
    const again = await cluster.startAll();
    await useEverywhere(again, token);
  });

  test('are void after any change of users and roles, on every member and for every call', async () => {
    const nodes = await secured({ authToken: JWT });
    const [ann, root] = [await login(nodes[0]!, 'ann'), await login(nodes[0]!, 'root')];
    await nodes[2]!.channel().unary('etcdserverpb.Auth/RoleAdd', { name: 'other' }, as(root));
    await cluster.agreed();
    for (const node of nodes) {
      expect(await failure(get(node, 'mine', ann))).toBe('AUTH_OLD_REVISION');
      expect(await failure(get(node, 'mine', root))).toBe('AUTH_OLD_REVISION');
      const add = node.channel().unary('etcdserverpb.Auth/RoleAdd', { name: 'more' }, as(root));
      expect(await failure(add)).toBe('AUTH_OLD_REVISION');
      const list = node
        .channel()
        .unary('etcdserverpb.Cluster/MemberList', { linearizable: false }, as(ann));
      expect(await failure(list)).toBe('AUTH_OLD_REVISION');
      const watch = node.channel().stream('etcdserverpb.Watch/Watch', as(ann));
      const value = WatchCreateRequest.fromPartial({ key: utf8('mine') });
      watch.send({ requestUnion: { $case: 'createRequest', value } });
      const first = await watch.responses[Symbol.asyncIterator]().next();
      expect(first.value).toMatchObject({
        canceled: true,
        cancelReason:
          'rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old',
      });
      watch.cancel();
    }
    await get(nodes[1]!, 'mine', await login(nodes[1]!, 'ann'));
  });

  test('of another key, or simple ones, are invalid', async () => {
    const nodes = await secured({ authToken: JWT });
    const [head, claims] = (await login(nodes[0]!, 'ann')).split('.') as [string, string];
    for (const token of [
      `${head}.${claims}.`,
      `${head}.${claims}.AAAA`,
      'AAAAAAAAAAAAAAAA.9',
      '',
    ]) {
      expect(await failure(get(nodes[0]!, 'mine', token))).toBe('INVALID_AUTH_TOKEN');
    }
  });

  test('need keys that can be read: else the member does not start', async () => {
    cluster = new Cluster(['a'], { authToken: 'jwt,sign-method=RS256,priv-key=/not/there' });
    await expect(cluster.start('a')).rejects.toMatchObject({
      code: 'BAD_OPTION',
      message: expect.stringContaining('/not/there'),
    });
  });
});

describe('simple tokens', () => {
  test('are good on every member until it restarts; users and rights stay', async () => {
    const nodes = await secured({});
    const token = await login(nodes[1]!, 'ann');
    await useEverywhere(nodes, token);
    await nodes[2]!.stop();
    const c = await cluster.start('c');
    await c.ready();
    expect(await failure(get(c, 'mine', token))).toBe('INVALID_AUTH_TOKEN');
    await useEverywhere([nodes[0]!, nodes[1]!], token);
    await useEverywhere([c], await login(c, 'ann'));
  });

  test('of before a snapshot are void on the member that got it; its rights are the snapshot’s', async () => {
    const nodes = await secured({ snapshotCount: 5, snapshotCatchUpEntries: 1 });
    const leader = await cluster.leader();
    const behind = nodes.find((node) => node !== leader)!;
    const others = nodes.filter((node) => node !== behind);
    const before = await login(behind, 'ann');
    const root = await login(leader, 'root');
    await get(behind, 'mine', before);
    for (const other of others) cluster.network.cut(other.memberId, behind.memberId);
    const channel = others[0]!.channel();
    const revoke = { role: 'r', key: utf8('mine'), rangeEnd: new Uint8Array(0) };
    await channel.unary('etcdserverpb.Auth/RoleRevokePermission', revoke, as(root));
    for (let i = 0; i < 30; i++) {
      const put = PutRequest.fromPartial({ key: utf8(`k${i}`) });
      await channel.unary('etcdserverpb.KV/Put', put, as(root));
    }
    cluster.network.heal();
    await cluster.agreed();
    expect(await failure(get(behind, 'mine', before))).toBe('INVALID_AUTH_TOKEN');
    expect(await failure(get(behind, 'mine', await login(behind, 'ann')))).toBe(
      'PERMISSION_DENIED',
    );
  });
});
