/** A bank: accounts that start alike, and money that moves between two of them in one transaction. */
import { fromUtf8, utf8 } from '@etcd-ts/base';
import { ACCOUNT_PREFIX, ACCOUNT_PREFIX_END, amountOf, START_AMOUNT } from '../checkers/bank.ts';
import type { PlannedStep } from '../plan/plan.ts';
import type { SimClient } from './sim-client.ts';
import { compareMod, putOp, rangeOp } from './txn-parts.ts';
import { rangeRequest } from './wire.ts';

/** Moves money from one account to another, unless somebody else touches one of them meanwhile. */
export async function moveStep(
  client: SimClient,
  step: PlannedStep & { do: 'moveMoney' },
): Promise<void> {
  const keys = [step.from, step.to].map((account) => `${ACCOUNT_PREFIX}${account}`);
  const [from = '', to = ''] = keys;
  if (from === to) return;
  const request = { compare: [], success: keys.map((key) => rangeOp(key)), failure: [] };
  const read = await client.call({ kind: 'txn', request });
  if (read.kind !== 'ok' || read.response.kind !== 'txn') return;
  const found = new Map<string, { readonly amount: number; readonly modRevision: number }>();
  for (const each of read.response.result.responses) {
    if (each.$case !== 'responseRange') continue;
    for (const { key, value, modRevision } of each.value.kvs) {
      found.set(fromUtf8(key), { amount: amountOf(value), modRevision });
    }
  }
  const amount = (key: string): number => found.get(key)?.amount ?? START_AMOUNT;
  const moved = Math.min(step.amount, amount(from));
  const unique = (): string => fromUtf8(client.uniqueValue());
  await client.call({
    kind: 'txn',
    request: {
      compare: keys.map((key) => compareMod(key, found.get(key)?.modRevision ?? 0)),
      success: [
        putOp(from, utf8(`${amount(from) - moved} ${unique()}`)),
        putOp(to, utf8(`${amount(to) + moved} ${unique()}`)),
      ],
      failure: [],
    },
  });
}

/** Looks at all accounts at once. */
export async function auditStep(client: SimClient, stale: boolean): Promise<void> {
  const rangeEnd = utf8(ACCOUNT_PREFIX_END);
  await client.call({
    kind: 'range',
    request: rangeRequest(ACCOUNT_PREFIX, { rangeEnd, serializable: stale }),
  });
}
