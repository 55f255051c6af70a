/**
 * Records to be deleted, in the order of their adding: a compaction adds them by the million, so they are kept in typed
 * arrays of a fixed size, and none is ever moved to make room.
 */

const BLOCK_ENTRIES = 1024;

/** One record to be deleted. One object is reused for all: read it at once, keep nothing. */
export interface Drop {
  main: number;
  sub: number;
  /** The record is a tombstone's. */
  isDelete: boolean;
}

/** See the file's head. */
export class DropList {
  /** Two numbers an entry: main, then sub * 2 (+ 1 for a tombstone). */
  readonly #blocks: Float64Array<ArrayBuffer>[] = [];
  #length = 0;

  /** Number of records. */
  get length(): number {
    return this.#length;
  }

  add(main: number, sub: number, isDelete: boolean): void {
    const at = this.#length++ % BLOCK_ENTRIES;
    if (at === 0) this.#blocks.push(new Float64Array(BLOCK_ENTRIES * 2));
    const block = this.#blocks[this.#blocks.length - 1] as Float64Array;
    block[at * 2] = main;
    block[at * 2 + 1] = sub * 2 + (isDelete ? 1 : 0);
  }

  *[Symbol.iterator](): Iterator<Drop> {
    const drop: Drop = { main: 0, sub: 0, isDelete: false };
    for (let i = 0; i < this.#length; i++) {
      const block = this.#blocks[Math.floor(i / BLOCK_ENTRIES)] as Float64Array;
      const mark = block[(i % BLOCK_ENTRIES) * 2 + 1] as number;
      drop.main = block[(i % BLOCK_ENTRIES) * 2] as number;
      drop.sub = Math.floor(mark / 2);
      drop.isDelete = mark % 2 === 1;
      yield drop;
    }
  }
}
