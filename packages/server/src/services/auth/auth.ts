/**
 * The Auth service (etcd server/etcdserver/api/v3rpc/auth.go, server/auth/store.go).
 *
 * What always holds: no password reaches the log, only its hash; and no hash is computed for a caller who may not set
 * it.
 */
import { fromLatin1, toLatin1 } from '@etcd-ts/base';
import { type CallContext, EtcdError, type Handlers, type ResponseHeader } from '@etcd-ts/protocol';
import type { AuthCommand } from '../../apply/auth-command.ts';
import type { PasswordHasher } from '../../auth/password-hasher.ts';
import { simpleTokenPrefix } from '../../auth/simple-tokens.ts';
import type { Random } from '../../clock.ts';
import type { NodePort } from '../../node-port.ts';
import { headerNow } from '../header.ts';
import { expectKind } from '../kv.ts';
import { demand, type Identity } from './identity.ts';

/** No password fits it: what is left of a password that was changed to nothing. */
const UNUSABLE_HASH = new Uint8Array(0);

/** What the service needs beside its node. */
export interface AuthParts {
  readonly node: NodePort;
  readonly identity: Identity;
  readonly hasher: PasswordHasher | undefined;
  readonly random: Random;
}

/** The handlers of etcdserverpb.Auth. */
export function authHandlers(parts: AuthParts): Handlers {
  return { ...switchHandlers(parts), ...userHandlers(parts), ...roleHandlers(parts) };
}

type Change = (
  change: AuthCommand,
  context: CallContext,
) => Promise<{
  header: ResponseHeader;
}>;

/** Waits for all changes of before the call; whoever was an administrator until one of them learns nothing. */
function forRoot({ node, identity }: AuthParts): (context: CallContext) => Promise<void> {
  return async (context) => {
    await node.readBarrier();
    await identity.demandOf(context, (caller) => caller.root());
  };
}

/** Proposes a change in the caller's name; judged when it is applied. */
function changer({ node, identity }: AuthParts): Change {
  return async (change, context) => {
    const caller = await identity.callerOf(context);
    await node.propose({ kind: 'auth', change, ...(caller === undefined ? {} : { caller }) });
    return { header: headerNow(node) };
  };
}

function switchHandlers(parts: AuthParts): Handlers {
  const { node } = parts;
  const change = changer(parts);
  const allowed = forRoot(parts);
  return {
    'etcdserverpb.Auth/AuthEnable': (_, context) => change({ op: 'enable' }, context),
    'etcdserverpb.Auth/AuthDisable': (_, context) => change({ op: 'disable' }, context),
    'etcdserverpb.Auth/AuthStatus': async (_, context) => {
      await allowed(context);
      const { enabled, revision } = node.state.auth;
      return { header: headerNow(node), enabled, authRevision: revision };
    },
    'etcdserverpb.Auth/Authenticate': async ({ name, password }, { signal }) => {
      const token = await authenticate(parts, { name, password }, signal);
      return { header: headerNow(node), token };
    },
  };
}

function userHandlers(parts: AuthParts): Handlers {
  const { node, identity } = parts;
  const change = changer(parts);
  const allowed = forRoot(parts);
  const hashOf = async (password: string): Promise<Uint8Array> =>
    fromLatin1(await hasherOf(parts).hash(password));
  return {
    'etcdserverpb.Auth/UserAdd': async ({ name, password, options }, context) => {
      const noPassword = options?.noPassword ?? false;
      const passwordHash = noPassword ? UNUSABLE_HASH : await hashOf(password);
      return change({ op: 'addUser', user: name, passwordHash, noPassword }, context);
    },
    'etcdserverpb.Auth/UserGet': async ({ name }, context) => {
      await node.readBarrier();
      if (identity.isRequired) {
        const caller = await identity.callerOf(context);
        // Nobody asking for nobody is let through by etcd, and finds nobody.
        if ((caller?.username ?? '') !== name) demand(identity.authoriser(caller).root());
      }
      const user = node.state.auth.user(name);
      if (user === undefined) throw new EtcdError('USER_NOT_FOUND');
      return { header: headerNow(node), roles: [...user.roles] };
    },
    'etcdserverpb.Auth/UserList': async (_, context) => {
      await allowed(context);
      return { header: headerNow(node), users: node.state.auth.users().map(({ name }) => name) };
    },
    'etcdserverpb.Auth/UserDelete': ({ name }, context) =>
      change({ op: 'deleteUser', user: name }, context),
    'etcdserverpb.Auth/UserChangePassword': async ({ name, password }, context) => {
      const passwordHash = password === '' ? UNUSABLE_HASH : await hashOf(password);
      return change({ op: 'changePassword', user: name, passwordHash }, context);
    },
    'etcdserverpb.Auth/UserGrantRole': ({ user, role }, context) =>
      change({ op: 'grantRole', user, role }, context),
    'etcdserverpb.Auth/UserRevokeRole': ({ name, role }, context) =>
      change({ op: 'revokeRole', user: name, role }, context),
  };
}

