/** SHA-256 (FIPS 180-4) over bytes that come piece by piece, for surroundings that bring none of their own. */
import { concatBytes } from '@etcd-ts/base';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/** The first 32 bits of the fractional parts of a root of the first primes: square roots begin, cube roots mix. */
const primes = firstPrimes(64);
const BEGIN = Uint32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
const MIX = Uint32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));

function firstPrimes(count: number): readonly number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) {
    if (found.every((prime) => n % prime !== 0)) found.push(n);
  }
  return found;
}

function fraction(root: number): number {
  return ((root - Math.floor(root)) * 2 ** 32) >>> 0;
}

function rotate(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

/** A digest in the making. */
export interface Sha256Digest {
  /** Takes more bytes. */
  update(bytes: Uint8Array): void;
  /** The digest of everything taken; nothing may be taken afterwards. */
  digest(): Uint8Array;
}

/** {@link Sha256Digest} without any machine's help: a twentieth as quick as the machine's own. */
export class Sha256 implements Sha256Digest {
  readonly #state: Uint32Array = BEGIN.slice();
  readonly #words: Uint32Array = new Uint32Array(64);
  #rest: Uint8Array = new Uint8Array(0);
  #bytes = 0;

  /** Takes more bytes. */
  update(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    const all = this.#rest.length === 0 ? bytes : concatBytes([this.#rest, bytes]);
    let at = 0;
    for (; at + BLOCK_BYTES <= all.length; at += BLOCK_BYTES) this.#block(all, at);
    this.#rest = all.slice(at);
  }

  /** The digest of everything taken; nothing may be taken afterwards. */
  digest(): Uint8Array {
    const bits = BigInt(this.#bytes) * 8n;
    const used = this.#rest.length + 1 + 8;
    const tail = new Uint8Array(Math.ceil(used / BLOCK_BYTES) * BLOCK_BYTES);
    tail.set(this.#rest);
    tail[this.#rest.length] = 0x80;
    new DataView(tail.buffer).setBigUint64(tail.length - 8, bits);
    for (let at = 0; at < tail.length; at += BLOCK_BYTES) this.#block(tail, at);
    const digest = new Uint8Array(DIGEST_BYTES);
    const view = new DataView(digest.buffer);
    this.#state.forEach((word, i) => view.setUint32(4 * i, word));
    return digest;
  }

  #block(bytes: Uint8Array, at: number): void {
    const words = this.#words;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, BLOCK_BYTES);
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(4 * i);
    for (let i = 16; i < 64; i++) {
      const a = words[i - 15] as number;
      const b = words[i - 2] as number;
      const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3);
      const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10);
      words[i] = (words[i - 16] as number) + s0 + (words[i - 7] as number) + s1;
    }
    let [a, b, c, d, e, f, g, h] = this.#state as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    for (let i = 0; i < 64; i++) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const choice = (e & f) ^ (~e & g);
      const t1 = (h + s1 + choice + (MIX[i] as number) + (words[i] as number)) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + s0 + majority) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => {
      this.#state[i] = (this.#state[i] as number) + word;
    });
  }
}
