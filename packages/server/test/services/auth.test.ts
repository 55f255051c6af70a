import { fromUtf8, utf8 } from '@etcd-ts/base';
import { flushStore, memoryBackend } from '@etcd-ts/mvcc';
import {
  AuthUserAddRequest,
  AuthUserChangePasswordRequest,
  Compare,
  DeleteRangeRequest,
  EtcdError,
  LeaseGrantRequest,
  LeaseTimeToLiveRequest,
  RangeRequest,
  type RequestOf,
  type RequestOp,
  type UnaryMethodName,
  WatchCreateRequest,
} from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { ReplicatedState } from '../../src/apply/replicated-state.ts';
import type { PasswordHasher } from '../../src/auth/password-hasher.ts';
import { failure, harness, op } from './harness.ts';
import {
  type AuthHarness,
  FROM_KEY,
  READ,
  READWRITE,
  secured,
  SINGLE,
  User,
  WRITE,
} from './secured.ts';
import { SURROUNDINGS } from './surroundings.ts';

describe('logging in', () => {
  test('gives a token of sixteen letters and the index of its entry', async () => {
    const { nobody, node } = await secured([]);
    const { token } = await nobody.call('etcdserverpb.Auth/Authenticate', {
      name: 'root',
      password: 'root',
    });
    expect(token).toMatch(new RegExp(`^[A-Za-z]{16}\\.${node.state.appliedIndex}$`));
  });

  test('fails for a wrong password and an unknown user alike, and while auth is off', async () => {
    const { login, root, nobody } = await secured([]);
    expect(await failure(login('alice', 'wrong'))).toBe('AUTH_FAILED');
    expect(await failure(login('nobody'))).toBe('AUTH_FAILED');
    await root.call('etcdserverpb.Auth/AuthDisable', {});
    const late = nobody.call('etcdserverpb.Auth/Authenticate', { name: 'root', password: 'root' });
    expect(await failure(late)).toBe('AUTH_NOT_ENABLED');
  });

  test('goes by the password as it is in the end, however often users change meanwhile', async () => {
    const quick = SURROUNDINGS.hasher as PasswordHasher;
    let meanwhile: () => Promise<unknown> = () => Promise.resolve();
    const hasher: PasswordHasher = {
      ...quick,
      matches: async (...given) => {
        const doesMatch = await quick.matches(...given);
        await meanwhile();
        return doesMatch;
      },
    };
    const { root, login } = await secured([], { hasher });
    let compared = 0;
    meanwhile = async () => {
      compared += 1;
      if (compared < 8) await root.call('etcdserverpb.Auth/RoleAdd', { name: `r${compared}` });
      const change = AuthUserChangePasswordRequest.fromPartial({ name: 'alice', password: 'new' });
      if (compared === 8) await root.call('etcdserverpb.Auth/UserChangePassword', change);
    };
    expect(await failure(login('alice', 'alice'))).toBe('AUTH_FAILED');
    expect(compared).toBe(9);
    const alice = await login('alice', 'new');
    expect(await failure(alice.range('k'))).toBe('PERMISSION_DENIED');
  });

  test('a user without a password cannot log in with one', async () => {
    const { root, login } = await secured([]);
    const request = AuthUserAddRequest.fromPartial({ name: 'cert', options: { noPassword: true } });
    await root.call('etcdserverpb.Auth/UserAdd', request);
    expect(await failure(login('cert', ''))).toBe('NO_PASSWORD_USER');
  });

  test('needs user root in role root before auth can be switched on', async () => {
    const h = await harness();
    const nobody = new User(h, undefined);
    expect(await failure(nobody.call('etcdserverpb.Auth/AuthEnable', {}))).toBe(
      'ROOT_USER_NOT_EXIST',
    );
    await nobody.call(
      'etcdserverpb.Auth/UserAdd',
      AuthUserAddRequest.fromPartial({ name: 'root', password: 'x' }),
    );
    expect(await failure(nobody.call('etcdserverpb.Auth/AuthEnable', {}))).toBe(
      'ROOT_ROLE_NOT_EXIST',
    );
  });

  test('no password is in any entry', async () => {
    const { node } = await secured([]);
    const entries = node.proposed.filter(({ kind }) => kind === 'auth');
    const text = JSON.stringify(entries, (_, value: unknown) =>
      value instanceof Uint8Array ? fromUtf8(value) : value,
    );
    expect(text).not.toContain('"password"');
    expect(text).toContain('hash of alice');
  });
});

