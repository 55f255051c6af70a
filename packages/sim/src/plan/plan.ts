/**
 * A plan is a whole run written down: configuration, faults and what each client does when. It is plain JSON, so that a
 * failure can be kept, replayed, edited and made smaller.
 *
 * What always holds: the same plan gives the same run. The seed in it decides only what a plan does not spell out
 * (delays, tie-breaks, identifiers).
 */

import type { LibraryCall } from '../workload/library-client.ts';
import type { TenantCall } from '../workload/tenant-step.ts';
import type { PlannedFault } from './planned-fault.ts';

/** Version of the format; another one is refused. */
export const PLAN_VERSION = 1;

/** A whole run. Times in milliseconds of virtual time since its beginning. */
export interface Plan {
  readonly version: typeof PLAN_VERSION;
  readonly seed: number;
  /** The profile that it was drawn from; a label. */
  readonly profile: string;
  /** Members at the beginning, 1 to 7; numbered from 1. */
  readonly members: number;
  readonly knobs: Knobs;
  readonly network: PlannedNetwork;
  readonly disk: PlannedDisk;
  readonly clients: readonly PlannedClient[];
  readonly faults: readonly PlannedFault[];
  /** Tenants are given the right to read alone, too, and that to write alone. Absent: both at once. */
  readonly halfRights?: boolean;
  /** The safety phase: faults may be on. After it everything is healed and the liveness phase begins. */
  readonly safetyMs: number;
  /** Longest liveness phase: by its end every member has caught up and answers. */
  readonly livenessMs: number;
}

/** Settings of every member, shrunk now and then to make rare paths common. */
export interface Knobs {
  readonly heartbeatIntervalMs: number;
  readonly electionTimeoutMs: number;
  readonly preVote: boolean;
  readonly snapshotCount: number;
  readonly snapshotCatchUpEntries: number;
  readonly backendBatchIntervalMs: number;
  readonly backendBatchEntries: number;
  readonly maxTxnOps: number;
  /** Absent: what is left of leases is not noted. */
  readonly leaseCheckpoint?: boolean;
  readonly leaseCheckpointIntervalMs?: number;
  /** Absent: the server's own. */
  readonly walSegmentBytes?: number;
  readonly maxWals?: number;
}

/** The network between faults. */
export interface PlannedNetwork {
  readonly mode: 'stream' | 'datagram';
  readonly minDelayUs: number;
  readonly meanExtraDelayUs: number;
  readonly lossChance: number;
  readonly duplicateChance: number;
  readonly replayChance: number;
}

/** The disks between faults. */
export interface PlannedDisk {
  readonly meanSyncUs: number;
  readonly meanReadUs: number;
}

/** One client: what it does, one thing after another, none before its time. */
export interface PlannedClient {
  /** Unique; part of the values that it writes. */
  readonly id: number;
  /** The member that it is connected to first. */
  readonly member: number;
  readonly timeoutMs: number;
  readonly steps: readonly PlannedStep[];
}

