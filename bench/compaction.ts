/**
 * npm run bench -- compaction [VERSIONS [CALLERS]]: what puts through a member take while a compaction drops a million
 * versions, against what they take otherwise; for 1 caller and for 100, or for so many.
 *
 * A member alone, in process, on disk. Callers put one after the other, first with nothing else going on, then from the
 * request for the compaction until its last record is gone.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EtcdClient, op } from '@etcd-ts/client';
import { EtcdNode } from '@etcd-ts/server';
import { head, putsDuring, putsFor, row } from './beside/latency.ts';

const versions = Number(process.argv[2] ?? 1_000_000);
const KEYS = 10_000;
const VALUE: Uint8Array = Buffer.alloc(128, 0x76);
/** Puts of one transaction, and transactions under way, while the history is made. */
const TXN_OPS = 100;
const LANES = 16;
const NORMAL_MS = 4_000;

/** Versions of the keys, in rounds. */
async function makeHistory(client: EtcdClient): Promise<void> {
  let made = 0;
  const lane = async (): Promise<void> => {
    while (made < versions) {
      const from = made;
      made += TXN_OPS;
      const puts = Array.from({ length: TXN_OPS }, (_, i) =>
        op.put(`key-${(from + i) % KEYS}`, VALUE),
      );
      await client
        .txn()
        .do(...puts)
        .commit();
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function measure(client: EtcdClient, callers: number): Promise<void> {
  await makeHistory(client);
  await putsFor(client, callers, 500);
  const normal = await putsFor(client, callers, NORMAL_MS);
  row(`${callers} callers, nothing else`, normal);
  const beganMs = performance.now();
  const { revision } = await client.put('last', VALUE);
  const compaction = client.compact(revision, { physical: true, timeoutMs: 120_000 });
  const beside = await putsDuring(client, callers, compaction);
  const tookMs = performance.now() - beganMs;
  row(`${callers} callers, beside a compaction of ${Math.round(tookMs)} ms`, beside, normal);
}

const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-bench-'));
const node = await EtcdNode.start({ dataDir: folder });
head(`${versions} versions`);
const wanted = process.argv[3];
for (const callers of wanted === undefined ? [1, 100] : [Number(wanted)]) {
  await measure(node.client(), callers);
}
await node.stop();
rmSync(folder, { recursive: true, force: true });
