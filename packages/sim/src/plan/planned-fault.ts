/** What can go wrong, written down: each fault with its time, its target and its measure. */
import type { CrashPoint } from '../cluster/crash-points.ts';
import type { Damage } from '../disk/damage.ts';

/** Who is hit: a member's number, or whoever leads at that moment. */
export type Target = number | 'leader';

/** Members of different groups do not hear one another; clients keep their member. */
export type NetworkFault =
  | { readonly kind: 'partition'; readonly groups: readonly (readonly number[])[] }
  /** What the target sends is lost (`mute`), or what is sent to it (`deaf`). */
  | { readonly kind: 'oneWay'; readonly target: Target; readonly deaf: boolean }
  | { readonly kind: 'isolate'; readonly target: Target }
  /** Each member hears only its two neighbours. */
  | { readonly kind: 'ring' }
  /** All hear the target, and nobody else. */
  | { readonly kind: 'bridge'; readonly target: Target }
  /** Everything to and from the targets is held back, one after the other, and let go in another order. */
  | { readonly kind: 'clog'; readonly targets: readonly number[] }
  | { readonly kind: 'slow'; readonly target: Target; readonly extraMs: number }
  /** One message in twenty takes much longer. */
  | { readonly kind: 'tail'; readonly target: Target; readonly meanMs: number }
  | { readonly kind: 'lossy'; readonly target: Target; readonly chance: number }
  /** All links together carry so little that snapshots take long. */
  | { readonly kind: 'narrow'; readonly bytesPerSecond: number }
  /** The client's connection to its member is cut: silence. */
  | { readonly kind: 'cutClient'; readonly client: number }
  /** The client's connections break under whatever it has asked for. */
  | { readonly kind: 'reset'; readonly client: number };

/** Ends or holds up processes. Whoever ended is started again at the fault's end. */
export type ProcessFault =
  /** Ends the process at once; unsynced writes stay in the system's cache. */
  | { readonly kind: 'kill'; readonly target: Target }
  /** Ends process and machine: unsynced writes are lost, in pieces. */
  | { readonly kind: 'powerLoss'; readonly targets: readonly number[] }
  /** Ends the machine in the middle of the n-th disk operation from then on. */
  | { readonly kind: 'crashAtDisk'; readonly target: Target; readonly operations: number }
  /** Ends process or machine at the n-th pass of a point. */
  | {
      readonly kind: 'crashAt';
      readonly target: Target;
      readonly point: CrashPoint;
      readonly passes: number;
      readonly losesPower: boolean;
    }
  /** Every start ends in the middle of its n-th disk operation. */
  | { readonly kind: 'crashLoop'; readonly target: Target; readonly operations: number }
  | { readonly kind: 'stop'; readonly target: Target }
  | { readonly kind: 'pause'; readonly target: Target }
  /** The leader is cut off from the others and its clock stands still, while clients go on asking it. */
  | { readonly kind: 'staleLeader' };

/** What disks do. */
export type DiskFault =
  | { readonly kind: 'syncStall'; readonly target: Target }
  /** The next sync fails; the member stops, and is restarted at the end. */
  | { readonly kind: 'syncError'; readonly target: Target }
  /** The member is restarted, and so many of its reads fail. */
  | { readonly kind: 'readError'; readonly target: Target; readonly reads: number }
  | { readonly kind: 'diskFull'; readonly target: Target }
  /** Reads give fewer bytes than were asked for. */
  | { readonly kind: 'shortReads'; readonly target: Target }
  /** While the member is down its log goes bad; when it says so, it is replaced. One member at a time. */
  | { readonly kind: 'damage'; readonly target: number; readonly what: Damage }
  /** Syncs say that they have ended and do nothing; at the end the power goes, where a clean majority is left. */
  | { readonly kind: 'lyingSync'; readonly target: number }
  /** At the end the machine has its disk of the beginning again, databases and all, where a clean majority is left. */
  | { readonly kind: 'oldDisk'; readonly target: number }
  /** While the member is down its databases are lost; the log stays. */
  | { readonly kind: 'lostDatabase'; readonly target: number }
  /** The member is started with a copy of another one's disk, and must refuse it. */
  | { readonly kind: 'foreignDisk'; readonly target: number; readonly of: number };

