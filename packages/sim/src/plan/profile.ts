/** What kinds of runs there are to draw from: sizes, weights and rates. */
import type { PlannedStep } from './plan.ts';
import type { PlannedFault } from './planned-fault.ts';

/** How runs of one profile are drawn. */
export interface Profile {
  readonly name: string;
  readonly about: string;
  /** Numbers of members to choose from, each as likely as the others. */
  readonly members: readonly number[];
  readonly safetyMs: readonly [number, number];
  /** Operations a second over all clients. */
  readonly operationsPerSecond: readonly [number, number];
  readonly clients: readonly [number, number];
  readonly keys: readonly [number, number];
  /** Weight of each kind of step; absent: never. A run leaves out about half of those below `always`. */
  readonly steps: Readonly<Partial<Record<PlannedStep['do'], number>>>;
  /** Weight of each kind of fault; absent: never. A run leaves out about half of them. */
  readonly faults: Readonly<Partial<Record<PlannedFault['kind'], number>>>;
  /** Mean time between two faults. */
  readonly faultGapMs: readonly [number, number];
  /** Chance of each knob to be shrunk. */
  readonly shrunkKnobChance: number;
  readonly datagramChance: number;
  /** Chance that what is left of leases is noted in the log, and often; absent: never. */
  readonly leaseCheckpointChance?: number;
  /** Chance that tenants are given rights by halves; absent: never. */
  readonly halfRightsChance?: number;
  /** Now and then all clients act at once, without rest. */
  readonly bursts: boolean;
}

const KEY_VALUE_STEPS: Profile['steps'] = {
  get: 20,
  list: 8,
  put: 25,
  delete: 5,
  deleteAll: 1,
  swap: 15,
  append: 8,
  txn: 8,
  readTxn: 5,

  moveMoney: 4,
  audit: 3,
  add: 4,
  readSet: 3,
  appendAll: 5,
  informer: 1,
  reconcile: 5,
  library: 6,
  cancel: 2,

  compact: 2,
  move: 1,
};

const ALL_FAULTS: Profile['faults'] = {
  partition: 8,
  oneWay: 5,
  isolate: 6,
  ring: 2,
  bridge: 2,
  clog: 3,
  slow: 4,
  tail: 2,
  lossy: 4,
  narrow: 2,
  cutClient: 4,
  reset: 4,

  kill: 6,
  powerLoss: 6,
  crashAtDisk: 4,
  crashAt: 8,
  crashLoop: 2,
  stop: 3,
  pause: 5,
  staleLeader: 3,

  syncStall: 4,
  syncError: 2,
  readError: 2,
  diskFull: 2,
  shortReads: 2,
  damage: 3,
  lyingSync: 2,
  oldDisk: 2,
  lostDatabase: 2,
  foreignDisk: 1,

  drift: 3,
  wallStep: 2,
  strobe: 1,
  freezeClock: 2,
  lateTimers: 3,

  transfer: 3,
  defragment: 2,
  hashCheck: 2,
  backup: 2,
  alarm: 1,
  auth: 1,
  replace: 2,
  grow: 2,
};

const DEFAULT_PROFILE: Profile = {
  name: 'default',
  about: 'everything together: all workloads, all faults, one to five members',
  members: [1, 3, 3, 3, 5],
  safetyMs: [5_000, 20_000],
  operationsPerSecond: [10, 60],
  clients: [2, 8],
  keys: [2, 8],
  steps: {
    ...KEY_VALUE_STEPS,
    watch: 4,
    progress: 2,
    stall: 2,
    grant: 3,
    keepAlive: 6,
    keepOther: 1,
    revoke: 1,
    timeToLive: 2,
    lock: 2,
    elect: 2,
    tenant: 4,
    tenantWatch: 1,
  },
  faults: ALL_FAULTS,
  faultGapMs: [1_000, 6_000],
  shrunkKnobChance: 0.25,
  datagramChance: 0.15,
  bursts: true,
};

/** What speed is measured with. */
const BUSY_PROFILE: Profile = {
  ...DEFAULT_PROFILE,
  name: 'busy',
  about: 'three members under steady load without faults, for measuring speed',
  members: [3],
  safetyMs: [30_000, 30_000],
  operationsPerSecond: [200, 200],
  clients: [10, 10],
  keys: [10, 10],
  steps: { get: 40, put: 45, list: 5, swap: 10 },
  faults: {},
  shrunkKnobChance: 0,
  datagramChance: 0,
  bursts: false,
};

