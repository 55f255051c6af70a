export { LOCK_NAME } from './directory-lock.ts';
export { NodeDisk } from './node-disk.ts';
