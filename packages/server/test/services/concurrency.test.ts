import { fromUtf8, utf8 } from '@etcd-ts/base';
import { memoryBackend, restoreSnapshot, snapshotStore } from '@etcd-ts/mvcc';
import { EtcdError, type LeaderResponse } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { failure, type Harness, harness } from './harness.ts';
import { turns } from './manual-clock.ts';

async function withLeases(): Promise<Harness> {
  const h = await harness();
  for (const id of [10n, 11n, 12n, -7n]) await h.grant(id, 60);
  return h;
}

function lock({ channel }: Harness, lease: bigint, signal?: AbortSignal) {
  return channel.unary('v3lockpb.Lock/Lock', { name: utf8('l'), lease }, { signal });
}

function unlock({ channel }: Harness, key: Uint8Array) {
  return channel.unary('v3lockpb.Lock/Unlock', { key });
}

function campaign({ channel }: Harness, lease: bigint, value = 'v', signal?: AbortSignal) {
  const request = { name: utf8('e'), lease, value: utf8(value) };
  return channel.unary('v3electionpb.Election/Campaign', request, { signal });
}

/** What a call has come to by now. */
function watchCall<T>(call: Promise<T>): { done?: T; failed?: EtcdError } {
  const state: { done?: T; failed?: EtcdError } = {};
  call.then(
    (done) => (state.done = done),
    (error: unknown) => (state.failed = EtcdError.from(error)),
  );
  return state;
}

describe('Lock', () => {
  test('the key is the name and the lease in hexadecimal; a negative one keeps its sign', async () => {
    const h = await withLeases();
    const { key } = await lock(h, -7n);
    expect(fromUtf8(key)).toBe('l/-7');
    expect((await h.range('l/-7')).kvs[0]).toMatchObject({ lease: -7n, value: new Uint8Array(0) });
  });

  test('the same lease gets the same key again at once', async () => {
    const h = await withLeases();
    const { key } = await lock(h, 10n);
    expect((await lock(h, 10n)).key).toEqual(key);
    expect(fromUtf8(key)).toBe('l/a');
  });

  test('is handed on in the order of the queue', async () => {
    const h = await withLeases();
    const held = await lock(h, 10n);
    const second = watchCall(lock(h, 11n));
    await turns();
    const third = watchCall(lock(h, 12n));
    await turns();
    expect([second.done, third.done]).toEqual([undefined, undefined]);
    await unlock(h, held.key);
    await turns(20);
    expect(fromUtf8(second.done?.key ?? new Uint8Array(0))).toBe('l/b');
    expect(third.done).toBeUndefined();
    await h.channel.unary('etcdserverpb.Lease/LeaseRevoke', { ID: 11n });
    await turns(20);
    expect(fromUtf8(third.done?.key ?? new Uint8Array(0))).toBe('l/c');
  });

  test('whoever gives up leaves the queue', async () => {
    const h = await withLeases();
    await lock(h, 10n);
    const giveUp = new AbortController();
    const waiting = watchCall(lock(h, 11n, giveUp.signal));
    await turns();
    expect((await h.range('l/b')).count).toBe(1);
    giveUp.abort();
    await turns(20);
    expect(waiting.failed?.code).toBe('CANCELED');
    expect((await h.range('l/b')).count).toBe(0);
    expect(h.node.state.store.hub.counts.synced).toBe(0);
  });

  test('whoever loses his lease while waiting is told so', async () => {
    const h = await withLeases();
    const held = await lock(h, 10n);
    const waiting = watchCall(lock(h, 11n));
    await turns();
    await h.channel.unary('etcdserverpb.Lease/LeaseRevoke', { ID: 11n });
    await unlock(h, held.key);
    await turns(20);
    expect(waiting.failed?.message).toBe('mutex: session is expired');
  });

  test('lease 0 makes one of a minute', async () => {
    const h = await withLeases();
    const { key } = await lock(h, 0n);
    expect((await h.range(fromUtf8(key))).count).toBe(1);
    await h.node.time.advance(60_000);
    expect((await h.range(fromUtf8(key))).count).toBe(0);
  });

  test('an unlock of nothing succeeds', async () => {
    const h = await withLeases();
    expect((await unlock(h, utf8('nothing'))).header?.revision).toBe(1);
  });

  test('failures have code Unknown and the text they had', async () => {
    const h = await withLeases();
    const { failed } = await settle(watchCall(lock(h, 99n)));
    expect(failed).toMatchObject({ status: 2, message: 'etcdserver: requested lease not found' });
  });

  test('is still handed on after a compaction that the waiting key is older than', async () => {
    const h = await withLeases();
    const held = await lock(h, 10n);
    const waiting = watchCall(lock(h, 11n));
    await turns();
    await h.put('other');
    await h.compact(4, false);
    await unlock(h, held.key);
    await turns(20);
    expect(fromUtf8(waiting.done?.key ?? new Uint8Array(0))).toBe('l/b');
  });

  test('is still handed on at a member that a snapshot takes past the unlock', async () => {
    const [h, ahead] = [await withLeases(), await withLeases()];
    const waits = async (one: Harness) => {
      const held = await lock(one, 10n);
      const waiting = watchCall(lock(one, 11n));
      await turns(20);
      expect(waiting.done).toBeUndefined();
      return { held, waiting };
    };
    const { waiting } = await waits(h);
    await unlock(ahead, (await waits(ahead)).held.key);
    const backend = memoryBackend();
    await restoreSnapshot(backend, snapshotStore(ahead.node.state.store).chunks);
    await h.node.state.replace(backend);
    await turns(20);
    expect(fromUtf8(waiting.done?.key ?? new Uint8Array(0))).toBe('l/b');
  });
});

