/**
 * A backup as `etcdctl snapshot save` writes it: the state, padded to whole pages of 512 bytes, and behind it the
 * SHA-256 of both (etcd etcdutl/snapshot: hasChecksum). Its length says whether the checksum is there.
 */
import { concatBytes, EMPTY_BYTES, equalBytes } from '@etcd-ts/base';
import { Sha256, type Sha256Digest } from '../services/sha256.ts';
import { RestoreError } from './restore-error.ts';

/** Bytes of the checksum. */
export const BACKUP_HASH_BYTES = 32;
/** What the length without the checksum is a multiple of. */
export const BACKUP_PAGE_BYTES = 512;

/** How a backup is read. */
export interface BackupReading {
  readonly skipHashCheck: boolean;
  /** @defaultValue one of our own, which is slow */
  readonly hash?: Sha256Digest | undefined;
}

/**
 * The state's bytes, as they come; the checksum is compared when they have all come.
 *
 * @param skipHashCheck For copies of a database that were not made by a save: they have no checksum.
 * @throws RestoreError NO_HASH, DAMAGED: thrown behind the last bytes, so nothing counts before the end.
 */
export async function* backupContent(
  file: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { skipHashCheck, hash = new Sha256() }: BackupReading,
): AsyncGenerator<Uint8Array, void, undefined> {
  let tail: Uint8Array = EMPTY_BYTES;
  let bytes = 0;
  for await (const piece of file) {
    bytes += piece.length;
    // The last bytes may be the checksum: they are held back until more have come.
    const all = concatBytes([tail, piece]);
    const content = all.subarray(0, Math.max(0, all.length - BACKUP_HASH_BYTES));
    tail = all.slice(content.length);
    hash.update(content);
    if (content.length > 0) yield content;
  }
  const hasHash = bytes % BACKUP_PAGE_BYTES === BACKUP_HASH_BYTES;
  if (!hasHash) {
    if (!skipHashCheck) {
      throw new RestoreError('NO_HASH', 'snapshot missing hash but --skip-hash-check=false');
    }
    yield tail;
    return;
  }
  const digest = hash.digest();
  if (!skipHashCheck && !equalBytes(digest, tail)) {
    throw new RestoreError('DAMAGED', `expected sha256 ${hex(tail)}, got ${hex(digest)}`);
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
