/** How much history stays, and how fast the rest is dropped. */
import { readDurationMs } from '../go-values.ts';
import { StartError } from '../start-error.ts';
import { MAX_TIMER_MS } from '@etcd-ts/protocol';
import { type Range, resolveNumbers } from './numbers.ts';

/** Compaction. */
export interface CompactionOptions {
  /**
   * `periodic`: keep the history of a time; `revision`: keep so many revisions. Done by the leader.
   * etcd --auto-compaction-mode. @defaultValue 'periodic'
   */
  readonly autoCompactionMode?: string;
  /**
   * How much: `30m`, a bare number of hours, or a number of revisions; `0`: everything.
   * etcd --auto-compaction-retention. @defaultValue '0'
   */
  readonly autoCompactionRetention?: string;
  /** Revisions dropped between two pauses. etcd --compaction-batch-limit. @defaultValue 1000 */
  readonly compactionBatchLimit?: number;
  /** The pause; it is spread over smaller steps. etcd --compaction-sleep-interval. @defaultValue 10 */
  readonly compactionSleepIntervalMs?: number;
}

/** What is kept. */
export type Retention =
  | { readonly mode: 'periodic'; readonly periodMs: number }
  | { readonly mode: 'revision'; readonly revisions: number };

/** {@link CompactionOptions}, complete. */
export interface ResolvedCompactionOptions extends Required<CompactionOptions> {
  /** What `autoCompactionRetention` means; undefined: everything is kept. */
  readonly retention: Retention | undefined;
}

const NUMBERS = {
  compactionBatchLimit: [1_000, 0, Number.MAX_VALUE],
  compactionSleepIntervalMs: [10, 0, MAX_TIMER_MS],
} as const satisfies Record<string, Range>;

/** Completes and checks. @throws StartError BAD_OPTION in etcd's words. */
export function resolveCompaction(given: CompactionOptions): ResolvedCompactionOptions {
  const mode = given.autoCompactionMode ?? 'periodic';
  const text = given.autoCompactionRetention ?? '0';
  if (mode === '') throw new StartError('BAD_OPTION', 'undefined auto-compaction-mode');
  if (mode !== 'periodic' && mode !== 'revision') {
    throw new StartError('BAD_OPTION', `unknown auto-compaction-mode "${mode}"`);
  }
  return {
    autoCompactionMode: mode,
    autoCompactionRetention: text,
    retention: retentionOf(mode, text),
    ...resolveNumbers(given, NUMBERS, ['compactionBatchLimit', 'compactionSleepIntervalMs']),
  };
}

const HOUR_MS = 3_600_000;
const NANOSECONDS_PER_MS = 1e6;

/** A number counts hours or revisions; etcd takes a duration for a number of revisions, too: its nanoseconds. */
function retentionOf(mode: Retention['mode'], text: string): Retention | undefined {
  const isPeriodic = mode === 'periodic';
  const amount = /^\d+$/.test(text)
    ? Number(text) * (isPeriodic ? HOUR_MS : 1)
    : durationMs(text) * (isPeriodic ? 1 : NANOSECONDS_PER_MS);
  if (amount === 0) return undefined;
  return isPeriodic ? { mode, periodMs: amount } : { mode: 'revision', revisions: amount };
}

function durationMs(text: string): number {
  const reading = readDurationMs(text);
  if ('value' in reading && reading.value >= 0) return reading.value;
  const why = text === '' ? 'invalid duration ""' : `invalid duration "${text}"`;
  throw new StartError('BAD_OPTION', `error parsing CompactionRetention: time: ${why}`);
}
