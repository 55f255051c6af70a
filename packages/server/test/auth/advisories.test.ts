/** What etcd's published security advisories are about must not work here. */
import { utf8 } from '@etcd-ts/base';
import { EtcdError, WatchCreateRequest } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { frameHeader, FrameReader, MAX_FRAME_BYTES } from '../../src/peers/frame.ts';
import { events, failure, harness, op } from '../services/harness.ts';
import { FROM_KEY, READ, READWRITE, secured, SINGLE, WRITE } from '../services/secured.ts';

test('GHSA-xg4h-6gfc-h4m8: the right to one key does not let watch all that follow', async () => {
  const h = await secured([[READ, 'a', SINGLE]]);
  const alice = await h.login('alice');
  const call = h.channel.stream('etcdserverpb.Watch/Watch', alice.options);
  const value = WatchCreateRequest.fromPartial({ key: utf8('a'), rangeEnd: FROM_KEY });
  call.send({ requestUnion: { $case: 'createRequest', value } });
  const heard: unknown[] = [];
  const hearing = (async () => {
    for await (const { created, canceled, events: told } of call.responses) {
      heard.push({ created, canceled, told });
    }
  })();
  await h.root.put('b', { value: utf8('secret') });
  await h.root.put('a');
  call.cancel();
  await hearing.catch(() => undefined);
  expect(heard).toEqual([{ created: true, canceled: true, told: [] }]);
});

describe('GHSA-rfx7-8w68-q57q (CVE-2026-33343): operations of nested transactions need their rights', () => {
  const nest = (one: ReturnType<typeof op.put>, depth: number): ReturnType<typeof op.put> =>
    depth === 0 ? one : op.txn({ success: [nest(one, depth - 1)] });

  for (const depth of [1, 2, 5]) {
    for (const branch of ['success', 'failure'] as const) {
      test(`at depth ${depth}, in the ${branch} branch`, async () => {
        const h = await secured([[READWRITE, 'a', SINGLE]]);
        await h.root.put('b', { value: utf8('secret') });
        const alice = await h.login('alice');
        for (const one of [op.range('b'), op.put('b', 'x'), op.del('b')]) {
          const call = alice.txn({ [branch]: [nest(one, depth)] });
          expect(await failure(call)).toBe('PERMISSION_DENIED');
        }
        const nestedCompare = op.txn({ compare: [{ key: utf8('b') }], success: [op.put('a')] });
        expect(await failure(alice.txn({ [branch]: [nestedCompare] }))).toBe('PERMISSION_DENIED');
        expect(new TextDecoder().decode((await h.root.range('b')).kvs[0]?.value)).toBe('secret');
      });
    }
  }
});

describe('etcd pull requests 21681 and 21685: a put does not read or write around the rights', () => {
  test('prev_kv needs the right to read, alone and in transactions', async () => {
    const h = await secured([[WRITE, 'a', SINGLE]]);
    await h.root.put('a', { value: utf8('secret') });
    const alice = await h.login('alice');
    expect(await failure(alice.put('a', { prevKv: true }))).toBe('PERMISSION_DENIED');
    const inTxn = op.put('a', '', { prevKv: true });
    expect(await failure(alice.txn({ success: [inTxn] }))).toBe('PERMISSION_DENIED');
    expect(await failure(alice.txn({ success: [op.txn({ failure: [inTxn] })] }))).toBe(
      'PERMISSION_DENIED',
    );
    expect((await alice.put('a')).prevKv).toBeUndefined();
  });

  test('a lease needs the right to write all its keys, alone and in transactions', async () => {
    const h = await secured([[READWRITE, 'a', SINGLE]]);
    await h.root.call('etcdserverpb.Lease/LeaseGrant', { ID: 7n, TTL: 600 });
    await h.root.put('b', { lease: 7n });
    const alice = await h.login('alice');
    expect(await failure(alice.put('a', { lease: 7n }))).toBe('PERMISSION_DENIED');
    const inTxn = op.put('a', '', { lease: 7n });
    expect(await failure(alice.txn({ failure: [inTxn] }))).toBe('PERMISSION_DENIED');
    expect(await failure(alice.call('etcdserverpb.Lease/LeaseRevoke', { ID: 7n }))).toBe(
      'PERMISSION_DENIED',
    );
  });
});

