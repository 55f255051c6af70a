export { assert, assertSafe, InvariantError, must, unreachable } from './assert.ts';
export {
  type Brand,
  type ClusterId,
  clusterId,
  idToHex,
  type LeaseId,
  leaseId,
  type MemberId,
  memberId,
} from './brand.ts';
export {
  compareBytes,
  concatBytes,
  EMPTY_BYTES,
  equalBytes,
  fromLatin1,
  fromUtf8,
  prefixEnd,
  toLatin1,
  utf8,
} from './bytes.ts';
export { crc32c, CRC32C_WINDOW, crc32cWords } from './crc32c.ts';
export { CRC32C_WINDOW_BYTES, type Crc32cWindow } from './crc32c-window.ts';
export { type Deferred, deferred } from './deferred.ts';
export { endAll } from './end-all.ts';
export { type Merged, mergeObjects } from './merge-objects.ts';
