/**
 * npm run bench -- turns [KEYS]: for how long requests for very many keys hold the loop of a member alone on disk, asked in
 * process. The member is started again first, so that its values lie on the disk.
 *
 * A turn is what lies between two looks at the clock, each in a turn of the loop of its own; what the loop's thread waited
 * for a processor (Linux: /proc/self/schedstat) is taken off. The second half is without the turns in which the collector
 * was at work.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as aTurn } from 'node:timers/promises';
import { type EtcdClient, op } from '@etcd-ts/client';
import { DeleteRangeRequest, RangeRequest, TxnRequest } from '@etcd-ts/protocol';
import { EtcdNode } from '@etcd-ts/server';
import { waitedForProcessorMs } from './beside/processor.ts';

const keys = Number(process.argv[2] ?? 300_000);
const VALUE: Uint8Array = Buffer.alloc(128, 0x76);
const TXN_OPS = 100;
const LANES = 16;

interface Turn {
  readonly beganMs: number;
  readonly endedMs: number;
  readonly tookMs: number;
}

/** When the collector was at work. */
const collections: number[] = [];
new PerformanceObserver((list) => {
  for (const { startTime } of list.getEntries()) collections.push(startTime);
}).observe({ entryTypes: ['gc'] });

async function fill(client: EtcdClient): Promise<void> {
  let made = 0;
  const lane = async (): Promise<void> => {
    while (made < keys) {
      const from = made;
      made += TXN_OPS;
      const puts = Array.from({ length: TXN_OPS }, (_, i) =>
        op.put(`key-${String((from + i) * 7_919).padStart(12, '0')}`, VALUE),
      );
      await client
        .txn()
        .do(...puts)
        .commit();
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** The turns of the loop while a request is answered, the longest first. */
async function turnsDuring(work: () => Promise<unknown>): Promise<readonly Turn[]> {
  let isDone = false;
  const working = work().finally(() => (isDone = true));
  const turns: Turn[] = [];
  let waitedMs = waitedForProcessorMs();
  for (let beganMs = performance.now(); !isDone;) {
    await aTurn();
    const nowMs = performance.now();
    const waitedNowMs = waitedForProcessorMs();
    turns.push({ beganMs, endedMs: nowMs, tookMs: nowMs - beganMs - (waitedNowMs - waitedMs) });
    beganMs = nowMs;
    waitedMs = waitedNowMs;
  }
  await working;
  return turns.sort((a, b) => b.tookMs - a.tookMs);
}

function hasCollected({ beganMs, endedMs }: Turn): boolean {
  return collections.some((atMs) => atMs >= beganMs && atMs < endedMs);
}

async function measure(name: string, work: () => Promise<unknown>): Promise<void> {
  const startedMs = performance.now();
  const turns = await turnsDuring(work);
  const tookMs = Math.round(performance.now() - startedMs);
  // The collector's times come a little later.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const columns = [turns, turns.filter((turn) => !hasCollected(turn))].flatMap((some) =>
    [0, 0.01, 0.1].map((share) => (some[Math.floor(some.length * share)]?.tookMs ?? 0).toFixed(2)),
  );
  const texts = [String(tookMs), String(turns.length), ...columns];
  console.log(`${name.padEnd(46)}${texts.map((text) => text.padStart(9)).join('')}`);
}

const dataDir = mkdtempSync(join(tmpdir(), 'etcd-ts-bench-'));
const first = await EtcdNode.start({ dataDir });
await fill(first.client());
await first.stop();
const node = await EtcdNode.start({ dataDir });
const channel = node.channel();
const FROM_KEY = new Uint8Array([0]);
const all = { key: FROM_KEY, rangeEnd: FROM_KEY };
const [DESCEND, BY_VALUE, NOT_EQUAL, VALUE_TARGET] = [2, 4, 3, 3];

const range = (more: object = {}): Promise<unknown> =>
  channel.unary('etcdserverpb.KV/Range', RangeRequest.fromPartial({ ...all, ...more }));
const txn = TxnRequest.fromPartial({
  compare: [{ ...all, target: VALUE_TARGET, result: NOT_EQUAL }],
  success: [{ request: { $case: 'requestRange', value: RangeRequest.fromPartial(all) } }],
});
txn.compare[0]!.targetUnion = { $case: 'value', value: new Uint8Array([1]) };

console.log(
  `${`${keys} keys`.padEnd(46)}  took ms    turns  longest      p99      p90  longest      p99      p90`,
);
await measure('a range of all, from the disk', () => range());
await measure('the same again', () => range());
await measure('sorted by value, backwards', () =>
  range({ sortOrder: DESCEND, sortTarget: BY_VALUE }),
);
await measure('a transaction: a compare and a range of all', () =>
  channel.unary('etcdserverpb.KV/Txn', txn),
);
await measure('HashKV', () => channel.unary('etcdserverpb.Maintenance/HashKV', { revision: 0 }));
await measure('a delete of all, which is one entry', () =>
  channel.unary('etcdserverpb.KV/DeleteRange', DeleteRangeRequest.fromPartial(all)),
);
await node.stop();
rmSync(dataDir, { recursive: true, force: true });
