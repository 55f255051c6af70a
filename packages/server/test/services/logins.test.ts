/** Logins while users and roles change: between the comparison of the password and the entry that makes the token. */
import { utf8 } from '@etcd-ts/base';
import { EtcdError } from '@etcd-ts/protocol';
import { expect, test } from 'vitest';
import type { AuthCommand } from '../../src/apply/auth-command.ts';
import { THE_MEMBER } from '../../src/apply/command.ts';
import type { PasswordHasher } from '../../src/auth/password-hasher.ts';
import type { SignedTokens, TokenClaims } from '../../src/auth/token-provider.ts';
import { failure } from './harness.ts';
import { type AuthHarness, READ, secured, SINGLE } from './secured.ts';
import { SURROUNDINGS } from './surroundings.ts';

/** Lets a change come through before the entry of the next login. */
function overtake({ node }: AuthHarness, change: AuthCommand): void {
  node.beforeApply = (command) => {
    if (command.kind !== 'auth' || command.change.op !== 'authenticate') return Promise.resolve();
    node.beforeApply = () => Promise.resolve();
    node.apply({ kind: 'auth', change, caller: THE_MEMBER });
    return Promise.resolve();
  };
}

test('a password that was changed before the entry came through is wrong', async () => {
  const h = await secured([]);
  overtake(h, { op: 'changePassword', user: 'alice', passwordHash: utf8('hash of new') });
  expect(await failure(h.login('alice'))).toBe('AUTH_FAILED');
});

test('a user that was deleted before the entry came through is told no more than one that never was', async () => {
  const h = await secured([]);
  overtake(h, { op: 'deleteUser', user: 'alice' });
  expect(await failure(h.login('alice'))).toBe('AUTH_FAILED');
});

/** What waits between the comparison and what follows from it. */
function hasherWith(afterwards: () => void): PasswordHasher {
  const quick = SURROUNDINGS.hasher as PasswordHasher;
  return {
    ...quick,
    matches: async (...given) => {
      const doesMatch = await quick.matches(...given);
      afterwards();
      return doesMatch;
    },
  };
}

test('a signed token is good, though roles changed while the password was compared', async () => {
  const signed: SignedTokens = {
    issue: (claims) => Promise.resolve(JSON.stringify(claims)),
    verify: (token) => Promise.resolve(JSON.parse(token) as TokenClaims),
  };
  let afterwards = (): void => undefined;
  const hasher = hasherWith(() => afterwards());
  const h = await secured([[READ, 'a', SINGLE]], { hasher, signedTokens: signed });
  afterwards = () => {
    afterwards = () => undefined;
    h.node.apply({ kind: 'auth', change: { op: 'addRole', role: 'new' }, caller: THE_MEMBER });
  };
  const alice = await h.login('alice');
  expect((await alice.range('a')).count).toBe(0);
});

test('nothing is proposed for whoever has left while the password was compared', async () => {
  const leaving = new AbortController();
  let afterwards = (): void => undefined;
  const h = await secured([], { hasher: hasherWith(() => afterwards()) });
  afterwards = () => leaving.abort(new EtcdError('CANCELED'));
  const before = h.node.proposed.length;
  const login = h.services.handlers['etcdserverpb.Auth/Authenticate'];
  const peer = { via: 'in-process', address: '' } as const;
  const context = { signal: leaving.signal, metadata: new Map<string, string>(), peer };
  expect(await failure(login!({ name: 'alice', password: 'alice' }, context))).toBe('CANCELED');
  expect(h.node.proposed).toHaveLength(before);
});
