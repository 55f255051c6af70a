/**
 * A plan is a whole run written down: configuration, faults and what each client does when. It is plain JSON, so that a
 * failure can be kept, replayed, edited and made smaller.
 *
 * What always holds: the same plan gives the same run. The seed in it decides only what a plan does not spell out
 * (delays, tie-breaks, identifiers).
 */

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
  | { readonly do: 'list'; readonly limit: number; readonly back: number; readonly stale: boolean }
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
    }
  /** Goes over to another member. */
  | { readonly do: 'move'; readonly member: number }
);

/** Who is hit: a member's number, or whoever leads at that moment. */
export type Target = number | 'leader';

/** Something that goes wrong for a time. */
export type PlannedFault = { readonly atMs: number; readonly forMs: number } &
  /** Members of different groups do not hear one another; clients keep their member. */
  (
    | { readonly kind: 'partition'; readonly groups: readonly (readonly number[])[] }
    /** What the target sends is lost (`mute`), or what is sent to it (`deaf`). */
    | { readonly kind: 'oneWay'; readonly target: Target; readonly deaf: boolean }
    | { readonly kind: 'isolate'; readonly target: Target }
    /** Each member hears only its two neighbours. */
    | { readonly kind: 'ring' }
    /** Everything to and from the targets is held back, one after the other, and let go in another order. */
    | { readonly kind: 'clog'; readonly targets: readonly number[] }
    | { readonly kind: 'slow'; readonly target: Target; readonly extraMs: number }
    | { readonly kind: 'lossy'; readonly target: Target; readonly chance: number }
    /** The client's connection to its member is cut. */
    | { readonly kind: 'cutClient'; readonly client: number }
    /** Ends the process at once; unsynced writes stay in the system's cache. Restarts after `forMs`. */
    | { readonly kind: 'kill'; readonly target: Target }
    /** Ends process and machine: unsynced writes are lost, in pieces. Restarts after `forMs`. */
    | { readonly kind: 'powerLoss'; readonly targets: readonly number[] }
    /** Ends the machine in the middle of the n-th disk operation from then on. */
    | { readonly kind: 'crashAtDisk'; readonly target: Target; readonly operations: number }
    | { readonly kind: 'stop'; readonly target: Target }
    | { readonly kind: 'pause'; readonly target: Target }
    | { readonly kind: 'syncStall'; readonly target: Target }
    /** The next sync fails; the member stops, and is restarted at the end. */
    | { readonly kind: 'syncError'; readonly target: Target }
    | { readonly kind: 'diskFull'; readonly target: Target }
    /** While the member is down a sector of its log goes bad; when it says so, it is replaced. One member at a time. */
    | { readonly kind: 'bitRot'; readonly target: number }
    | { readonly kind: 'drift'; readonly target: Target; readonly ppm: number }
    | { readonly kind: 'wallStep'; readonly target: Target; readonly stepMs: number }
    | { readonly kind: 'freezeClock'; readonly target: Target }
    | { readonly kind: 'lateTimers'; readonly target: Target; readonly meanMs: number }
    | { readonly kind: 'transfer'; readonly target: number }
    | { readonly kind: 'defragment'; readonly target: Target }
    /** The member loses its disk for good: it is removed from the cluster, and joins it anew, empty. */
    | { readonly kind: 'replace'; readonly target: number; readonly asLearner: boolean }
    /** A further member joins, and is removed again at the end. */
    | { readonly kind: 'grow'; readonly asLearner: boolean }
  );

/** Every kind of fault. */
export const FAULT_KINDS = [
  'partition',
  'oneWay',
  'isolate',
  'ring',
  'clog',
  'slow',
  'lossy',
  'cutClient',
  'kill',
  'powerLoss',
  'crashAtDisk',
  'stop',
  'pause',
  'syncStall',
  'syncError',
  'diskFull',
  'bitRot',
  'drift',
  'wallStep',
  'freezeClock',
  'lateTimers',
  'transfer',
  'defragment',
  'replace',
  'grow',
] as readonly PlannedFault['kind'][];

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
