/**
 * Users with rights to some of the keys, who log in and keep their tokens: also longer than they count, and those of the
 * others' doing have changed meanwhile.
 */
import { EtcdError } from '@etcd-ts/protocol';
import { PASSWORDS, tenantName } from '../cluster/tenants.ts';
import type { Operation, OperationOutcome } from '../history/operation.ts';
import type { PlannedStep } from '../plan/plan.ts';
import { type Known, requestOf } from './requests.ts';
import type { SimClient } from './sim-client.ts';

/** What a tenant does. */
export type TenantCall = 'get' | 'list' | 'put' | 'delete' | 'swap' | 'txn';

/** Why a token is thrown away. */
export const VOID: ReadonlySet<string> = new Set([
  'INVALID_AUTH_TOKEN',
  'AUTH_OLD_REVISION',
  'USER_EMPTY',
]);

/** One client's tokens. */
export class Tokens {
  readonly #current = new Map<string, string>();
  /** Those that were thrown away, too: somebody goes on using them. */
  readonly #all = new Map<string, string[]>();

  /** The token in use, or the oldest one that there ever was. */
  of(user: string, isOld: boolean): string | undefined {
    return isOld ? this.#all.get(user)?.[0] : this.#current.get(user);
  }

  keep(user: string, token: string): void {
    this.#current.set(user, token);
    this.#all.set(user, [...(this.#all.get(user) ?? []), token]);
  }

  drop(user: string): void {
    this.#current.delete(user);
  }
}

/** Does something in a tenant's name, logging in first where that is needed. */
export async function tenantStep(
  client: SimClient,
  step: PlannedStep & { do: 'tenant' },
  known: Known,
): Promise<OperationOutcome | undefined> {
  const caller = await callerFor(client, step);
  const { atMs, key } = step;
  const asked = requestOf(known, plainStep(step.what, atMs, key));
  if (asked === undefined || caller === undefined) return undefined;
  const outcome = await client.call(asked, undefined, caller);
  if (outcome.kind === 'failed' && VOID.has(outcome.code) && !step.stale) {
    client.tokens.drop(caller.user);
  }
  return outcome;
}

/** A tenant with a token of his, logging in where he has none; undefined: he has none and gets none. */
export async function callerFor(
  client: SimClient,
  step: { readonly user: number; readonly stale: boolean },
): Promise<Operation['caller']> {
  const user = tenantName(step.user);
  const token = client.tokens.of(user, step.stale) ?? (await logIn(client, user));
  return token === undefined ? undefined : { user, token };
}

function plainStep(what: TenantCall, atMs: number, key: number): Parameters<typeof requestOf>[1] {
  switch (what) {
    case 'get':
      return { atMs, do: 'get', key, stale: false };
    case 'list':
      return { atMs, do: 'list', limit: 0, back: 0, stale: false };
    case 'put':
      return { atMs, do: 'put', key, leased: false };
    case 'delete':
      return { atMs, do: 'delete', key };
    case 'swap':
      return { atMs, do: 'swap', key };
    case 'txn':
      return { atMs, do: 'txn', keys: [key], nested: key % 2 === 0 };
  }
}

/** A token; undefined while nobody needs one, or when the user may not come in. */
async function logIn(client: SimClient, name: string): Promise<string | undefined> {
  const { connection, plan } = client.parts;
  for (const password of PASSWORDS) {
    try {
      const request = { name, password };
      const options = { timeoutMs: plan.timeoutMs };
      const { token } = await connection().channel.unary(
        'etcdserverpb.Auth/Authenticate',
        request,
        options,
      );
      client.tokens.keep(name, token);
      return token;
    } catch (error) {
      if (!EtcdError.is(error)) throw error;
      if (error.code !== 'AUTH_FAILED') return undefined;
    }
  }
  return undefined;
}
