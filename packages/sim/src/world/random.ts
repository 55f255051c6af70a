/**
 * Randomness of a simulation: every stream is forked from the seed by a label (`network/1→2/delay`), never drawn from
 * a parent, so that taking one fault or one client away leaves all the other streams as they were.
 *
 * What always holds
 * - The same (seed, label) gives the same draws in every process, on every Node version: integer arithmetic only.
 * - A stream's state is its own; two streams never share one.
 */
import { assert } from '@etcd-ts/base';
import type { Random } from '@etcd-ts/server';

const TWO_32 = 4_294_967_296;

/** A stream of draws (sfc32, a small counter-based chaotic generator of 128 bits). */
export class RandomStream implements Random {
  readonly label: string;
  /** How many 32-bit draws were made; part of the trace hash. */
  drawCount = 0;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed Any safe integer ≥ 0. */
  constructor(seed: number, label: string) {
    this.label = label;
    this.#a = hashText(label, seed >>> 0);
    this.#b = hashText(label, (Math.floor(seed / TWO_32) ^ 0x9e3779b9) >>> 0);
    this.#c = Math.imul(this.#a ^ this.#b, 0x85ebca6b) >>> 0;
    for (let i = 0; i < 12; i++) this.#next();
  }

  uint32(): number {
    this.drawCount++;
    return this.#next();
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.uint32() >>> 24;
    return bytes;
  }

  /** A uniform integer in [0, limit). */
  below(limit: number): number {
    assert(
      Number.isSafeInteger(limit) && limit > 0 && limit <= TWO_32,
      () => `random limit ${limit} is not in [1, 2^32]`,
    );
    if (limit <= 0x20_0000) return Math.floor((this.uint32() * limit) / TWO_32);
    const bound = TWO_32 - (TWO_32 % limit);
    for (;;) {
      const draw = this.uint32();
      if (draw < bound) return draw % limit;
    }
  }

  /** A uniform integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with this probability (0 to 1). */
  chance(probability: number): boolean {
    return this.uint32() < probability * TWO_32;
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, 'nothing to pick from');
    return items[this.below(items.length)] as T;
  }

  /** A new array of the items in random order. */
  shuffled<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const held = shuffled[i] as T;
      shuffled[i] = shuffled[j] as T;
      shuffled[j] = held;
    }
    return shuffled;
  }

  /**
   * A non-negative integer, distributed nearly exponentially with this mean.
   *
   * −log2 of a uniform draw, its fraction taken linearly: no transcendental function, whose last bit may differ
   * between versions of the engine.
   */
  exponential(mean: number): number {
    const draw = this.uint32() | 1;
    const zeros = Math.clz32(draw);
    const mantissa = (draw << zeros) >>> 0;
    const log2 = zeros + 2 - mantissa / (TWO_32 / 2);
    return Math.floor((mean * log2 * 693) / 1000);
  }

  /** An index drawn by weight; weights are non-negative and not all zero. */
  weighted(weights: readonly number[]): number {
    let total = 0;
    for (const weight of weights) total += weight;
    assert(total > 0, 'all weights are zero');
    let left = this.below(total);
    for (let i = 0; i < weights.length; i++) {
      left -= weights[i] as number;
      if (left < 0) return i;
    }
    return weights.length - 1;
  }

  #next(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }
}

/** Hashes text (its UTF-16 units) to 32 bits. */
export function hashText(text: string, seed = 0): number {
  let hash = (seed ^ 0x811c9dc5) >>> 0;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Hashes bytes to 32 bits. */
export function hashBytes(bytes: Uint8Array, seed = 0): number {
  let hash = (seed ^ 0x811c9dc5 ^ bytes.length) >>> 0;
  for (let i = 0; i < bytes.length; i++) {
    hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}