describe('tokens', () => {
  test('without one the user name is empty, a bad one is invalid', async () => {
    const h = await secured([]);
    expect(await failure(h.nobody.range('a'))).toBe('USER_EMPTY');
    expect(await failure(h.nobody.put('a'))).toBe('USER_EMPTY');
    expect(await failure(new User(h, 'made up.7').range('a'))).toBe('INVALID_AUTH_TOKEN');
  });

  test('may come as authorization, with or without Bearer', async () => {
    const h = await secured([]);
    const token = h.root.options.metadata?.get('token');
    for (const value of [token, `Bearer ${token}`]) {
      const metadata = new Map([['authorization', value ?? '']]);
      const request = RangeRequest.fromPartial({ key: utf8('a') });
      expect((await h.channel.unary('etcdserverpb.KV/Range', request, { metadata })).count).toBe(0);
    }
  });

  test('follow the permissions of their user at once', async () => {
    const { login, root } = await secured([[READWRITE, 'a', SINGLE]]);
    const alice = await login('alice');
    await alice.put('a');
    await root.call('etcdserverpb.Auth/RoleRevokePermission', {
      role: 'r',
      key: utf8('a'),
      rangeEnd: SINGLE,
    });
    expect(await failure(alice.put('a'))).toBe('PERMISSION_DENIED');
  });

  test('keep a permission that is taken back with another range than it was given', async () => {
    const { login, root } = await secured([[READWRITE, 'a', SINGLE]]);
    const alice = await login('alice');
    const revoke = (role: string, rangeEnd: Uint8Array): Promise<unknown> =>
      root.call('etcdserverpb.Auth/RoleRevokePermission', { role, key: utf8('a'), rangeEnd });
    expect(await failure(revoke('r', FROM_KEY))).toBe('PERMISSION_NOT_GRANTED');
    expect(await failure(revoke('nope', SINGLE))).toBe('ROLE_NOT_FOUND');
    await alice.put('a');
  });

  test('die with their user, and with the switch', async () => {
    const { login, root, nobody } = await secured([]);
    const alice = await login('alice');
    await root.call('etcdserverpb.Auth/UserDelete', { name: 'alice' });
    expect(await failure(alice.range('a'))).toBe('INVALID_AUTH_TOKEN');
    await root.call('etcdserverpb.Auth/AuthDisable', {});
    expect((await root.range('a')).count).toBe(0);
    await nobody.call('etcdserverpb.Auth/AuthEnable', {});
    expect(await failure(root.range('a'))).toBe('INVALID_AUTH_TOKEN');
  });

  test('live as long as the option says, from their last use on', async () => {
    const h = await secured([[READ, 'a', SINGLE]], { simpleTokenTtlMs: 1_000 });
    const alice = await h.login('alice');
    for (let uses = 0; uses < 3; uses++) {
      await h.node.time.advance(900);
      await alice.range('a');
    }
    await h.node.time.advance(1_001);
    expect(await failure(alice.range('a'))).toBe('INVALID_AUTH_TOKEN');
  });

  test('die with the password, and when they were not used for long', async () => {
    const { login, root, node } = await secured([[READWRITE, 'a', SINGLE]]);
    const change = AuthUserChangePasswordRequest.fromPartial({ name: 'alice', password: 'new' });
    const first = await login('alice');
    await root.call('etcdserverpb.Auth/UserChangePassword', change);
    expect(await failure(first.range('a'))).toBe('INVALID_AUTH_TOKEN');
    const second = await login('alice', 'new');
    await node.time.advance(299_000);
    await second.range('a');
    await root.range('a');
    await node.time.advance(299_000);
    await second.range('a');
    await root.range('a');
    await node.time.advance(301_000);
    expect(await failure(second.range('a'))).toBe('INVALID_AUTH_TOKEN');
  });
});

