/**
 * A backup as `etcdctl snapshot save` writes it: a database, which has whole pages, and behind it the SHA-256 of its bytes
 * (etcd etcdutl/snapshot: hasChecksum). Its length says whether the checksum is there.
 */
import { equalBytes } from '@etcd-ts/base';
import type { RandomAccessFile } from '../bbolt/database-reader.ts';
import { Sha256, type Sha256Digest } from '../services/sha256.ts';
import { RestoreError } from './restore-error.ts';

/** Bytes of the checksum. */
export const BACKUP_HASH_BYTES = 32;
/** What the length without the checksum is a multiple of. */
export const BACKUP_PAGE_BYTES = 512;
/** Bytes hashed at a time: 1 MiB. */
const HASH_STEP_BYTES: number = 1 << 20;

/** How a backup is read. */
export interface BackupReading {
  readonly skipHashCheck: boolean;
  /** @defaultValue one of our own, which is slow */
  readonly hash?: Sha256Digest | undefined;
}

/** A backup that is in memory. */
export function fileOfBytes(bytes: Uint8Array): RandomAccessFile {
  return {
    sizeBytes: bytes.length,
    read: (at, length) => Promise.resolve(bytes.subarray(at, at + length)),
  };
}

/**
 * The database without its checksum, which was compared.
 *
 * @param skipHashCheck For copies of a database that were not made by a save: they have no checksum.
 * @throws RestoreError NO_HASH, DAMAGED.
 */
export async function checkedDatabase(
  file: RandomAccessFile,
  { skipHashCheck, hash = new Sha256() }: BackupReading,
): Promise<RandomAccessFile> {
  if (file.sizeBytes % BACKUP_PAGE_BYTES !== BACKUP_HASH_BYTES) {
    if (skipHashCheck) return file;
    throw new RestoreError('NO_HASH', 'snapshot missing hash but --skip-hash-check=false');
  }
  const sizeBytes = file.sizeBytes - BACKUP_HASH_BYTES;
  if (!skipHashCheck) await compareHash(file, sizeBytes, hash);
  return {
    sizeBytes,
    read: (at, length) => file.read(at, Math.max(0, Math.min(length, sizeBytes - at))),
  };
}

async function compareHash(
  file: RandomAccessFile,
  sizeBytes: number,
  hash: Sha256Digest,
): Promise<void> {
  for (let at = 0; at < sizeBytes;) {
    const piece = await file.read(at, Math.min(HASH_STEP_BYTES, sizeBytes - at));
    if (piece.length === 0) throw new RestoreError('DAMAGED', `the backup ends at byte ${at}`);
    hash.update(piece);
    at += piece.length;
  }
  const expected = await file.read(sizeBytes, BACKUP_HASH_BYTES);
  const digest = hash.digest();
  if (equalBytes(digest, expected)) return;
  throw new RestoreError('DAMAGED', `expected sha256 ${hex(expected)}, got ${hex(digest)}`);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
