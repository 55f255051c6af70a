/** SHA-256 as the machine computes it. */
import { createHash } from 'node:crypto';
import type { Sha256Digest } from '../services/sha256.ts';

/** A digest in the making. */
export function nativeSha256(): Sha256Digest {
  const hash = createHash('sha256');
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => new Uint8Array(hash.digest()),
  };
}