describe('keys', () => {
  test('are read and written by whoever has the right, and nobody else', async () => {
    const { login } = await secured([
      [READ, 'r', SINGLE],
      [WRITE, 'w', SINGLE],
    ]);
    const alice = await login('alice');
    expect((await alice.range('r')).count).toBe(0);
    expect((await alice.put('w')).header?.revision).toBe(2);
    expect(await failure(alice.put('r'))).toBe('PERMISSION_DENIED');
    expect(await failure(alice.range('w'))).toBe('PERMISSION_DENIED');
    expect(await failure(alice.put('w', { prevKv: true }))).toBe('PERMISSION_DENIED');
  });

  test('permissions that touch are one: [a,c) and [c,e) give [a,e)', async () => {
    const { login } = await secured([
      [READ, 'a', utf8('c')],
      [READ, 'c', utf8('e')],
    ]);
    const alice = await login('alice');
    expect((await alice.range('a', utf8('e'))).count).toBe(0);
    expect(await failure(alice.range('a', utf8('f')))).toBe('PERMISSION_DENIED');
    expect(await failure(alice.range('a', FROM_KEY))).toBe('PERMISSION_DENIED');
  });

  test('a txn needs the right to every compare and to both branches, at every depth', async () => {
    const { login } = await secured([[READWRITE, 'a', SINGLE]]);
    const alice = await login('alice');
    const nested = (one: RequestOp): RequestOp => op.txn({ failure: [one] });
    const forbidden: Parameters<User['txn']>[0][] = [
      { compare: [Compare.fromPartial({ key: utf8('b') })] },
      { failure: [op.put('b')] },
      { success: [nested(op.range('b'))] },
      { success: [nested(op.put('b'))] },
      { success: [nested(op.del('a', { rangeEnd: utf8('c') }))] },
      { success: [op.range('a'), op.range('b')] },
    ];
    for (const request of forbidden) {
      expect(await failure(alice.txn(request))).toBe('PERMISSION_DENIED');
    }
    expect((await alice.txn({ success: [nested(op.put('a'))] })).succeeded).toBe(true);
  });

  test('a put with prev_kv in a txn needs the right to read', async () => {
    const { login } = await secured([[WRITE, 'a', SINGLE]]);
    const alice = await login('alice');
    const success = [op.put('a', '', { prevKv: true })];
    expect(await failure(alice.txn({ success }))).toBe('PERMISSION_DENIED');
  });

  test('all leases are listed to whoever may read every key on them, and the keys are judged in turns', async () => {
    const { root, login, node } = await secured([[READ, 'a', utf8('b')]]);
    const alice = await login('alice');
    const grant = LeaseGrantRequest.fromPartial({ ID: 7n, TTL: 60 });
    await root.call('etcdserverpb.Lease/LeaseGrant', grant);
    for (let i = 0; i < 2_000; i++) node.state.lessor.attach(7n, `a${i}`);
    let turns = 0;
    const soon = node.clock.soon.bind(node.clock);
    node.clock.soon = (callback) => {
      turns += 1;
      soon(callback);
    };
    const list = (user: User) => user.call('etcdserverpb.Lease/LeaseLeases', {});
    expect((await list(root)).leases).toEqual([{ ID: 7n }]);
    const turnsOfRoot = turns;
    expect((await list(alice)).leases).toEqual([{ ID: 7n }]);
    expect(turns - turnsOfRoot).toBeGreaterThan(0);
    expect(turnsOfRoot).toBe(0);
    node.state.lessor.attach(7n, 'b');
    expect(await failure(list(alice))).toBe('PERMISSION_DENIED');
    expect((await list(root)).leases).toEqual([{ ID: 7n }]);
  });

  test('a put under a lease needs the right to write every key on it, in a txn too', async () => {
    const { login, root } = await secured([[READWRITE, 'a', SINGLE]]);
    const alice = await login('alice');
    await alice.call(
      'etcdserverpb.Lease/LeaseGrant',
      LeaseGrantRequest.fromPartial({ ID: 7n, TTL: 60 }),
    );
    await alice.put('a', { lease: 7n });
    await root.put('b', { lease: 7n });
    expect(await failure(alice.put('a', { lease: 7n }))).toBe('PERMISSION_DENIED');
    expect(await failure(alice.txn({ success: [op.put('a', '', { lease: 7n })] }))).toBe(
      'PERMISSION_DENIED',
    );
    const revoke = alice.call('etcdserverpb.Lease/LeaseRevoke', { ID: 7n });
    expect(await failure(revoke)).toBe('PERMISSION_DENIED');
    const look = LeaseTimeToLiveRequest.fromPartial({ ID: 7n, keys: true });
    expect(await failure(alice.call('etcdserverpb.Lease/LeaseTimeToLive', look))).toBe(
      'PERMISSION_DENIED',
    );
    await root.call('etcdserverpb.Lease/LeaseRevoke', { ID: 7n });
  });

  test('a delete with prev_kv needs the right to read as well', async () => {
    const { login } = await secured([[WRITE, 'a', SINGLE]]);
    const alice = await login('alice');
    const request = (prevKv: boolean) => DeleteRangeRequest.fromPartial({ key: utf8('a'), prevKv });
    expect((await alice.call('etcdserverpb.KV/DeleteRange', request(false))).deleted).toBe(0);
    expect(await failure(alice.call('etcdserverpb.KV/DeleteRange', request(true)))).toBe(
      'PERMISSION_DENIED',
    );
  });
});