test('etcd pull request 22139: what nested transactions put counts against the quota', async () => {
  const h = await harness({ quotaBackendBytes: 4_096 });
  const large = op.put('k', 'x'.repeat(5_000));
  const nested = h.txn({ success: [op.txn({ failure: [op.txn({ success: [large] })] })] });
  expect(await failure(nested)).toBe('NO_SPACE');
  expect(h.node.state.alarms.list()).toEqual([{ memberID: h.node.memberId, alarm: 1 }]);
});

test('etcd pull request 20286: a watch from a revision to come tells nothing from before it', async () => {
  const h = await harness();
  const watch = h.watch();
  watch.create('k', { startRevision: 5 });
  expect((await watch.next()).created).toBe(true);
  for (let i = 0; i < 4; i++) await h.put('k', `${i}`);
  expect(events(await watch.next())).toEqual(['put k@5']);
});

test('etcd pull request 22147: a peer cannot make a member read without end', () => {
  const reader = new FrameReader();
  const header = frameHeader(new Uint8Array(16));
  new DataView(header.buffer, header.byteOffset).setUint32(0, MAX_FRAME_BYTES + 1);
  expect(() => [...reader.push(header)]).toThrow(/the limit is/);
});

describe('nobody stops all writes who may not write', () => {
  const LARGE = 'x'.repeat(5_000);

  test('what is not permitted raises no alarm, however large it is', async () => {
    const h = await secured([[WRITE, 'a', SINGLE]], {}, { quotaBackendBytes: 4_096 });
    const alice = await h.login('alice');
    const value = utf8(LARGE);
    expect(await failure(h.nobody.put('a', { value }))).toBe('USER_EMPTY');
    expect(await failure(alice.put('b', { value }))).toBe('PERMISSION_DENIED');
    expect(await failure(alice.txn({ success: [op.put('b', LARGE)] }))).toBe('PERMISSION_DENIED');
    expect(h.node.state.alarms.isEmpty).toBe(true);
    expect(await failure(alice.put('a', { value }))).toBe('NO_SPACE');
    expect(h.node.state.alarms.isEmpty).toBe(false);
  });

  test('a lock or an election of nobody makes no lease', async () => {
    const h = await secured([[WRITE, 'a', SINGLE]]);
    const lock = { name: utf8('a'), lease: 0n };
    await h.nobody.call('v3lockpb.Lock/Lock', lock).catch(() => undefined);
    const campaign = { ...lock, value: utf8('v') };
    await h.nobody.call('v3electionpb.Election/Campaign', campaign).catch(() => undefined);
    expect(h.node.state.lessor.size).toBe(0);
  });

  test('a lock or an election of nobody, for which a lease would have to be made, raises none either', async () => {
    const h = await secured([[WRITE, 'a', SINGLE]], {}, { quotaBackendBytes: 1 });
    const lock = { name: utf8('a'), lease: 0n };
    const messageOf = async (call: Promise<unknown>): Promise<string> => {
      const error: unknown = await call.catch((reason: unknown) => reason);
      return EtcdError.from(error).message;
    };
    const campaign = { ...lock, value: utf8('v') };
    const text = new EtcdError('USER_EMPTY').message;
    expect(await messageOf(h.nobody.call('v3lockpb.Lock/Lock', lock))).toBe(text);
    expect(await messageOf(h.nobody.call('v3electionpb.Election/Campaign', campaign))).toBe(text);
    expect(h.node.state.alarms.isEmpty).toBe(true);
  });
});
