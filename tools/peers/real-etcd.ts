/**
 * Finds real etcd, against which behaviour and speed are compared.
 *
 * In this order: the folder that `ETCD_PEERS_BIN` names, the fetching script beside the repository, the PATH. Nothing
 * here is needed by the core tests; what does need it skips with the reason that this module gives.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const fetchScript = join(root, '..', 'shared', 'tools', 'peers.sh');

/** Paths of real etcd's programs. */
export interface RealEtcd {
  readonly etcd: string;
  readonly etcdctl: string;
  readonly etcdutl: string;
  /** etcd's load generator; absent where it was not fetched. */
  readonly benchmark?: string;
}

/** Why real etcd cannot be had. */
export interface NoEtcd {
  readonly missing: string;
}

const found = new Map<string, RealEtcd | NoEtcd>();

/**
 * Real etcd's programs, fetched if need be.
 *
 * @param what `benchmark` also asks for the load generator, which takes minutes to fetch the first time.
 */
export function realEtcd(what: 'etcd' | 'benchmark' = 'etcd'): RealEtcd | NoEtcd {
  let result = found.get(what);
  if (result === undefined) {
    result = locate(what);
    found.set(what, result);
  }
  return result;
}

/** Narrows {@link realEtcd}'s answer, and prints the reason once when there is none. */
export function hasEtcd(peers: RealEtcd | NoEtcd): peers is RealEtcd {
  if (!('missing' in peers)) return true;
  console.log(`skipped, real etcd is not here: ${peers.missing}`);
  return false;
}

function locate(what: 'etcd' | 'benchmark'): RealEtcd | NoEtcd {
  const folder = process.env['ETCD_PEERS_BIN'] ?? fetchFolder(what) ?? folderOnPath();
  if (folder === undefined)
    return { missing: 'set ETCD_PEERS_BIN to the folder of etcd, etcdctl and etcdutl' };
  const path = (name: string) => join(folder, name);
  for (const name of ['etcd', 'etcdctl', 'etcdutl']) {
    if (!existsSync(path(name))) return { missing: `${path(name)} does not exist` };
  }
  const programs = { etcd: path('etcd'), etcdctl: path('etcdctl'), etcdutl: path('etcdutl') };
  const benchmark = path('benchmark');
  return existsSync(benchmark) ? { ...programs, benchmark } : programs;
}

function fetchFolder(what: 'etcd' | 'benchmark'): string | undefined {
  if (!existsSync(fetchScript)) return undefined;
  const result = spawnSync('bash', [fetchScript, what], { encoding: 'utf8' });
  if (result.status !== 0) {
    console.log(`fetching real etcd failed: ${result.stderr.trim().split('\n').at(-1)}`);
    return undefined;
  }
  return result.stdout.trim().split('\n').at(-1);
}

function folderOnPath(): string | undefined {
  try {
    return dirname(execFileSync('which', ['etcdutl'], { encoding: 'utf8' }).trim());
  } catch {
    return undefined;
  }
}
