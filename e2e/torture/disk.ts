import { spawnSync } from 'node:child_process';
import { mkdirSync, openSync, closeSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Room for a member's data on its small disk, of which the member keeps some 33 MiB for its next start. */
const SMALL_DISK_BYTES = 232 * 1024 * 1024;

/** A file system of limited size for one member's data, where the system lets us mount one. */
export class SmallDisk {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Mounts one in a folder; undefined where that is not allowed. */
  static mount(path: string, sizeBytes: number = SMALL_DISK_BYTES): SmallDisk | undefined {
    mkdirSync(path, { recursive: true });
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', path]);
    return mounted.status === 0 ? new SmallDisk(path) : undefined;
  }

  /** Leaves not a byte free. */
  fill(): void {
    const file = openSync(join(this.path, 'filler'), 'w');
    try {
      const { bavail, bsize } = statfsSync(this.path);
      const zeros = new Uint8Array(1024 * 1024);
      for (let left = bavail * bsize; left > 0;) {
        left -= writeSync(file, zeros, 0, Math.min(left, zeros.length));
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Gives the room back. */
  drain(): void {
    rmSync(join(this.path, 'filler'), { force: true });
  }

  /** Takes the file system away. */
  unmount(): void {
    spawnSync('umount', ['-l', this.path]);
  }
}