/** Every profile, by name. */
export const PROFILES: Readonly<Record<string, Profile>> = Object.fromEntries(
  (
    [
      DEFAULT_PROFILE,
      {
        ...DEFAULT_PROFILE,
        name: 'calm',
        about: 'no faults at all: what must hold on a quiet day',
        faults: {},
        shrunkKnobChance: 0,
        datagramChance: 0,
      },
      {
        ...DEFAULT_PROFILE,
        name: 'network',
        about: 'a network at its worst, three and five members',
        members: [3, 5],
        faults: {
          partition: 8,
          oneWay: 5,
          isolate: 6,
          ring: 2,
          bridge: 2,
          clog: 3,
          slow: 4,
          tail: 3,
          lossy: 4,

          cutClient: 4,
          reset: 4,
          staleLeader: 6,
          transfer: 3,
        },
        datagramChance: 0.5,
        faultGapMs: [500, 3_000],
      },
      {
        ...DEFAULT_PROFILE,
        name: 'crash',
        about: 'members die and come back all the time, disks fail',
        faults: {
          kill: 6,
          powerLoss: 8,
          crashAtDisk: 6,
          crashAt: 16,
          crashLoop: 3,
          stop: 3,
          pause: 3,
          isolate: 3,

          syncStall: 4,
          syncError: 4,
          readError: 3,
          diskFull: 3,
          shortReads: 3,
          damage: 5,
          lyingSync: 3,
          oldDisk: 3,
          lostDatabase: 3,
          foreignDisk: 1,
        },
        faultGapMs: [300, 2_500],
      },
      {
        ...DEFAULT_PROFILE,
        name: 'watch',
        about: 'many watches, compactions, slow clients',
        steps: { ...KEY_VALUE_STEPS, watch: 15, progress: 8, stall: 4, compact: 5, txn: 15 },
      },
      {
        ...DEFAULT_PROFILE,
        name: 'lease',
        about: 'leases and locks, and clocks that cannot be trusted',
        leaseCheckpointChance: 0.75,
        steps: {
          get: 8,
          put: 20,
          list: 4,
          grant: 8,
          keepAlive: 20,
          revoke: 3,
          timeToLive: 5,

          lock: 8,
          elect: 6,
          keepOther: 4,
          watch: 2,
          move: 2,
        },
        faults: {
          isolate: 6,
          partition: 4,
          kill: 6,
          powerLoss: 4,
          pause: 6,
          oneWay: 3,
          staleLeader: 4,

          drift: 6,
          wallStep: 4,
          strobe: 2,
          freezeClock: 4,
          lateTimers: 6,
          transfer: 4,
        },
        safetyMs: [15_000, 40_000],
      },
      {
        ...DEFAULT_PROFILE,
        name: 'checkpoints',
        about:
          'what is left of leases is noted all the time, and leaders that go by it come and go',
        members: [3, 5],
        leaseCheckpointChance: 1,
        steps: { put: 10, get: 10, grant: 1, keepAlive: 8, timeToLive: 15, keepOther: 1, move: 1 },
        faults: {
          isolate: 4,
          slow: 4,
          narrow: 2,
          kill: 3,
          pause: 2,
          syncStall: 3,
          staleLeader: 2,
          transfer: 12,
        },
        faultGapMs: [500, 2_500],
        safetyMs: [10_000, 20_000],
      },
      {
        ...DEFAULT_PROFILE,
        name: 'members',
        about: 'members are replaced, added and removed while things fail',
        members: [1, 3, 3, 5],
        faults: {
          replace: 10,
          grow: 10,
          transfer: 3,
          kill: 5,
          powerLoss: 3,
          partition: 5,
          isolate: 3,
          pause: 2,
        },
        faultGapMs: [1_000, 4_000],
        safetyMs: [10_000, 30_000],
      },
      {
        ...DEFAULT_PROFILE,
        name: 'auth',
        about: 'users whose rights, passwords and tokens change under them',
        halfRightsChance: 0.5,
        steps: {
          tenant: 40,
          tenantWatch: 8,
          get: 4,
          put: 4,
          swap: 4,
          list: 4,
          watch: 2,
          compact: 2,
          move: 3,
        },
        faults: {
          auth: 14,
          isolate: 4,
          partition: 4,
          slow: 3,
          kill: 4,
          powerLoss: 3,
          pause: 3,
          staleLeader: 4,
          transfer: 3,
          replace: 1,
        },
        safetyMs: [10_000, 20_000],
      },
      {
        ...DEFAULT_PROFILE,
        name: 'edges',
        about: 'small limits and crashes at every point: rare paths are common',
        members: [3],
        safetyMs: [8_000, 14_000],
        operationsPerSecond: [30, 60],
        steps: { ...DEFAULT_PROFILE.steps, compact: 8, watch: 8, grant: 12, keepAlive: 8 },
        faults: {
          crashAt: 20,
          isolate: 5,
          powerLoss: 5,
          staleLeader: 3,
          transfer: 6,
          damage: 3,
          lyingSync: 4,
          oldDisk: 4,
          lostDatabase: 2,
          foreignDisk: 2,
          replace: 2,
          grow: 1,
          alarm: 1,
          auth: 1,
          backup: 1,
        },
        faultGapMs: [200, 900],
        shrunkKnobChance: 0.8,
      },
      {
        ...DEFAULT_PROFILE,
        name: 'rebuilds',
        about: 'databases are lost all the time, and members get their state from the others again',
        members: [3],
        operationsPerSecond: [30, 90],
        steps: { put: 20, get: 10, swap: 10, compact: 1, watch: 1, move: 1 },
        faults: {
          lostDatabase: 30,
          oldDisk: 4,
          foreignDisk: 2,
          damage: 2,

          kill: 2,
          powerLoss: 4,
          crashAt: 4,
          pause: 5,
          isolate: 4,
          lossy: 4,
          slow: 4,
          syncStall: 4,
          transfer: 3,
        },
        faultGapMs: [200, 1_000],
        safetyMs: [8_000, 16_000],
        shrunkKnobChance: 0.9,
        datagramChance: 0.25,
      },
      BUSY_PROFILE,
      {
        ...BUSY_PROFILE,
        name: 'light',
        about: 'as busy, with hardly anything to do',
        operationsPerSecond: [15, 15],
        clients: [3, 3],
      },
    ] satisfies Profile[]
  ).map((profile) => [profile.name, profile]),
);
