export type { RecoveredLog, WalGroup, WalMetadata, WalRepair } from './contents.ts';
export {
  type DirectoryLock,
  type Disk,
  type DiskFile,
  type OpenMode,
  SECTOR_BYTES,
} from './disk.ts';
export { DiskError, type DiskErrorCode, type DiskErrorDetail } from './disk-error.ts';
export { MemoryDisk } from './memory-disk.ts';
export { hasWal, openWal, readWal, type ReadWalOptions } from './open-wal.ts';
export {
  DEFAULT_MAX_PENDING_BYTES,
  DEFAULT_MAX_SEGMENTS,
  DEFAULT_SEGMENT_SIZE_BYTES,
  DEFAULT_SLOW_SYNC_LIMIT_MS,
  type OpenedWal,
  type Wal,
  type WalDone,
  type WalObserver,
  type WalOptions,
  type WalStats,
} from './wal.ts';
export { WalError, type WalErrorCode, type WalErrorDetail } from './wal-error.ts';
