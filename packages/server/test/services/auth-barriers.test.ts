/** Reads at a member that lags behind a change of users and roles: the read's own barrier brings it. */
import { utf8 } from '@etcd-ts/base';
import { Compare, LeaseTimeToLiveRequest, RangeRequest } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import type { AuthCommand } from '../../src/apply/auth-command.ts';
import { THE_MEMBER } from '../../src/apply/command.ts';
import { ROOT } from '../../src/auth/auth-state.ts';
import { failure, op } from './harness.ts';
import { READ, secured, SINGLE } from './secured.ts';

/** `lag` lets the next barrier bring a change that was made at another member. */
async function lagging() {
  const h = await secured([[READ, 'a', SINGLE]]);
  const { node } = h;
  const lag = (change: AuthCommand): void => {
    node.beforeBarrier = () => {
      node.beforeBarrier = () => Promise.resolve();
      node.apply({ kind: 'auth', change, caller: THE_MEMBER });
      return Promise.resolve();
    };
  };
  return { ...h, lag, alice: await h.login('alice') };
}

describe('whoever still may', () => {
  test('reads keys', async () => {
    const { alice, lag } = await lagging();
    lag({ op: 'addRole', role: 'one' });
    expect((await alice.range('a')).count).toBe(0);
    lag({ op: 'addRole', role: 'two' });
    const compare = [Compare.fromPartial({ key: utf8('a') })];
    const { responses } = await alice.txn({ compare, success: [op.range('a')] });
    expect(responses).toHaveLength(1);
  });

  test('reads keys in a stream', async () => {
    const { alice, channel, lag } = await lagging();
    lag({ op: 'addRole', role: 'one' });
    const stream = channel.stream('etcdserverpb.KV/RangeStream', alice.options);
    stream.send(RangeRequest.fromPartial({ key: utf8('a') }));
    stream.end();
    let heard = 0;
    for await (const _ of stream.responses) heard += 1;
    expect(heard).toBeGreaterThan(0);
  });

  test('looks at leases', async () => {
    const { alice, lag } = await lagging();
    lag({ op: 'addRole', role: 'one' });
    const look = LeaseTimeToLiveRequest.fromPartial({ ID: 7n });
    expect((await alice.call('etcdserverpb.Lease/LeaseTimeToLive', look)).TTL).toBe(-1);
  });
});

describe('whoever may no longer', () => {
  test('is refused the keys', async () => {
    const { alice, lag } = await lagging();
    lag({ op: 'revokeRole', user: 'alice', role: 'r' });
    expect(await failure(alice.range('a'))).toBe('PERMISSION_DENIED');
  });

  test('is refused everything with a token that is void', async () => {
    const { alice, lag } = await lagging();
    lag({ op: 'changePassword', user: 'alice', passwordHash: utf8('hash of new') });
    expect(await failure(alice.range('a'))).toBe('INVALID_AUTH_TOKEN');
  });

  test.each(['UserList', 'RoleList', 'AuthStatus'] as const)('is refused %s', async (method) => {
    const { alice, lag, root } = await lagging();
    await root.call('etcdserverpb.Auth/UserGrantRole', { user: 'alice', role: ROOT });
    lag({ op: 'revokeRole', user: 'alice', role: ROOT });
    expect(await failure(alice.call(`etcdserverpb.Auth/${method}`, {}))).toBe('PERMISSION_DENIED');
  });
});