describe('watches', () => {
  async function watchReason(h: AuthHarness, user: User, rangeEnd: Uint8Array, key = 'a') {
    const call = h.channel.stream('etcdserverpb.Watch/Watch', user.options);
    const value = WatchCreateRequest.fromPartial({ key: utf8(key), rangeEnd });
    call.send({ requestUnion: { $case: 'createRequest', value } });
    for await (const { cancelReason, canceled, watchId } of call.responses) {
      return { cancelReason, canceled, watchId };
    }
    throw new Error('the stream ended');
  }

  test('are refused in the stream, with the text of the whole gRPC error', async () => {
    const h = await secured([[READ, 'b', SINGLE]]);
    const alice = await h.login('alice');
    expect(await watchReason(h, alice, SINGLE)).toEqual({
      cancelReason: 'rpc error: code = PermissionDenied desc = etcdserver: permission denied',
      canceled: true,
      watchId: -1n,
    });
    expect(await watchReason(h, h.nobody, SINGLE)).toMatchObject({
      cancelReason: 'rpc error: code = InvalidArgument desc = etcdserver: user name is empty',
    });
    expect(await watchReason(h, new User(h, 'made up.7'), SINGLE)).toMatchObject({
      cancelReason: 'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token',
    });
  });

  test('go on when the right that they began with is taken away: it is looked at once', async () => {
    const h = await secured([[READWRITE, 'a', SINGLE]]);
    const alice = await h.login('alice');
    const call = h.channel.stream('etcdserverpb.Watch/Watch', alice.options);
    const responses = call.responses[Symbol.asyncIterator]();
    const value = WatchCreateRequest.fromPartial({ key: utf8('a') });
    call.send({ requestUnion: { $case: 'createRequest', value } });
    expect((await responses.next()).value).toMatchObject({ created: true, canceled: false });
    const right = { role: 'r', key: utf8('a'), rangeEnd: SINGLE };
    await h.root.call('etcdserverpb.Auth/RoleRevokePermission', right);
    expect(await failure(alice.range('a'))).toBe('PERMISSION_DENIED');
    await h.root.put('a');
    expect((await responses.next()).value).toMatchObject({ watchId: 0n, events: [{ type: 0 }] });
    expect(await watchReason(h, alice, SINGLE)).toMatchObject({ canceled: true });
  });

  test('of everything from a key on need more than the right to that key', async () => {
    const h = await secured([[READ, 'a', SINGLE]]);
    const alice = await h.login('alice');
    expect(await watchReason(h, alice, SINGLE)).toMatchObject({ canceled: false });
    expect(await watchReason(h, alice, FROM_KEY)).toMatchObject({ canceled: true });
  });

  test('of no key need the right to that of one zero byte, which is what they watch', async () => {
    const h = await secured([[READ, '\0', SINGLE]]);
    const alice = await h.login('alice');
    expect(await watchReason(h, alice, SINGLE, '')).toMatchObject({ canceled: false });
    expect(await watchReason(h, alice, FROM_KEY, '')).toMatchObject({ canceled: true });
  });
});