/** What clocks do. */
export type ClockFault =
  | { readonly kind: 'drift'; readonly target: Target; readonly ppm: number }
  | { readonly kind: 'wallStep'; readonly target: Target; readonly stepMs: number }
  /** The wall clock jumps forth and back all the time. */
  | { readonly kind: 'strobe'; readonly target: Target; readonly stepMs: number }
  | { readonly kind: 'freezeClock'; readonly target: Target }
  | { readonly kind: 'lateTimers'; readonly target: Target; readonly meanMs: number };

/** What operators do, and membership. */
export type AdminFault =
  | { readonly kind: 'transfer'; readonly target: number }
  | { readonly kind: 'defragment'; readonly target: Target }
  /** All members are asked for the hash of one revision. */
  | { readonly kind: 'hashCheck' }
  /** A snapshot of a member is saved, and restored to a database of its own. */
  | { readonly kind: 'backup'; readonly target: Target }
  /** Writes that need space are refused until the alarm is put out. */
  | { readonly kind: 'alarm'; readonly target: Target }
  /** Authentication is turned on, so that nobody but the operator may do anything, and off again. */
  | { readonly kind: 'auth' }
  /** The member loses its disk for good: it is removed from the cluster, and joins it anew, empty. */
  | { readonly kind: 'replace'; readonly target: Target; readonly asLearner: boolean }
  /** A further member joins, and is removed again at the end; leadership is handed on in between when asked. */
  | { readonly kind: 'grow'; readonly asLearner: boolean; readonly handsOver: boolean };

/** Something that goes wrong for a time. */
export type PlannedFault = { readonly atMs: number; readonly forMs: number } & (
  | NetworkFault
  | ProcessFault
  | DiskFault
  | ClockFault
  | AdminFault
);

/** The kinds of each family. */
export const FAULT_FAMILIES: {
  readonly network: readonly NetworkFault['kind'][];
  readonly process: readonly ProcessFault['kind'][];
  readonly disk: readonly DiskFault['kind'][];
  readonly clock: readonly ClockFault['kind'][];
  readonly admin: readonly AdminFault['kind'][];
} = {
  network: [
    'partition',
    'oneWay',
    'isolate',
    'ring',
    'bridge',
    'clog',
    'slow',
    'tail',
    'lossy',
    'narrow',
    'cutClient',
    'reset',
  ],
  process: [
    'kill',
    'powerLoss',
    'crashAtDisk',
    'crashAt',
    'crashLoop',
    'stop',
    'pause',
    'staleLeader',
  ],
  disk: [
    'syncStall',
    'syncError',
    'readError',
    'diskFull',
    'shortReads',
    'damage',
    'lyingSync',
    'oldDisk',
    'lostDatabase',
    'foreignDisk',
  ],
  clock: ['drift', 'wallStep', 'strobe', 'freezeClock', 'lateTimers'],
  admin: ['transfer', 'defragment', 'hashCheck', 'backup', 'alarm', 'auth', 'replace', 'grow'],
};

/** Every kind of fault. */
export const FAULT_KINDS: readonly PlannedFault['kind'][] = Object.values(FAULT_FAMILIES).flat();

/** Faults that a lone member cannot be hit by, or could never recover from. */
export const NEEDS_PEERS: ReadonlySet<PlannedFault['kind']> = new Set([
  'partition',
  'oneWay',
  'isolate',
  'ring',
  'bridge',
  'tail',
  'staleLeader',
  'clog',
  'slow',
  'lossy',
  'transfer',
  'replace',
  'damage',
  'lyingSync',
  'oldDisk',
  'lostDatabase',
  'foreignDisk',
] as const);
