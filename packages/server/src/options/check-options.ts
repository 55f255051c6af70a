/** How members make sure that they hold the same data. */
import { formatDuration } from '../go-values.ts';
import { StartError } from '../start-error.ts';
import { MAX_TIMER_MS } from '@etcd-ts/protocol';
import { type Range, resolveNumbers } from './numbers.ts';

/** Comparing data among members. */
export interface CheckOptions {
  /**
   * Whether a member compares its data with the others' before it takes part, and refuses to start where it differs.
   * etcd feature gate InitialCorruptCheck. @defaultValue false
   */
  readonly initialCorruptCheck?: boolean;
  /** How often the leader compares all data; 0 is never. etcd --corrupt-check-time. @defaultValue 0 */
  readonly corruptCheckTimeMs?: number;
  /** Whether the leader compares what compactions leave. etcd feature gate CompactHashCheck. @defaultValue false */
  readonly compactHashCheck?: boolean;
  /** How often it does. etcd --compact-hash-check-time. @defaultValue 60000 */
  readonly compactHashCheckTimeMs?: number;
}

const NUMBERS = {
  corruptCheckTimeMs: [0, 0, MAX_TIMER_MS],
  compactHashCheckTimeMs: [60_000, 1, MAX_TIMER_MS],
} as const satisfies Record<string, Range>;

/** Completes and checks. @throws StartError BAD_OPTION. */
export function resolveChecks(given: CheckOptions): Required<CheckOptions> {
  const { compactHashCheckTimeMs: intervalMs } = given;
  if (intervalMs !== undefined && intervalMs <= 0) {
    throw new StartError(
      'BAD_OPTION',
      `--compact-hash-check-time must be >0 (set to ${formatDuration(intervalMs)})`,
    );
  }
  return {
    initialCorruptCheck: given.initialCorruptCheck ?? false,
    compactHashCheck: given.compactHashCheck ?? false,
    ...resolveNumbers(given, NUMBERS),
  };
}
