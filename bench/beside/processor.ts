/** What this process's main thread had to wait for a processor, which says how far a time by the clock is its own. */
import { existsSync, readFileSync } from 'node:fs';

/** Linux: on the processor, waiting for it (both in ns), time slices; of the main thread. */
const SCHEDSTAT = '/proc/self/schedstat';

const isKnown = existsSync(SCHEDSTAT);

/** Milliseconds since the process began; 0 where nobody knows. Costs some microseconds. */
export function waitedForProcessorMs(): number {
  if (!isKnown) return 0;
  return Number(readFileSync(SCHEDSTAT, 'latin1').split(' ')[1]) / 1e6;
}
