/**
 * Every revision that is still there, in order: which slot it changed, and how large its record is.
 *
 * This is what walks history: a watcher that catches up, a compaction, HashKV and a snapshot read it from some
 * revision on and fetch only the records that they need. Twenty bytes a revision, in chunks of typed arrays.
 *
 * Readers keep no position but a revision, and seek it again on each step; so a compaction may run between steps.
 *
 * Invariants: entries ascend in (main, sub); no chunk is empty but the only one.
 */
import { assert } from '@etcd-ts/base';

/** Entries of a chunk. */
export const LOG_CHUNK_ENTRIES = 1024;

/** What the log knows of one revision. One object is reused for all: read it at once, keep nothing. */
export interface LogEntry {
  main: number;
  sub: number;
  slot: number;
  tombstone: boolean;
  /** Bytes of the record, its name included. */
  bytes: number;
}

class Chunk {
  length = 0;
  readonly main: Float64Array<ArrayBuffer> = new Float64Array(LOG_CHUNK_ENTRIES);
  readonly sub: Uint32Array<ArrayBuffer> = new Uint32Array(LOG_CHUNK_ENTRIES);
  /** The slot, or its complement for a delete. */
  readonly slot: Int32Array<ArrayBuffer> = new Int32Array(LOG_CHUNK_ENTRIES);
  readonly bytes: Uint32Array<ArrayBuffer> = new Uint32Array(LOG_CHUNK_ENTRIES);

  /** Closes the gap between `kept` and `from`: what lies from there on moves down. */
  close(kept: number, from: number): void {
    if (kept === from) return;
    for (const column of [this.main, this.sub, this.slot, this.bytes]) {
      column.copyWithin(kept, from, this.length);
    }
    this.length -= from - kept;
  }

  copy(from: Chunk, at: number, to: number): void {
    this.main[to] = from.main[at] as number;
    this.sub[to] = from.sub[at] as number;
    this.slot[to] = from.slot[at] as number;
    this.bytes[to] = from.bytes[at] as number;
  }

  read(at: number, into: LogEntry): LogEntry {
    const slot = this.slot[at] as number;
    into.main = this.main[at] as number;
    into.sub = this.sub[at] as number;
    into.slot = slot < 0 ? ~slot : slot;
    into.tombstone = slot < 0;
    into.bytes = this.bytes[at] as number;
    return into;
  }
}

/** See the file's head. */
export class RevisionLog {
  readonly #chunks: Chunk[] = [new Chunk()];
  readonly #entry: LogEntry = { main: 0, sub: 0, slot: 0, tombstone: false, bytes: 0 };
  #size = 0;

  /** Number of revisions, (main, sub) each. */
  get size(): number {
    return this.#size;
  }

  /** Adds a revision above all others. */
  append(main: number, sub: number, slot: number, tombstone: boolean, bytes: number): void {
    let chunk = this.#chunks[this.#chunks.length - 1] as Chunk;
    if (chunk.length === LOG_CHUNK_ENTRIES) {
      chunk = new Chunk();
      this.#chunks.push(chunk);
    }
    const at = chunk.length++;
    chunk.main[at] = main;
    chunk.sub[at] = sub;
    chunk.slot[at] = tombstone ? ~slot : slot;
    chunk.bytes[at] = bytes;
    this.#size++;
  }

  /** Visits revisions from (main, sub) on until the visitor returns false. It must not change the log. */
  forEachFrom(main: number, sub: number, visit: (entry: LogEntry) => boolean): void {
    let i = this.#chunkOf(main, sub);
    let at = offsetIn(this.#chunks[i] as Chunk, main, sub);
    for (; i < this.#chunks.length; i++, at = 0) {
      const chunk = this.#chunks[i] as Chunk;
      for (; at < chunk.length; at++) if (!visit(chunk.read(at, this.#entry))) return;
    }
  }

  /**
   * Drops revisions that `keep` refuses, from (main, sub) on, through main ≤ `through`, until `entriesMax` entries were
   * looked at.
   *
   * @returns the main and sub to go on from, or undefined when all is done.
   */
  filter(
    from: { readonly main: number; readonly sub: number },
    through: number,
    entriesMax: number,
    keep: (entry: LogEntry) => boolean,
  ): { main: number; sub: number } | undefined {
    let i = this.#chunkOf(from.main, from.sub);
    let at = offsetIn(this.#chunks[i] as Chunk, from.main, from.sub);
    for (let left = entriesMax; ;) {
      const chunk = this.#chunks[i];
      if (chunk === undefined) return undefined;
      const end = Math.min(chunk.length, at + left);
      left -= end - at;
      at = this.#filterChunk(chunk, [at, end], through, keep);
      if (at < chunk.length) {
        const main = chunk.main[at] as number;
        return main > through ? undefined : { main, sub: chunk.sub[at] as number };
      }
      i = this.#tidy(i) + 1;
      at = 0;
    }
  }

  /** @throws InvariantError when an invariant does not hold. For tests. */
  check(): void {
    let main = 0;
    let sub = -1;
    let size = 0;
    this.forEachFrom(0, 0, (entry) => {
      assert(
        entry.main > main || (entry.main === main && entry.sub > sub),
        () => `revision ${entry.main}/${entry.sub} after ${main}/${sub}`,
      );
      ({ main, sub } = entry);
      size++;
      return true;
    });
    assert(size === this.#size, () => `${size} revisions, counted ${this.#size}`);
    const empty = this.#chunks.findIndex((chunk) => chunk.length === 0);
    assert(empty < 0 || this.#chunks.length === 1, () => `chunk ${empty} is empty`);
  }

  /** @returns where the entries begin that were not looked at. */
  #filterChunk(
    chunk: Chunk,
    [start, end]: readonly [number, number],
    through: number,
    keep: (entry: LogEntry) => boolean,
  ): number {
    let kept = start;
    let at = start;
    for (; at < end && (chunk.main[at] as number) <= through; at++) {
      if (!keep(chunk.read(at, this.#entry))) continue;
      if (kept !== at) chunk.copy(chunk, at, kept);
      kept++;
    }
    this.#size -= at - kept;
    chunk.close(kept, at);
    return kept;
  }

  /** Drops chunk i when it is empty, moves it into its left neighbour when both fit. @returns the last index done. */
  #tidy(i: number): number {
    const chunk = this.#chunks[i] as Chunk;
    const left = this.#chunks[i - 1];
    if (left !== undefined && left.length + chunk.length <= LOG_CHUNK_ENTRIES) {
      for (let at = 0; at < chunk.length; at++) left.copy(chunk, at, left.length++);
      this.#chunks.splice(i, 1);
      return i - 1;
    }
    if (chunk.length > 0 || this.#chunks.length === 1) return i;
    this.#chunks.splice(i, 1);
    return i - 1;
  }

  /** The first chunk whose last entry is at or after (main, sub), or the last chunk. */
  #chunkOf(main: number, sub: number): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = this.#chunks[middle] as Chunk;
      if (isBefore(chunk, chunk.length - 1, main, sub)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isBefore(chunk: Chunk, at: number, main: number, sub: number): boolean {
  const atMain = chunk.main[at] as number;
  return atMain < main || (atMain === main && (chunk.sub[at] as number) < sub);
}

function offsetIn(chunk: Chunk, main: number, sub: number): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(chunk, middle, main, sub)) low = middle + 1;
    else high = middle;
  }
  return low;
}
