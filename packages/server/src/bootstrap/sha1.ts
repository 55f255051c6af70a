/** Rotates a 32-bit word to the left. */
function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/**
 * SHA-1 of a short message (FIPS 180-4 §6.1).
 *
 * Only because etcd's member and cluster ids are made of it; nothing here relies on its strength.
 */
export function sha1(message: Uint8Array): Uint8Array {
  const blocks = ((message.length + 8) >>> 6) + 1;
  const padded = new DataView(new ArrayBuffer(blocks * 64));
  for (let i = 0; i < message.length; i++) padded.setUint8(i, message[i] as number);
  padded.setUint8(message.length, 0x80);
  padded.setBigUint64(blocks * 64 - 8, BigInt(message.length) * 8n);
  const hash = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0] as const;
  let state: Digest = [...hash];
  for (let block = 0; block < blocks; block++) state = compress(state, padded, block * 64);
  const digest = new DataView(new ArrayBuffer(20));
  state.forEach((word, i) => digest.setUint32(i * 4, word));
  return new Uint8Array(digest.buffer);
}

type Digest = [number, number, number, number, number];

/** The round function and constant of step t (FIPS 180-4 §4.1.1, §4.2.1). */
function mix(t: number, b: number, c: number, d: number): number {
  if (t < 20) return ((b & c) | (~b & d)) + 0x5a827999;
  if (t < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (t < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}

/** The message schedule of the block that is being compressed. */
const w = new Int32Array(80);

function compress(state: Digest, data: DataView, offset: number): Digest {
  for (let t = 0; t < 16; t++) w[t] = data.getInt32(offset + t * 4);
  for (let t = 16; t < 80; t++) {
    const word = (back: number): number => w[t - back] as number;
    w[t] = rotate(word(3) ^ word(8) ^ word(14) ^ word(16), 1);
  }
  let [a, b, c, d, e] = state;
  for (let t = 0; t < 80; t++) {
    const next = (rotate(a, 5) + mix(t, b, c, d) + e + (w[t] as number)) | 0;
    [e, d, c, b, a] = [d, c, rotate(b, 30), a, next];
  }
  return [
    (state[0] + a) | 0,
    (state[1] + b) | 0,
    (state[2] + c) | 0,
    (state[3] + d) | 0,
    (state[4] + e) | 0,
  ];
}