describe('who may call what', () => {
  const ROOT_ONLY: [UnaryMethodName, RequestOf<UnaryMethodName>][] = [
    ['etcdserverpb.KV/Compact', { revision: 1, physical: false }],
    ['etcdserverpb.Cluster/MemberAdd', { peerURLs: ['http://127.0.0.1:1'], isLearner: false }],
    ['etcdserverpb.Maintenance/HashKV', { revision: 0 }],
    ['etcdserverpb.Maintenance/Hash', {}],
    ['etcdserverpb.Maintenance/Defragment', {}],
    ['etcdserverpb.Maintenance/MoveLeader', { targetID: 1n }],
    ['etcdserverpb.Maintenance/Alarm', { action: 1, memberID: 7n, alarm: 1 }],
    ['etcdserverpb.Auth/UserList', {}],
    ['etcdserverpb.Auth/RoleList', {}],
    ['etcdserverpb.Auth/AuthDisable', {}],
    ['etcdserverpb.Auth/RoleAdd', { name: 'x' }],
    ['etcdserverpb.Auth/UserDelete', { name: 'alice' }],
  ];

  test.each(ROOT_ONLY)('%s is for root alone', async (method, request) => {
    const { login, nobody } = await secured([[READWRITE, 'a', FROM_KEY]]);
    const alice = await login('alice');
    expect(await failure(alice.call(method, request))).toBe('PERMISSION_DENIED');
    expect(await failure(nobody.call(method, request))).toBe('USER_EMPTY');
  });

  test('members, status and alarms are shown to any user, and to nobody else', async () => {
    const { login, nobody } = await secured([]);
    const alice = await login('alice');
    const looks: [UnaryMethodName, RequestOf<UnaryMethodName>][] = [
      ['etcdserverpb.Cluster/MemberList', { linearizable: false }],
      ['etcdserverpb.Maintenance/Status', {}],
      ['etcdserverpb.Maintenance/Alarm', { action: 0, memberID: 0n, alarm: 0 }],
    ];
    for (const [method, request] of looks) {
      await alice.call(method, request);
      expect(await failure(nobody.call(method, request))).toBe('USER_EMPTY');
    }
  });

  test('users see themselves and their own roles', async () => {
    const { login } = await secured([[READ, 'a', SINGLE]]);
    const alice = await login('alice');
    expect((await alice.call('etcdserverpb.Auth/UserGet', { name: 'alice' })).roles).toEqual(['r']);
    expect((await alice.call('etcdserverpb.Auth/RoleGet', { role: 'r' })).perm).toHaveLength(1);
    const others = [
      alice.call('etcdserverpb.Auth/UserGet', { name: 'root' }),
      alice.call('etcdserverpb.Auth/RoleGet', { role: 'root' }),
    ];
    for (const call of others) expect(await failure(call)).toBe('PERMISSION_DENIED');
  });

  test('the lock service asks in the caller’s name', async () => {
    const { login, root } = await secured([[READWRITE, 'mine/', utf8('mine0')]]);
    const alice = await login('alice');
    await root.call(
      'etcdserverpb.Lease/LeaseGrant',
      LeaseGrantRequest.fromPartial({ ID: 7n, TTL: 60 }),
    );
    const lock = (name: string) =>
      alice.call('v3lockpb.Lock/Lock', { name: utf8(name), lease: 7n });
    expect(fromUtf8((await lock('mine')).key)).toBe('mine/7');
    const refused = await lock('yours').catch((error: unknown) => EtcdError.from(error));
    expect(refused).toMatchObject({ status: 2, message: 'etcdserver: permission denied' });
  });
});

test('users, roles and the switch survive a restart; tokens do not', async () => {
  const { node } = await secured([[READWRITE, 'a', utf8('\xff')]]);
  const backend = memoryBackend();
  const state = await ReplicatedState.open(backend);
  for (const command of node.proposed) {
    state.apply({ index: state.appliedIndex + 1, term: 2, command });
  }
  expect(state.stateHash()).toBe(node.state.stateHash());
  await flushStore(state.store);
  const again = await ReplicatedState.open(backend);
  expect(again.auth.enabled).toBe(true);
  expect(again.auth.users()).toEqual(state.auth.users());
  expect(again.auth.roles()).toEqual(state.auth.roles());
  expect(again.stateHash()).toBe(state.stateHash());
});
