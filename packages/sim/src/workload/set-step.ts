/** A set: each element is a key of its own, made once. Whoever is not told whether it was made asks again. */
import { utf8 } from '@etcd-ts/base';
import { SET_PREFIX, SET_PREFIX_END } from '../checkers/set.ts';
import type { SimClient } from './sim-client.ts';
import { compareCreate, putOp, rangeOp } from './txn-parts.ts';
import { rangeRequest } from './wire.ts';

const MAX_ATTEMPTS = 5;

/**
 * Adds an element, and asks until it knows. The key itself tells a first attempt from a second one: asked again, a
 * transaction that happened unseen finds it there and changes nothing.
 */
export async function addStep(client: SimClient): Promise<void> {
  const value = client.uniqueValue();
  const key = `${SET_PREFIX}${client.parts.plan.id}-${client.nextNumber()}`;
  const request = {
    compare: [compareCreate(key, 0)],
    success: [putOp(key, value)],
    failure: [rangeOp(key)],
  };
  for (let attempt = 0; attempt < MAX_ATTEMPTS && !client.isStopped; attempt++) {
    const outcome = await client.call({ kind: 'txn', request });
    if (outcome.kind === 'ok') return;
  }
}

/** Reads all elements. */
export async function readSetStep(client: SimClient): Promise<void> {
  const rangeEnd = utf8(SET_PREFIX_END);
  await client.call({ kind: 'range', request: rangeRequest(SET_PREFIX, { rangeEnd }) });
}
