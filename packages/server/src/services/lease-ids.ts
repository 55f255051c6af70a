/**
 * Ids for leases whose client left the choice to the server: positive, and unlikely to meet another member's or an
 * earlier life's (etcd pkg/idutil). The table refuses the rare one that does.
 *
 * ```
 * | 1 bit 0 | 15 bits of the member id | 40 bits of wall-clock milliseconds | 8 bits of a counter |
 * ```
 */
import type { MemberId } from '@etcd-ts/base';
import type { Clock } from '../clock.ts';

const MEMBER_BITS = 0x7fffn;
const SUFFIX_BITS = 48n;

/** A member's source of ids: the time of its start, then counted up. */
export class LeaseIds {
  readonly #prefix: bigint;
  #suffix: bigint;

  constructor(member: MemberId, clock: Clock) {
    this.#prefix = (member & MEMBER_BITS) << SUFFIX_BITS;
    this.#suffix = BigInt(Math.floor(clock.wallMs())) << 8n;
  }

  /** The next id; never 0n, never negative. */
  next(): bigint {
    this.#suffix = BigInt.asUintN(Number(SUFFIX_BITS), this.#suffix + 1n);
    return this.#prefix | (this.#suffix === 0n ? 1n : this.#suffix);
  }
}
