/** Draws what clients do, step by step. */
import { ACCOUNTS } from '../checkers/bank.ts';
import { TENANTS } from '../cluster/tenants.ts';
import type { LibraryCall } from '../workload/library-client.ts';
import { LIST_SHAPES } from '../workload/requests.ts';
import type { TenantCall } from '../workload/tenant-step.ts';
import type { RandomStream } from '../world/random.ts';
import type { PlannedStep } from './plan.ts';

const TENANT_CALLS: readonly TenantCall[] = [
  'get',
  'get',
  'list',
  'put',
  'put',
  'delete',
  'swap',
  'txn',
];
const LIBRARY_CALLS: readonly LibraryCall[] = ['get', 'put', 'put', 'delete', 'claim'];

/** Steps of applications: a bank, a set, lists, caches, locks and elections, a service with the client library. */
type ApplicationStep = Extract<
  PlannedStep,
  {
    do:
      | 'moveMoney'
      | 'audit'
      | 'add'
      | 'readSet'
      | 'appendAll'
      | 'informer'
      | 'reconcile'
      | 'library'
      | 'tenant'
      | 'tenantWatch'
      | 'lock'
      | 'elect';
  }
>;

const APPLICATION_STEPS: ReadonlySet<string> = new Set<ApplicationStep['do']>([
  'moveMoney',
  'audit',
  'add',
  'readSet',
  'appendAll',
  'informer',
  'reconcile',
  'library',
  'tenant',
  'tenantWatch',
  'lock',
  'elect',
]);

function isOfApplication(kind: PlannedStep['do']): kind is ApplicationStep['do'] {
  return APPLICATION_STEPS.has(kind);
}

/** What a step is drawn for. */
export interface StepFrame {
  readonly atMs: number;
  /** How many data keys there are. */
  readonly keys: number;
  readonly members: number;
}

/** Draws a step of a kind. */
export function drawStep(
  random: RandomStream,
  kind: PlannedStep['do'],
  frame: StepFrame,
): PlannedStep {
  const key = random.below(frame.keys);
  return isOfApplication(kind)
    ? drawApplicationStep(random, kind, frame.atMs, key)
    : drawPlainStep(random, kind, frame, key);
}

function drawPlainStep(
  random: RandomStream,
  kind: Exclude<PlannedStep['do'], ApplicationStep['do']>,
  { atMs, keys, members }: StepFrame,
  key: number,
): PlannedStep {
  switch (kind) {
    case 'get':
      return { atMs, do: kind, key, stale: random.chance(0.2) };
    case 'list': {
      const back = random.chance(0.4) ? random.below(30) : 0;
      const shape = random.chance(0.4) ? random.below(LIST_SHAPES) : 0;
      return { atMs, do: kind, limit: random.below(4), back, stale: random.chance(0.2), shape };
    }
    case 'put':
      return { atMs, do: kind, key, leased: random.chance(0.4) };
    case 'readTxn':
    case 'txn': {
      const count = 1 + random.below(Math.min(4, keys));
      const chosen = random.shuffled(Array.from({ length: keys }, (_, i) => i)).slice(0, count);
      const nested = random.chance(0.3);
      return kind === 'txn'
        ? { atMs, do: kind, keys: chosen, nested }
        : { atMs, do: kind, keys: chosen };
    }
    case 'compact':
      return { atMs, do: kind, back: random.between(-3, 30), physical: random.chance(0.3) };
    case 'grant':
      return { atMs, do: kind, ttlSeconds: random.between(1, 8) };
    case 'watch': {
      const back = random.chance(0.6) ? random.between(-5, 40) : 0;
      const flags = {
        prevKv: random.chance(0.5),
        noPut: random.chance(0.1),
        noDelete: random.chance(0.1),
      };
      return { atMs, do: kind, key: random.chance(0.5) ? -1 : key, back, ...flags };
    }
    case 'keepOther':
      return { atMs, do: kind, client: 1 + random.below(4) };
    case 'stall':
      return { atMs, do: kind, forMs: random.pick([200, 1_000, 4_000]) };
    case 'cancel':
      return { atMs, do: kind, key, afterMs: random.below(20) };
    case 'move':
      return { atMs, do: kind, member: 1 + random.below(members) };
    case 'delete':
    case 'swap':
    case 'append':
      return { atMs, do: kind, key };
    default:
      return { atMs, do: kind };
  }
}

function drawApplicationStep(
  random: RandomStream,
  kind: ApplicationStep['do'],
  atMs: number,
  key: number,
): PlannedStep {
  switch (kind) {
    case 'moveMoney': {
      const from = random.below(ACCOUNTS);
      const to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS;
      return { atMs, do: kind, from, to, amount: 1 + random.below(40) };
    }
    case 'audit':
      return { atMs, do: kind, stale: random.chance(0.3) };
    case 'appendAll': {
      const lists = random.shuffled([0, 1, 2]).slice(0, 1 + random.below(2));
      return { atMs, do: kind, lists };
    }
    case 'library':
      return { atMs, do: kind, what: random.pick(LIBRARY_CALLS), key };
    case 'tenant':
      return {
        atMs,
        do: kind,
        user: random.below(TENANTS),
        what: random.pick(TENANT_CALLS),
        key,
        stale: random.chance(0.2),
      };
    case 'tenantWatch':
      return {
        atMs,
        do: kind,
        user: random.below(TENANTS),
        key,
        span: random.pick([0, 1, 2, 3, 8]),
        back: random.chance(0.4) ? random.between(1, 20) : 0,
        prevKv: random.chance(0.5),
        forMs: random.pick([200, 2_000, 10_000]),
        stale: random.chance(0.2),
      };
    case 'reconcile':
      return { atMs, do: kind, key };
    case 'elect':
    case 'lock':
      return {
        atMs,
        do: kind,
        name: random.below(2),
        writes: random.below(4),
        ttlSeconds: random.between(2, 6),
        served: random.chance(0.4),
      };
    case 'add':
    case 'readSet':
    case 'informer':
      return { atMs, do: kind };
  }
}
