/**
 * The fingerprint of a run: a rolling 64-bit hash over everything that happened, with a checkpoint every
 * {@link EVENTS_PER_CHECKPOINT} events, so that two runs that should be alike and are not can be compared to the first
 * stretch where they part.
 */
import { hashText } from './random.ts';

/** Distance of checkpoints. */
export const EVENTS_PER_CHECKPOINT = 1024;

/** Texts whose hashes are at hand; a power of two. */
const RECENT = 64;

/** The rolling hash of one run. */
export class TraceHash {
  #high = 0x243f6a88;
  #low = 0x85a308d3;
  #eventCount = 0;
  readonly #kinds = new Map<string, number>();
  /** The texts met last, by length and first letter, and their hashes: most folds need no look into the map. */
  readonly #recent: (string | undefined)[] = Array.from({ length: RECENT }, () => undefined);
  readonly #recentHashes = new Int32Array(RECENT);
  readonly #checkpoints: string[] = [];

  /** Events folded in so far. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** The hash after every 1024 events, oldest first. */
  get checkpoints(): readonly string[] {
    return this.#checkpoints;
  }

  /** Folds in one 32-bit value. */
  fold(value: number): void {
    const low = Math.imul(this.#low ^ value, 0x9e3779b1);
    const high = Math.imul(this.#high ^ ((low >>> 15) | (low << 17)), 0x85ebca77);
    this.#low = (low ^ (high >>> 13)) | 0;
    this.#high = (high + value) | 0;
  }

  /** Folds in an event: when, what. */
  foldEvent(timeUs: number, kind: string): void {
    this.fold(timeUs | 0);
    this.fold((timeUs / 4_294_967_296) | 0);
    this.foldText(kind);
    this.#eventCount++;
    if (this.#eventCount % EVENTS_PER_CHECKPOINT === 0) this.#checkpoints.push(this.digest());
  }

  /** Folds in a short text out of a small set; its hash is remembered. */
  foldText(text: string): void {
    const at = (31 * text.length + text.charCodeAt(0)) & (RECENT - 1);
    if (this.#recent[at] !== text) {
      this.#recent[at] = text;
      this.#recentHashes[at] = this.#hashOf(text);
    }
    this.fold(this.#recentHashes[at] as number);
  }

  /** The hash now, as 16 hexadecimal digits. */
  digest(): string {
    return hex(this.#high) + hex(this.#low);
  }

  #hashOf(text: string): number {
    let hash = this.#kinds.get(text);
    if (hash === undefined) {
      hash = hashText(text);
      this.#kinds.set(text, hash);
    }
    return hash;
  }
}

/** The index of the first checkpoint at which two runs differ; -1 when the common ones are equal. */
export function firstDifference(a: readonly string[], b: readonly string[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
