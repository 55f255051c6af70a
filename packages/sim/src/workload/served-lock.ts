/**
 * Locks and elections by the services v3lock and v3election: the member itself waits in the queue for its caller, and
 * writes in his name. What it wrote the log tells (`resolve-unknown.ts`).
 */
import { toLatin1, utf8 } from '@etcd-ts/base';
import { type Channel, EtcdError } from '@etcd-ts/protocol';
import type { SimClient } from './sim-client.ts';
import { rangeRequest } from './wire.ts';

/** How long somebody waits in the queue. */
const WAIT_MS = 4_000;

/** A place in a queue. */
export interface Place {
  readonly kind: 'lock' | 'elect';
  /** Without the slash behind it. */
  readonly name: string;
  readonly key: string;
  readonly lease: bigint;
}

/** What a member said of the one whose turn it is. */
export interface Turn {
  readonly createRevision: number;
  /** Where the key is the first of its queue. */
  readonly acquiredRevision: number;
}

/** Waits until it is this client's turn; undefined when that fails, for whatever reason. */
export async function awaitServedTurn(client: SimClient, place: Place): Promise<Turn | undefined> {
  client.parts.notes.served.add(place.key);
  const { channel } = client.parts.connection();
  return unlessRefused(
    place.kind === 'lock' ? lock(client, channel, place) : campaign(client, channel, place),
  );
}

/** Leaves the queue, and with it the lock or the lead. */
export async function leaveServed(client: SimClient, place: Place, turn?: Turn): Promise<void> {
  const { channel } = client.parts.connection();
  const options = { timeoutMs: WAIT_MS };
  const [name, key] = [utf8(place.name), utf8(place.key)];
  const leader = { name, key, rev: turn?.createRevision ?? 0, lease: place.lease };
  await unlessRefused<unknown>(
    place.kind === 'lock'
      ? channel.unary('v3lockpb.Lock/Unlock', { key }, options)
      : channel.unary('v3electionpb.Election/Resign', { leader }, options),
  );
}

async function unlessRefused<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (!EtcdError.is(error)) throw error;
    return undefined;
  }
}

/** The answer stands at a revision at which the key is the first. */
async function lock(
  client: SimClient,
  channel: Channel,
  { name, key, lease }: Place,
): Promise<Turn | undefined> {
  const request = { name: utf8(name), lease };
  const options = { timeoutMs: WAIT_MS };
  const answer = await channel.unary('v3lockpb.Lock/Lock', request, options);
  const acquiredRevision = answer.header?.revision ?? 0;
  const at = rangeRequest(toLatin1(answer.key), { revision: acquiredRevision });
  const read = await client.call({ kind: 'range', request: at });
  if (read.kind !== 'ok' || read.response.kind !== 'range') return undefined;
  const [own] = read.response.result.kvs;
  // Told to hold what is not there, or another key than its own: the judge has to see it.
  const isOwn = own !== undefined && toLatin1(own.key) === key;
  return { createRevision: isOwn ? own.createRevision : 0, acquiredRevision };
}

/** That it leads is what the election itself says afterwards: the answer stands where it joined the queue. */
async function campaign(
  client: SimClient,
  channel: Channel,
  { name, key, lease }: Place,
): Promise<Turn | undefined> {
  const options = { timeoutMs: WAIT_MS };
  const request = { name: utf8(name), lease, value: client.uniqueValue() };
  const { leader } = await channel.unary('v3electionpb.Election/Campaign', request, options);
  const now = await channel.unary('v3electionpb.Election/Leader', { name: utf8(name) }, options);
  if (now.kv === undefined || toLatin1(now.kv.key) !== key) return undefined;
  return { createRevision: leader?.rev ?? 0, acquiredRevision: now.header?.revision ?? 0 };
}