describe('Election', () => {
  test('the winner’s key has the create revision that names his leadership', async () => {
    const h = await withLeases();
    const { leader, header } = await campaign(h, 10n);
    expect(leader).toMatchObject({ name: utf8('e'), key: utf8('e/a'), lease: 10n, rev: 2 });
    expect(header?.revision).toBe(2);
  });

  test('the next in the queue wins when the leader resigns', async () => {
    const h = await withLeases();
    const { leader } = await campaign(h, 10n, 'one');
    const second = watchCall(campaign(h, 11n, 'two'));
    await turns();
    expect(second.done).toBeUndefined();
    await h.channel.unary('v3electionpb.Election/Resign', { leader });
    await turns(20);
    expect(second.done?.leader?.lease).toBe(11n);
    const { kv } = await h.channel.unary('v3electionpb.Election/Leader', { name: utf8('e') });
    expect(fromUtf8(kv?.value ?? new Uint8Array(0))).toBe('two');
  });

  test('whoever gives up campaigning leaves the queue', async () => {
    const h = await withLeases();
    const { leader } = await campaign(h, 10n, 'one');
    const leaving = new AbortController();
    const second = watchCall(campaign(h, 11n, 'two', leaving.signal));
    const third = watchCall(campaign(h, 12n, 'three'));
    await turns(20);
    leaving.abort();
    expect((await settle(second)).failed?.code).toBe('CANCELED');
    expect((await h.range('e/b')).count).toBe(0);
    await h.channel.unary('v3electionpb.Election/Resign', { leader });
    expect((await settle(third)).done?.leader?.lease).toBe(12n);
  });

  test('to campaign again with another value proclaims it', async () => {
    const h = await withLeases();
    const { leader } = await campaign(h, 10n, 'one');
    const again = await campaign(h, 10n, 'two');
    expect(again.leader).toEqual(leader);
    expect(fromUtf8((await h.range('e/a')).kvs[0]?.value ?? new Uint8Array(0))).toBe('two');
  });

  test('whoever does not lead proclaims in vain, and resigns without an error', async () => {
    const h = await withLeases();
    const { leader } = await campaign(h, 10n);
    const other = { ...leader!, rev: 1 };
    const value = utf8('x');
    const vain = watchCall(
      h.channel.unary('v3electionpb.Election/Proclaim', { leader: other, value }),
    );
    expect((await settle(vain)).failed).toMatchObject({
      status: 2,
      message: 'election: not leader',
    });
    await h.channel.unary('v3electionpb.Election/Resign', { leader: other });
    expect((await h.range('e/a')).count).toBe(1);
  });

  test('whoever proclaims without its lease gets one of a minute: the key does not stay for ever', async () => {
    const h = await withLeases();
    const { leader } = await campaign(h, 10n);
    const value = utf8('x');
    const forgetful = { ...leader!, lease: 0n };
    await h.channel.unary('v3electionpb.Election/Proclaim', { leader: forgetful, value });
    const [kv] = (await h.range('e/a')).kvs;
    expect(h.node.state.lessor.get(kv!.lease)?.grantedTtlSeconds).toBe(60);
    expect(kv!.lease).not.toBe(10n);
  });

  test('without a leader, or without saying who, calls fail with their texts', async () => {
    const h = await withLeases();
    const nobody = h.channel.unary('v3electionpb.Election/Leader', { name: utf8('e') });
    expect((await settle(watchCall(nobody))).failed?.message).toBe('election: no leader');
    const noKey = h.channel.unary('v3electionpb.Election/Resign', { leader: undefined });
    expect((await settle(watchCall(noKey))).failed?.message).toBe(
      '"leader" field must be provided',
    );
  });

  test('an observer hears of the leader, of what it proclaims, and of the next one', async () => {
    const h = await withLeases();
    const call = h.channel.stream('v3electionpb.Election/Observe');
    call.send({ name: utf8('e') });
    const heard: string[] = [];
    const reading = (async () => {
      for await (const { kv } of call.responses as AsyncIterable<LeaderResponse>) {
        heard.push(fromUtf8(kv?.value ?? new Uint8Array(0)));
      }
    })();
    await turns();
    const { leader } = await campaign(h, 10n, 'one');
    await turns(20);
    await h.channel.unary('v3electionpb.Election/Proclaim', { leader, value: utf8('one again') });
    await turns(20);
    void campaign(h, 11n, 'two');
    await turns(20);
    await h.channel.unary('v3electionpb.Election/Resign', { leader });
    await turns(20);
    expect(heard).toEqual(['one', 'one again', 'two']);
    call.cancel();
    expect(await failure(reading)).toBe('CANCELED');
    await turns();
    expect(h.node.state.store.hub.counts.synced).toBe(0);
  });
});

async function settle<T extends { done?: unknown; failed?: EtcdError }>(state: T): Promise<T> {
  await turns(20);
  return state;
}
