/** What a machine keeps while nothing runs on it: its disk, and the databases beside it. */
import type { DiskImage } from './disk-image.ts';
import type { DatabasesImage } from './sim-backends.ts';

/** See the head of this file. */
export interface MachineImage {
  readonly disk: DiskImage;
  readonly databases: DatabasesImage;
}

/** What is claimed or open on a machine, by name: nothing, once its member has ended. */
export function heldOn({ disk, databases }: MachineImage): readonly string[] {
  const open = [...databases.databases].filter(([, { isOpen }]) => isOpen);
  return [...disk.locks, ...open.map(([name]) => `database ${name}`)];
}
