/**
 * Takes a lock as etcd's recipe does (client/v3/concurrency/mutex.go): a key of one's own under the lock's prefix, with a
 * lease; whoever has the least create revision is the owner. Writes under it are fenced by that key.
 */
import { EMPTY_BYTES, utf8 } from '@etcd-ts/base';
import type { PlannedStep } from '../plan/plan.ts';
import type { SimClient } from './sim-client.ts';
import { compareCreate, putOp, rangeOp } from './txn-parts.ts';
import { rangeRequest } from './wire.ts';

/** Looks at the owner before giving up. */
const MAX_POLLS = 20;
const POLL_MS = 100;
const SORT_ASCEND = 1;
const SORT_BY_CREATE = 2;

/** Takes the lock, writes under it, lets it go. Gives up when anything fails. */
export async function lockStep(
  client: SimClient,
  step: PlannedStep & { do: 'lock' },
): Promise<void> {
  const prefix = `lock/${step.name}/`;
  const lease = client.uniqueLease();
  const granted = await client.call({
    kind: 'leaseGrant',
    id: lease,
    ttlSeconds: step.ttlSeconds,
  });
  if (granted.kind !== 'ok') return;
  const key = `${prefix}${lease.toString(16)}`;
  const createRevision = await makeKey(client, key, lease);
  if (createRevision !== undefined) {
    await holdOnce(client, step, prefix, key, createRevision);
    const request = { key: utf8(key), rangeEnd: EMPTY_BYTES, prevKv: false };
    await client.call({ kind: 'deleteRange', request });
  }
  await client.call({ kind: 'leaseRevoke', id: lease });
}

async function makeKey(client: SimClient, key: string, lease: bigint): Promise<number | undefined> {
  const made = await client.call({
    kind: 'txn',
    request: {
      compare: [compareCreate(key, 0)],
      success: [putOp(key, client.uniqueValue(), lease)],
      failure: [rangeOp(key)],
    },
  });
  if (made.kind !== 'ok' || made.response.kind !== 'txn') return undefined;
  return made.response.result.succeeded ? made.response.result.revision : undefined;
}

async function holdOnce(
  client: SimClient,
  step: PlannedStep & { do: 'lock' },
  prefix: string,
  key: string,
  createRevision: number,
): Promise<void> {
  const acquiredRevision = await waitForTurn(client, prefix, createRevision);
  if (acquiredRevision === undefined) return;
  const fencedWrites: number[] = [];
  client.parts.holds.push({
    client: client.parts.plan.id,
    prefix: utf8(prefix),
    key: utf8(key),
    createRevision,
    acquiredRevision,
    acquiredAtUs: client.parts.nowMs() * 1000,
    fencedWrites,
  });
  for (let i = 0; i < step.writes; i++) {
    const written = await client.call({
      kind: 'txn',
      request: {
        compare: [compareCreate(key, createRevision)],
        success: [putOp(`fenced/${step.name}`, client.uniqueValue())],
        failure: [],
      },
    });
    if (written.kind !== 'ok' || written.response.kind !== 'txn') return;
    if (!written.response.result.succeeded) return;
    fencedWrites.push(written.response.result.revision);
  }
}

/** The revision at which this key is the oldest; undefined when that does not come in time. */
async function waitForTurn(
  client: SimClient,
  prefix: string,
  createRevision: number,
): Promise<number | undefined> {
  for (let i = 0; i < MAX_POLLS; i++) {
    const rangeEnd = utf8(`${prefix.slice(0, -1)}0`);
    const order = { limit: 1, sortOrder: SORT_ASCEND, sortTarget: SORT_BY_CREATE };
    const read = await client.call({
      kind: 'range',
      request: rangeRequest(prefix, { rangeEnd, ...order }),
    });
    if (read.kind !== 'ok' || read.response.kind !== 'range') return undefined;
    const [owner] = read.response.result.kvs;
    if (owner === undefined || owner.createRevision > createRevision) return undefined;
    if (owner.createRevision === createRevision) return read.response.result.revision;
    await client.parts.sleep(POLL_MS);
  }
  return undefined;
}
