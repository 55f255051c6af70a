/**
 * npm run bench -- leases [LEASES]: what puts take while many leases end at once, against what they take otherwise.
 *
 * A member alone, in process, on disk. It is started again after the leases were granted, one key each, so that all of
 * them end in the same millisecond: a new leader gives them their time anew. Callers put one after the other; of the
 * puts beside the expiry those count that lie between its first and its last delete, as a watcher of the keys is told.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdNode } from '@etcd-ts/server';
import { head, putsUntil, row } from './beside/latency.ts';

const leases = Number(process.argv[2] ?? 10_000);
const TTL_SECONDS = 12;
/** Grants that are under way at a time. */
const LANES = 64;
/** After the start, before puts are counted. */
const WARM_UP_MS = 2_000;

async function grantAll(node: EtcdNode): Promise<void> {
  const client = node.client();
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < leases; i = next++) {
      const { id } = await client.lease.grant(TTL_SECONDS);
      await client.put(`leased/${i}`, 'x', { lease: id });
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** When the first and the last of the leased keys was deleted. */
async function expiry(node: EtcdNode): Promise<{ firstMs: number; lastMs: number }> {
  const watcher = node.client().watch({ prefix: 'leased/' });
  let deleted = 0;
  let firstMs = 0;
  for await (const event of watcher) {
    if (event.type !== 'delete') continue;
    if (++deleted === 1) firstMs = performance.now();
    if (deleted === leases) break;
  }
  return { firstMs, lastMs: performance.now() };
}

async function measure(callers: number): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'etcd-ts-bench-'));
  const first = await EtcdNode.start({ dataDir });
  await grantAll(first);
  await first.stop();
  const node = await EtcdNode.start({ dataDir });
  const readyMs = performance.now() + WARM_UP_MS;
  let isOver = false;
  const expired = expiry(node).finally(() => (isOver = true));
  const samples = await putsUntil(node.client(), callers, () => isOver);
  const { firstMs, lastMs } = await expired;
  const normal = samples.filter(
    ({ beganMs, tookMs }) => beganMs > readyMs && beganMs + tookMs < firstMs,
  );
  const beside = samples.filter(
    ({ beganMs, tookMs }) => beganMs + tookMs >= firstMs && beganMs <= lastMs,
  );
  row(`${callers} callers, the leases waiting`, normal);
  row(
    `${callers} callers, the leases ending in ${Math.round(lastMs - firstMs)} ms`,
    beside,
    normal,
  );
  await node.stop();
  rmSync(dataDir, { recursive: true, force: true });
}

head(`${leases} leases`);
for (const callers of [1, 100]) await measure(callers);