function roleHandlers(parts: AuthParts): Handlers {
  const { node, identity } = parts;
  const change = changer(parts);
  const allowed = forRoot(parts);
  return {
    'etcdserverpb.Auth/RoleAdd': ({ name }, context) =>
      change({ op: 'addRole', role: name }, context),
    'etcdserverpb.Auth/RoleGet': async ({ role: name }, context) => {
      await node.readBarrier();
      const { auth } = node.state;
      if (identity.isRequired) {
        const caller = await identity.callerOf(context);
        const holds = auth.user(caller?.username ?? '')?.roles.includes(name) ?? false;
        if (!holds) demand(identity.authoriser(caller).root());
      }
      const role = auth.role(name);
      if (role === undefined) throw new EtcdError('ROLE_NOT_FOUND');
      const perm = role.permissions.map((one) => ({ ...one }));
      return { header: headerNow(node), perm };
    },
    'etcdserverpb.Auth/RoleList': async (_, context) => {
      await allowed(context);
      return { header: headerNow(node), roles: node.state.auth.roles().map(({ name }) => name) };
    },
    'etcdserverpb.Auth/RoleDelete': ({ role }, context) =>
      change({ op: 'deleteRole', role }, context),
    'etcdserverpb.Auth/RoleGrantPermission': ({ name, perm }, context) =>
      change({ op: 'grantPermission', role: name, permission: perm }, context),
    'etcdserverpb.Auth/RoleRevokePermission': ({ role, key, rangeEnd }, context) =>
      change({ op: 'revokePermission', role, key, rangeEnd }, context),
  };
}

/** @throws EtcdError UNIMPLEMENTED where the node's surroundings hash no passwords. */
function hasherOf({ hasher }: AuthParts): PasswordHasher {
  if (hasher !== undefined) return hasher;
  throw new EtcdError('UNIMPLEMENTED', { message: 'this member hashes no passwords' });
}

/**
 * Gives a token to whoever knows the password. What was compared must still be the password when the token begins to
 * count, so a login starts anew when users or roles have changed meanwhile, for as long as the caller waits.
 *
 * @throws EtcdError AUTH_NOT_ENABLED, AUTH_FAILED, NO_PASSWORD_USER.
 */
async function authenticate(
  parts: AuthParts,
  { name, password }: { readonly name: string; readonly password: string },
  signal: AbortSignal,
): Promise<string> {
  const { node, identity, random } = parts;
  await node.readBarrier();
  for (;;) {
    const { auth } = node.state;
    if (!auth.enabled) throw new EtcdError('AUTH_NOT_ENABLED');
    const { revision } = auth;
    const user = auth.user(name);
    if (user === undefined) throw new EtcdError('AUTH_FAILED');
    if (user.noPassword) throw new EtcdError('NO_PASSWORD_USER');
    if (!(await hasherOf(parts).matches(password, toLatin1(user.passwordHash)))) {
      throw new EtcdError('AUTH_FAILED');
    }
    if (signal.aborted) throw EtcdError.from(signal.reason);
    const isOutdated = (): boolean => node.state.auth.revision !== revision;
    if (isOutdated()) continue;
    if (identity.signedTokens !== undefined) {
      return identity.signedTokens.issue({ username: name, authRevision: revision });
    }
    const change: AuthCommand = {
      op: 'authenticate',
      user: name,
      prefix: simpleTokenPrefix(random),
    };
    const token = await tokenOf(node, change);
    if (token !== undefined && !isOutdated()) return token;
  }
}

/** Makes a token; undefined when the user is gone since, which is nothing to be told to whoever asks. */
async function tokenOf(node: NodePort, change: AuthCommand): Promise<string | undefined> {
  try {
    return expectKind(await node.propose({ kind: 'auth', change }), 'auth').token;
  } catch (error) {
    if (EtcdError.is(error) && error.code === 'USER_NOT_FOUND') return undefined;
    throw error;
  }
}
