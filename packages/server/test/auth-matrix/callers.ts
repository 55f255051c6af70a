/** The six kinds of caller, and the world that they meet: users, roles, keys and leases, with authentication on. */
import { utf8 } from '@etcd-ts/base';
import {
  AuthRoleGrantPermissionRequest,
  AuthUserAddRequest,
  type Channel,
  type Handlers,
  LeaseGrantRequest,
  type MethodName,
  PutRequest,
  RPC_TABLE,
} from '@etcd-ts/protocol';

/** Who calls. `certificate` shows a client certificate of user `able`, and no token. */
export const CALLERS = ['nobody', 'liar', 'weak', 'able', 'certificate', 'root'] as const;
export type CallerName = (typeof CALLERS)[number];

const READWRITE = 2;

/** Lease under whose keys everybody with a right to [a, b) may work, one for each caller. */
export function openLease(caller: CallerName): bigint {
  return BigInt(1_000 + CALLERS.indexOf(caller));
}

/** Lease with a key that only root may touch. */
export const CLOSED_LEASE = 2_000n;

/** Makes the world, and logs in. `able` has all rights to [a, b), `weak` to nothing. */
export async function prepare(channel: Channel): Promise<ReadonlyMap<CallerName, string>> {
  const addUser = (name: string) =>
    channel.unary(
      'etcdserverpb.Auth/UserAdd',
      AuthUserAddRequest.fromPartial({ name, password: name }),
    );
  for (const name of ['root', 'weak', 'able']) await addUser(name);
  for (const caller of CALLERS) await addUser(`of-${caller}`);
  await channel.unary('etcdserverpb.Auth/RoleAdd', { name: 'r' });
  for (const caller of CALLERS) {
    await channel.unary('etcdserverpb.Auth/RoleAdd', { name: `role-of-${caller}` });
  }
  const perm = { permType: READWRITE, key: utf8('a'), rangeEnd: utf8('b') };
  await channel.unary(
    'etcdserverpb.Auth/RoleGrantPermission',
    AuthRoleGrantPermissionRequest.fromPartial({ name: 'r', perm }),
  );
  await channel.unary('etcdserverpb.Auth/UserGrantRole', { user: 'able', role: 'r' });
  await channel.unary('etcdserverpb.Auth/UserGrantRole', { user: 'root', role: 'root' });
  for (const caller of CALLERS) {
    await lease(channel, openLease(caller), `a-leased-${caller}`);
  }
  await lease(channel, CLOSED_LEASE, 'z-leased');
  await channel.unary('etcdserverpb.Auth/AuthEnable', {});
  const tokens = new Map<CallerName, string>([['liar', 'made.1']]);
  for (const name of ['weak', 'able', 'root'] as const) {
    const request = { name, password: name };
    const { token } = await channel.unary('etcdserverpb.Auth/Authenticate', request);
    tokens.set(name, token);
  }
  return tokens;
}

async function lease(channel: Channel, ID: bigint, key: string): Promise<void> {
  await channel.unary(
    'etcdserverpb.Lease/LeaseGrant',
    LeaseGrantRequest.fromPartial({ ID, TTL: 600 }),
  );
  await channel.unary('etcdserverpb.KV/Put', PutRequest.fromPartial({ key: utf8(key), lease: ID }));
}

/** The same handlers, behind a door that has verified a certificate with this common name. */
export function withCertificate(handlers: Handlers, certificateCommonName: string): Handlers {
  const entries = Object.entries(handlers) as [MethodName, (...args: unknown[]) => unknown][];
  return Object.fromEntries(
    entries.map(([method, handler]) => [
      method,
      (
        request: unknown,
        context: { signal: AbortSignal; metadata: unknown },
        ...more: unknown[]
      ) => {
        const peer = { via: 'grpc', address: '127.0.0.1:1', certificateCommonName };
        const { signal, metadata } = context;
        return handler(request, { signal, metadata, peer }, ...more);
      },
    ]),
  );
}

/**
 * One call, whatever its kind, as one line: `ok`, the code and text of the error, the reason in the stream, or `ended`
 * for a stream that ends with OK and has said nothing.
 */
export async function outcome(
  channel: Channel,
  method: MethodName,
  partial: object,
  token: string | undefined,
): Promise<string> {
  const request = RPC_TABLE[method].request.fromPartial(partial as never);
  const metadata = new Map(token === undefined ? [] : [['token', token]]);
  const options = { metadata, timeoutMs: 5_000 };
  try {
    if (RPC_TABLE[method].kind === 'unary') {
      await channel.unary(method as never, request as never, options);
      return 'ok';
    }
    const call = channel.stream(method as never, options);
    call.send(request as never);
    call.end();
    for await (const response of call.responses as AsyncIterable<{ cancelReason?: string }>) {
      return response.cancelReason === undefined || response.cancelReason === ''
        ? 'ok'
        : response.cancelReason;
    }
    return 'ended';
  } catch (error) {
    const { status, message } = error as { status: number; message: string };
    return `${status} ${message}`;
  }
}
