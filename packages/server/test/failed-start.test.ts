/** A start that fails, wherever it does, leaves nothing open: the next one in the same process can go on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskError, type DiskFile, type OpenMode } from '@etcd-ts/wal';
import { NodeDisk } from '@etcd-ts/wal/node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Env } from '../src/env.ts';
import { EtcdNode } from '../src/etcd-node.ts';
import { type EtcdNodeOptions, resolveOptions } from '../src/options.ts';
import { systemEnv } from '../src/node/system-env.ts';
import { freePorts } from '../../../tools/peers/free-ports.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'etcd-ts-failed-start-'));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

function start(options: EtcdNodeOptions, changed: (env: Env) => Partial<Env>): Promise<EtcdNode> {
  const env = systemEnv(resolveOptions(options));
  return EtcdNode.start(options, { ...env, ...changed(env) });
}

async function startsAndStops(options: EtcdNodeOptions): Promise<void> {
  const node = await EtcdNode.start(options);
  await node.ready();
  await node.stop();
}

test('a member that ends while it is being started does not start, and says why', async () => {
  const [port] = await freePorts(1);
  const options = { dataDir, listenClientUrls: [`http://127.0.0.1:${port}`] };
  const reason = new Error('the database failed');
  const started = start(options, ({ listen }) => ({
    listen: (resolved, served) => {
      served.node.halt(reason);
      return listen(resolved, served);
    },
  }));
  await expect(started).rejects.toBe(reason);
  await startsAndStops(options);
});

/** Cannot make the first segment of the log. */
class FullDisk extends NodeDisk {
  override open(path: string, mode: OpenMode): Promise<DiskFile> {
    if (!path.endsWith('.wal.tmp')) return super.open(path, mode);
    throw new DiskError({ code: 'ENOSPC', operation: 'open', path });
  }
}

test('where the log of a new member cannot be made, the databases are let go of', async () => {
  const started = start({ dataDir }, () => ({ disk: new FullDisk() }));
  await expect(started).rejects.toMatchObject({ code: 'IO' });
  await startsAndStops({ dataDir });
});

test('where a member that came back cannot go on, log and databases are let go of', async () => {
  await startsAndStops({ dataDir });
  const started = start({ dataDir, bootstrapDefragThresholdMegabytes: 1 }, ({ backends }) => ({
    backends: { ...backends, diskBytes: () => Promise.reject(new Error('not told')) },
  }));
  await expect(started).rejects.toThrow('not told');
  await startsAndStops({ dataDir });
});
