/** Services with authentication on, and users who call them. */
import { utf8 } from '@etcd-ts/base';
import {
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  type CallOptions,
  PutRequest,
  RangeRequest,
  type RequestOf,
  TxnRequest,
  type UnaryMethodName,
} from '@etcd-ts/protocol';
import type { ServerLimits } from '../../src/limits.ts';
import type { ServiceParts } from '../../src/services/services.ts';
import { type Harness, harness } from './harness.ts';

/** Types of permissions. */
export const READ = 0;
export const WRITE = 1;
export const READWRITE = 2;
export const FROM_KEY = new Uint8Array([0]);
export const SINGLE = new Uint8Array(0);

/** Calls as one user. */
export class User {
  readonly options: CallOptions;
  readonly #h: Harness;

  constructor(h: Harness, token: string | undefined) {
    this.#h = h;
    this.options = token === undefined ? {} : { metadata: new Map([['token', token]]) };
  }

  call<Method extends UnaryMethodName>(method: Method, request: RequestOf<Method>) {
    return this.#h.channel.unary(method, request, this.options);
  }

  put(key: string, more: Parameters<typeof PutRequest.fromPartial>[0] = {}) {
    return this.call('etcdserverpb.KV/Put', PutRequest.fromPartial({ key: utf8(key), ...more }));
  }

  range(key: string, rangeEnd: Uint8Array = SINGLE) {
    return this.call(
      'etcdserverpb.KV/Range',
      RangeRequest.fromPartial({ key: utf8(key), rangeEnd }),
    );
  }

  txn(request: Parameters<typeof TxnRequest.fromPartial>[0]) {
    return this.call('etcdserverpb.KV/Txn', TxnRequest.fromPartial(request));
  }
}

/** A harness with authentication on. */
export interface AuthHarness extends Harness {
  readonly root: User;
  readonly nobody: User;
  readonly login: (name: string, password?: string) => Promise<User>;
}

/** Auth is on; `alice` may do with `permissions` what they say, through role `r`. */
export async function secured(
  permissions: readonly (readonly [type: number, key: string, rangeEnd: Uint8Array])[],
  parts: Partial<ServiceParts> = {},
  limits: Partial<ServerLimits> = {},
): Promise<AuthHarness> {
  const h = await harness(limits, parts);
  const nobody = new User(h, undefined);
  for (const name of ['root', 'alice']) {
    await nobody.call(
      'etcdserverpb.Auth/UserAdd',
      AuthUserAddRequest.fromPartial({ name, password: name }),
    );
  }
  await nobody.call('etcdserverpb.Auth/UserGrantRole', { user: 'root', role: 'root' });
  await nobody.call('etcdserverpb.Auth/RoleAdd', { name: 'r' });
  for (const [permType, key, rangeEnd] of permissions) {
    const perm = { permType, key: utf8(key), rangeEnd };
    await nobody.call(
      'etcdserverpb.Auth/RoleGrantPermission',
      AuthRoleGrantPermissionRequest.fromPartial({ name: 'r', perm }),
    );
  }
  await nobody.call('etcdserverpb.Auth/UserGrantRole', { user: 'alice', role: 'r' });
  await nobody.call('etcdserverpb.Auth/AuthEnable', {});
  const login = async (name: string, password = name): Promise<User> => {
    const { token } = await nobody.call('etcdserverpb.Auth/Authenticate', { name, password });
    return new User(h, token);
  };
  return { ...h, nobody, login, root: await login('root') };
}
