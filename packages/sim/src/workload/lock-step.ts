/**
 * Takes a lock, or stands for election, as etcd's recipes do (client/v3/concurrency, mutex.go and election.go): a key of
 * one's own under the prefix, with a lease; whoever has the least create revision is the owner. What is written under it
 * is fenced by that key.
 */
import { EMPTY_BYTES, fromUtf8, utf8 } from '@etcd-ts/base';
import type { RequestOp } from '@etcd-ts/mvcc';
import type { LockHold } from '../checkers/lock.ts';
import type { PlannedStep } from '../plan/plan.ts';
import { awaitServedTurn, leaveServed, type Turn } from './served-lock.ts';
import type { SimClient } from './sim-client.ts';
import { compareCreate, putOp, rangeOp } from './txn-parts.ts';
import { rangeRequest } from './wire.ts';

/** Looks at the owner before giving up. */
const MAX_POLLS = 20;
const POLL_MS = 100;
const SORT_ASCEND = 1;
const SORT_BY_CREATE = 2;

type LockStep = PlannedStep & { do: 'lock' | 'elect' };

/** Takes the lock, writes under it, lets it go. Gives up when anything fails. */
export async function lockStep(client: SimClient, step: LockStep): Promise<void> {
  const prefix = `${step.do}/${step.name}/`;
  const lease = client.uniqueLease();
  const askedAtMs = client.parts.nowMs();
  const granted = await client.call({
    kind: 'leaseGrant',
    id: lease,
    ttlSeconds: step.ttlSeconds,
  });
  if (granted.kind !== 'ok') return;
  const key = `${prefix}${lease.toString(16)}`;
  const endMs = askedAtMs + step.ttlSeconds * 1000;
  if (step.served === true) {
    await holdServed(client, step, { prefix, key, lease, endMs });
    await client.call({ kind: 'leaseRevoke', id: lease });
    return;
  }
  const createRevision = await makeKey(client, key, lease);
  if (createRevision !== undefined) {
    const acquiredRevision = await waitForTurn(client, prefix, createRevision);
    if (acquiredRevision !== undefined) {
      const turn = { createRevision, acquiredRevision };
      await holdOnce(client, step, { prefix, key, lease, endMs }, turn);
    }
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

/** One who waits for its turn. */
interface Waiter {
  readonly prefix: string;
  readonly key: string;
  readonly lease: bigint;
  /** Until when its lease lasts at least, on a clock that goes right. */
  readonly endMs: number;
}

/** The member waits in the queue, and leaves it. */
async function holdServed(client: SimClient, step: LockStep, waiter: Waiter): Promise<void> {
  const { key, lease, prefix } = waiter;
  const place = { kind: step.do, name: prefix.slice(0, -1), key, lease };
  const turn = await awaitServedTurn(client, place);
  if (turn !== undefined) {
    client.parts.notes.servedTurns.push(step.do);
    await holdOnce(client, step, waiter, turn);
  }
  await leaveServed(client, place, turn);
}

async function holdOnce(
  client: SimClient,
  step: LockStep,
  { prefix, key, lease, endMs }: Waiter,
  { createRevision, acquiredRevision }: Turn,
): Promise<void> {
  const fencedWrites: number[] = [];
  const hold: LockHold = {
    kind: step.do,
    client: client.parts.plan.id,
    prefix: utf8(prefix),
    key: utf8(key),
    createRevision,
    acquiredRevision,
    acquiredAtUs: client.parts.nowMs() * 1000,
    // Whoever holds it knows how long its lease lasts at least.
    heldUntilUs: endMs * 1000,
    fencedWrites,
  };
  client.parts.notes.holds.push(hold);
  const write =
    step.do === 'lock'
      ? () => putOp(`fenced/${step.name}`, client.uniqueValue())
      : () => putOp(key, client.uniqueValue(), lease);
  await writeFenced(client, hold, step.writes, write);
  hold.heldUntilUs = Math.min(hold.heldUntilUs, client.parts.nowMs() * 1000);
}

/** Writes as long as the key is one's own. */
async function writeFenced(
  client: SimClient,
  { key, createRevision, fencedWrites }: LockHold,
  writes: number,
  write: () => RequestOp,
): Promise<void> {
  for (let i = 0; i < writes; i++) {
    const written = await client.call({
      kind: 'txn',
      request: {
        compare: [compareCreate(fromUtf8(key), createRevision)],
        success: [write()],
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
