import type { PasswordHasher } from '../../src/auth/password-hasher.ts';
import type { Random } from '../../src/clock.ts';
import type { ServiceParts } from '../../src/services/services.ts';

/** Quick, and as easy to see through as a test wants it. */
const hasher: PasswordHasher = {
  hash: (password) => Promise.resolve(`hash of ${password}`),
  matches: (password, hash) => Promise.resolve(hash === `hash of ${password}`),
  close: () => Promise.resolve(),
};

let drawn = 0;
const random: Random = {
  uint32: () => drawn++,
  bytes: (length) => Uint8Array.from({ length }, () => drawn++ % 200),
};

/** What services need beside their node. */
export const SURROUNDINGS: ServiceParts = { random, hasher };
