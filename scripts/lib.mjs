// Shared by the scripts of this folder: running a child process, and remembering what has been done.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Folder for stamps; outside the tree's history, gone with node_modules. */
const stampDir = join(root, 'node_modules', '.cache', 'etcd-ts');

/** Runs a command in the root with this terminal; exits this process when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) {
    console.error(`cannot run ${command}: ${result.error.message}`);
    process.exit(1);
  }
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Runs a tool of node_modules/.bin. */
export function tool(name, args, options) {
  run(join(root, 'node_modules', '.bin', name), args, options);
}

/** Digest of the named files (missing ones count as empty). */
export function digest(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(file).update('\0');
    if (existsSync(file)) hash.update(readFileSync(file));
    hash.update('\0');
  }
  return hash.digest('hex');
}

/** True when the work named `name` was last done with this very digest. */
export function isDone(name, value) {
  const file = join(stampDir, name);
  return existsSync(file) && readFileSync(file, 'utf8') === value;
}

/** Remembers that the work named `name` is done for this digest. */
export function markDone(name, value) {
  mkdirSync(stampDir, { recursive: true });
  writeFileSync(join(stampDir, name), value);
}
