/**
 * Where a member may be made to end: just before and just after everything that leaves a mark outside its memory.
 *
 * A process that ends in the middle of a turn leaves no more marks in that turn: disk, databases, peers and clients take
 * nothing from a dead process.
 */

/** The points, as they are passed. */
export const CRASH_POINTS = [
  /** The log and its files. */
  'write',
  'written',
  'sync',
  'synced',
  'create',
  'created',
  'rename',
  'renamed',
  'remove',
  'removed',
  'truncate',
  'syncDirectory',
  'directorySynced',
  /** The database. */
  'batch',
  'batched',
  'databaseSync',
  'databaseSynced',
  'databaseOpened',
  'databaseRemoved',
  /** Messages to and from peers, a step's worth at a time; parts of a snapshot on their way. */
  'send',
  'sent',
  'receive',
  'received',
  'snapshotPart',
  /** Entries, one at a time. */
  'apply',
  'applied',
  /** Steps of a compaction. */
  'compact',
  'compacted',
  /** A client's answer. */
  'answer',
  'answered',
] as const;

/** A point at which a member may end. */
export type CrashPoint = (typeof CRASH_POINTS)[number];

/** Called when a process passes a point; it may be dead when it returns. */
export type PassPoint = (point: CrashPoint) => void;

/** A crash that is to come. */
export interface PlannedCrash {
  readonly point: CrashPoint;
  /** Passes of the point before it happens. */
  left: number;
  /** The machine loses its power as well. */
  readonly losesPower: boolean;
}
