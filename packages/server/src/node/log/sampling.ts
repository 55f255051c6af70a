/**
 * Keeps a flood of lines from filling disks: of one message so many a second, then every hundredth, as the logger of
 * etcd has it (client/pkg/logutil/zap.go, DefaultZapLoggerConfig).
 */

/** Lines of one level and message in one second that are all written. */
export const FIRST_LINES_PER_SECOND = 100;

/** Of those beyond, one of so many is written. */
export const THEREAFTER = 100;

/** Different messages that are counted in one second; more are written uncounted. */
const MAX_MESSAGES = 4_096;

/** Decides which lines are written. */
export class Sampling {
  readonly #counts = new Map<string, number>();
  #second = 0;

  /** @param nowMs Milliseconds of any clock. */
  admits(level: string, message: string, nowMs: number): boolean {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#second) this.#counts.clear();
    this.#second = second;
    const name = `${level} ${message}`;
    const count = (this.#counts.get(name) ?? 0) + 1;
    if (count > 1 || this.#counts.size < MAX_MESSAGES) this.#counts.set(name, count);
    const beyond = count - FIRST_LINES_PER_SECOND;
    return beyond <= 0 || beyond % THEREAFTER === 0;
  }
}
