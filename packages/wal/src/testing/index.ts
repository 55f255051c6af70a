export {
  CrashDisk,
  type DiskOperation,
  type Fault,
  type Keeps,
  type Unsynced,
} from './crash-disk.ts';
export { DISK_CLAIMS, type DiskClaim } from './disk-suite.ts';
