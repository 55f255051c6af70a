/**
 * Memory for the sectors of a run's disks, which the next run uses again.
 *
 * A run writes thousands of sectors, and all of them are garbage at its end. Left to the collector, their bytes, which lie
 * outside the engine's heap, bring about full collections of all there is, one in thirty runs; and each takes optimised
 * machine code with it.
 *
 * What always holds: between two recyclings no sector is given out twice.
 */
import { SECTOR_BYTES } from '@etcd-ts/wal';

/** Sectors that are allocated at once. */
const SLAB_SECTORS = 128;
/** An arena keeps no more than this, 16 MiB: whoever needs more gets memory that is let go of again. */
export const ARENA_SECTORS_MAX = 32_768;

/** Sectors that are given out one after the other, and all taken back at once. */
export class SectorArena {
  readonly #sectors: Uint8Array[] = [];
  #taken = 0;

  /** A sector with whatever its last user left in it; undefined when the arena is used up. */
  take(): Uint8Array | undefined {
    if (this.#taken === this.#sectors.length && !this.#grow()) return undefined;
    return this.#sectors[this.#taken++];
  }

  /** Every sector may be given out again: nobody looks at the disks any more. */
  recycle(): void {
    this.#taken = 0;
  }

  /** @returns False when it may not. */
  #grow(): boolean {
    if (this.#sectors.length >= ARENA_SECTORS_MAX) return false;
    const slab = new Uint8Array(SLAB_SECTORS * SECTOR_BYTES);
    for (let at = 0; at < slab.length; at += SECTOR_BYTES) {
      this.#sectors.push(slab.subarray(at, at + SECTOR_BYTES));
    }
    return true;
  }
}