/** What a client does at a time. Keys are small numbers; values are made unique at the run. */
export type PlannedStep = { readonly atMs: number } & (
  | { readonly do: 'get'; readonly key: number; readonly stale: boolean }
  | {
      readonly do: 'list';
      readonly limit: number;
      readonly back: number;
      readonly stale: boolean;
      /** Filters, orders, keys or count alone; absent or 0: plain. */
      readonly shape?: number;
    }
  | { readonly do: 'put'; readonly key: number; readonly leased: boolean }
  | { readonly do: 'delete'; readonly key: number }
  | { readonly do: 'deleteAll' }
  /** Compare-and-swap against the last revision seen of the key. */
  | { readonly do: 'swap'; readonly key: number }
  /** Appends to a list held in the key, by compare-and-swap. */
  | { readonly do: 'append'; readonly key: number }
  /** Writes several keys in one transaction, nested when asked. */
  | { readonly do: 'txn'; readonly keys: readonly number[]; readonly nested: boolean }
  /** Reads several keys in one transaction. */
  | { readonly do: 'readTxn'; readonly keys: readonly number[] }
  /** Compacts so many revisions behind the newest seen; negative: into the future. */
  | { readonly do: 'compact'; readonly back: number; readonly physical: boolean }
  | { readonly do: 'grant'; readonly ttlSeconds: number }
  | { readonly do: 'keepAlive' }
  | { readonly do: 'revoke' }
  | { readonly do: 'timeToLive' }
  /** Opens a watch; key −1: all keys. `back`: start so many revisions behind the newest seen; 0: from now on. */
  | {
      readonly do: 'watch';
      readonly key: number;
      readonly back: number;
      readonly prevKv: boolean;
      readonly noPut: boolean;
      readonly noDelete: boolean;
    }
  | { readonly do: 'progress' }
  /** Takes the lock, makes so many fenced writes, lets it go. */
  | {
      readonly do: 'lock';
      readonly name: number;
      readonly writes: number;
      readonly ttlSeconds: number;
      /** By the service v3lock; absent: by the recipe. */
      readonly served?: boolean;
    }
  /** Stands for election; once elected proclaims so many values, and resigns. */
  | {
      readonly do: 'elect';
      readonly name: number;
      readonly writes: number;
      readonly ttlSeconds: number;
      /** By the service v3election; absent: by the recipe. */
      readonly served?: boolean;
    }
  /** Keeps the first lease of another client alive. */
  | { readonly do: 'keepOther'; readonly client: number }
  /** Moves money between two accounts of a bank. */
  | {
      readonly do: 'moveMoney';
      readonly from: number;
      readonly to: number;
      readonly amount: number;
    }
  /** Looks at all accounts. */
  | { readonly do: 'audit'; readonly stale: boolean }
  /** Adds an element of its own to a set, and asks until it knows that it is there. */
  | { readonly do: 'add' }
  | { readonly do: 'readSet' }
  /** Appends an item to each of these lists, in one transaction. */
  | { readonly do: 'appendAll'; readonly lists: readonly number[] }
  /** Keeps a cache of all keys from now on, by list and watch. */
  | { readonly do: 'informer' }
  /** Writes a key over what the cache shows of it. */
  | { readonly do: 'reconcile'; readonly key: number }
  /** Asks for a write and gives it up so much later. */
  | { readonly do: 'cancel'; readonly key: number; readonly afterMs: number }
  /** Reads nothing of its watches for so long. */
  | { readonly do: 'stall'; readonly forMs: number }
  /** Goes through the client library, with its retries. */
  | { readonly do: 'library'; readonly what: LibraryCall; readonly key: number }
  /** In the name of a user with rights to some of the keys; `stale`: with the first token that he ever had. */
  | {
      readonly do: 'tenant';
      readonly user: number;
      readonly what: TenantCall;
      readonly key: number;
      readonly stale: boolean;
    }
  /**
   * Watches in the name of such a user, for so long: `span` keys from the key on, 0: all from it on; from so many
   * revisions behind the newest seen, 0: from now on.
   */
  | {
      readonly do: 'tenantWatch';
      readonly user: number;
      readonly key: number;
      readonly span: number;
      readonly back: number;
      readonly prevKv: boolean;
      readonly forMs: number;
      readonly stale: boolean;
    }
  /** Goes over to another member. */
  | { readonly do: 'move'; readonly member: number }
);

/** The plan as text. */
export function formatPlan(plan: Plan): string {
  return `${JSON.stringify(plan, undefined, 1)}\n`;
}

/**
 * Reads a plan.
 *
 * @throws Error when the text is no plan of this version.
 */
export function parsePlan(text: string): Plan {
  const value = JSON.parse(text) as Partial<Plan> | null;
  if (value?.version !== PLAN_VERSION) {
    throw new Error(
      `plan version is ${String(value?.version)}, this program reads ${PLAN_VERSION}`,
    );
  }
  const lists = [value.clients, value.faults];
  const numbers = [value.seed, value.members, value.safetyMs, value.livenessMs];
  if (!lists.every(Array.isArray) || !numbers.every(Number.isSafeInteger)) {
    throw new Error('the plan lacks clients, faults, seed, members or times');
  }
  return value as Plan;
}
