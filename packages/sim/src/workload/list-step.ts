/** Lists that grow: a transaction reads some of them and appends to each, unless one of them has grown meanwhile. */
import { fromUtf8, utf8 } from '@etcd-ts/base';
import { itemsOf, LIST_PREFIX } from '../checkers/list.ts';
import type { PlannedStep } from '../plan/plan.ts';
import type { SimClient } from './sim-client.ts';
import { compareMod, putOp, rangeOp } from './txn-parts.ts';

/** Items of a list; it grows no further. */
const MAX_ITEMS = 100;

/** Reads the lists in one transaction, then appends to each in another that compares what it read. */
export async function listStep(
  client: SimClient,
  step: PlannedStep & { do: 'appendAll' },
): Promise<void> {
  const keys = step.lists.map((list) => `${LIST_PREFIX}${list}`);
  const reads = keys.map((key) => rangeOp(key));
  const read = await client.call({
    kind: 'txn',
    request: { compare: [], success: reads, failure: [] },
  });
  if (read.kind !== 'ok' || read.response.kind !== 'txn') return;
  const found = new Map<string, { readonly items: readonly string[]; readonly mod: number }>();
  for (const each of read.response.result.responses) {
    if (each.$case !== 'responseRange') continue;
    for (const { key, value, modRevision: mod } of each.value.kvs) {
      found.set(fromUtf8(key), { items: itemsOf(value), mod });
    }
  }
  const growing = keys.filter((key) => (found.get(key)?.items.length ?? 0) < MAX_ITEMS);
  if (growing.length === 0) return;
  const item = fromUtf8(client.uniqueValue());
  await client.call({
    kind: 'txn',
    request: {
      compare: growing.map((key) => compareMod(key, found.get(key)?.mod ?? 0)),
      success: growing.map((key) =>
        putOp(key, utf8([...(found.get(key)?.items ?? []), item].join(' '))),
      ),
      failure: reads,
    },
  });
}
