/** Leasing: proxies that answer reads of keys that they own, and never with anything but what the cluster has. */
import { type Deferred, deferred, fromUtf8, utf8 } from '@etcd-ts/base';
import {
  type CallContext,
  Compare,
  DeleteRangeRequest,
  EtcdError,
  PutRequest,
  RangeRequest,
  type RequestOp,
  TxnRequest,
} from '@etcd-ts/protocol';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EtcdNode } from '../../src/index.ts';
import { silentLogger } from '../../src/logger.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { LeasingKv } from '../../src/proxy/leasing/leasing-kv.ts';
import { LeaseKeys, writesOf } from '../../src/proxy/leasing/lease-keys.ts';
import { type UnaryCalls, Upstream } from '../../src/proxy/upstream.ts';

let node: EtcdNode;
const proxies: Proxy[] = [];

beforeEach(async () => {
  node = await EtcdNode.start();
  await node.ready();
});
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.leasing.close();
  await node.stop();
});

const context = (metadata: [string, string][] = []): CallContext =>
  ({
    signal: new AbortController().signal,
    metadata: new Map(metadata),
    peer: { via: 'test', address: '' },
  }) as never;
const range = (key: string, more: Partial<RangeRequest> = {}): RangeRequest =>
  RangeRequest.fromPartial({ key: utf8(key), ...more });

/** A leasing proxy, whose calls to the cluster are counted and can be held back. */
class Proxy {
  calls = 0;
  /** Answers wait for it. */
  held: Deferred<void> | undefined;
  readonly leasing: LeasingKv;

  constructor(prefix = 'l/', namespace = '') {
    const upstream = new Upstream(['a'], () => node.channel());
    const calls: UnaryCalls['unary'] = async (method, request, at) => {
      this.calls += 1;
      const response = await upstream.unary(method, request, at);
      await this.held?.promise;
      return response;
    };
    this.leasing = new LeasingKv({
      calls: { unary: calls },
      client: node.client(),
      clock: systemClock,
      log: silentLogger,
      namespace: utf8(namespace),
      prefix: utf8(prefix),
    });
    proxies.push(this);
  }

  async get(key: string, more: Partial<RangeRequest> = {}): Promise<string | undefined> {
    const { kvs } = await this.leasing.unary('etcdserverpb.KV/Range', range(key, more), context());
    return kvs[0] && fromUtf8(kvs[0].value);
  }

  put(key: string, value: string, more: Partial<PutRequest> = {}) {
    const request = PutRequest.fromPartial({ key: utf8(key), value: utf8(value), ...more });
    return this.leasing.unary('etcdserverpb.KV/Put', request, context());
  }

  /** So many calls to the cluster does this take. */
  async costOf(work: () => Promise<unknown>): Promise<number> {
    const before = this.calls;
    await work();
    return this.calls - before;
  }

  /** Reads a key until it is owned. */
  async own(key: string): Promise<this> {
    await expect
      .poll(async () => {
        await this.get(key);
        return this.costOf(() => this.get(key));
      })
      .toBe(0);
    return this;
  }
}

const direct = async (key: string): Promise<string | undefined> =>
  (await node.client().get(key))?.text;

describe('a key that is owned', () => {
  test('is read without the cluster, its keys and its count too, but not its past', async () => {
    await node.client().put('k', 'v');
    const proxy = await new Proxy().own('k');
    expect(await proxy.costOf(async () => expect(await proxy.get('k')).toBe('v'))).toBe(0);
    expect(await proxy.get('k', { keysOnly: true })).toBe('');
    expect(await proxy.get('k', { countOnly: true })).toBeUndefined();
    expect(await proxy.costOf(() => proxy.get('k', { revision: 2 }))).toBe(1);
    expect(await proxy.costOf(() => proxy.get('k', { rangeEnd: utf8('l') }))).toBe(1);
    const withToken = context([['token', 't']]);
    const ask = () => proxy.leasing.unary('etcdserverpb.KV/Range', range('k'), withToken);
    expect(await proxy.costOf(() => ask().catch(() => undefined))).toBe(1);
  });

  test('is written by its owner in one call, and stays owned', async () => {
    await node.client().put('k', 'v');
    const proxy = await new Proxy().own('k');
    expect(await proxy.costOf(() => proxy.put('k', 'w', { prevKv: true }))).toBe(1);
    expect(await proxy.costOf(async () => expect(await proxy.get('k')).toBe('w'))).toBe(0);
    expect(await direct('k')).toBe('w');
    expect((await proxy.put('k', 'x', { prevKv: true })).prevKv?.value).toEqual(utf8('w'));
  });

  test('is read by nobody while a write to it is under way: others may have seen it', async () => {
    await node.client().put('k', 'v');
    const proxy = await new Proxy().own('k');
    proxy.held = deferred();
    const writing = proxy.put('k', 'w');
    await expect.poll(() => direct('k')).toBe('w');
    const reading = proxy.get('k');
    const soon = new Promise((resolve) => setImmediate(() => resolve('nobody')));
    expect(await Promise.race([reading, soon])).toBe('nobody');
    proxy.held.resolve();
    await writing;
    expect(await reading).toBe('w');
  });

  test('is written by one caller at a time, so that the last answer is that of the last write', async () => {
    await node.client().put('k', 'v');
    const proxy = await new Proxy().own('k');
    proxy.held = deferred();
    const before = proxy.calls;
    const writing = ['w', 'x', 'y'].map((value) => proxy.put('k', value));
    await expect.poll(() => direct('k')).toBe('w');
    expect(proxy.calls - before).toBe(1);
    proxy.held.resolve();
    await Promise.all(writing);
    expect(await proxy.get('k')).toBe('y');
    expect(await proxy.costOf(() => proxy.get('k'))).toBe(0);
  });

  test('whose ownership ends before its owner knows that it has it is not owned', async () => {
    await node.client().put('k', 'v');
    await node.client().put('ready', 'v');
    const proxy = await new Proxy().own('ready');
    proxy.held = deferred();
    const reading = proxy.get('k');
    await expect.poll(() => direct('l/k')).toBe('');
    await node.client().delete('l/k');
    await node.client().delete('l/ready');
    await expect.poll(() => proxy.leasing.size).toBe(0);
    await node.client().put('k', 'w');
    proxy.held.resolve();
    expect(await reading).toBe('v');
    expect(await proxy.get('k')).toBe('w');
  });

  test('is given up to whoever writes it: by put, by delete of a range, by any branch of a transaction', async () => {
    const [owner, other] = [new Proxy(), new Proxy()];
    const txn = (failure: RequestOp[]) =>
      other.leasing.unary('etcdserverpb.KV/Txn', TxnRequest.fromPartial({ failure }), context());
    const value = DeleteRangeRequest.fromPartial({ key: utf8('a'), rangeEnd: utf8('z') });
    const writes: (() => Promise<unknown>)[] = [
      () => other.put('k', '1'),
      () =>
        txn([
          { request: { $case: 'requestPut', value: PutRequest.fromPartial({ key: utf8('k') }) } },
        ]),
      () => other.leasing.unary('etcdserverpb.KV/DeleteRange', value, context()),
    ];
    for (const [i, write] of writes.entries()) {
      await node.client().put(`k`, `before ${i}`);
      // Left alone for a while after somebody wanted it, a key is not owned again at once: each has its own proxy.
      const fresh = i === 0 ? owner : new Proxy();
      await fresh.own('k');
      await write();
      expect(await fresh.get('k')).toBe(await direct('k'));
    }
  });

  test('is given up by its owner for what it does not write by itself', async () => {
    await node.client().put('k', 'v');
    const proxy = await new Proxy().own('k');
    const { id } = await node.client().lease.grant(60);
    await proxy.put('k', 'leased', { lease: id });
    expect(proxy.leasing.size).toBe(0);
    // A key on a lease goes without anybody's asking: it is never owned.
    await proxy.get('k');
    expect(proxy.leasing.size).toBe(0);
    await node.client().lease.revoke(id);
    expect(await proxy.get('k')).toBeUndefined();
    expect(proxy.leasing.size).toBe(0);
  });

  test('that is wanted before its owner knows that it has it is not owned', async () => {
    await node.client().put('k', 'v');
    await node.client().put('ready', 'v');
    const [owner, other] = [await new Proxy().own('ready'), new Proxy()];
    owner.held = deferred();
    const reading = owner.get('k');
    await expect.poll(() => direct('l/k')).toBe('');
    const writing = other.put('k', 'w');
    await expect.poll(() => direct('l/k')).not.toBe('');
    owner.held.resolve();
    owner.held = undefined;
    expect(await reading).toBe('v');
    await writing;
    expect(await owner.get('k')).toBe('w');
  });

  test('is nobody’s any more when authentication is enabled: callers without a token may not see it', async () => {
    await node.client().put('k', 'v');
    const proxy = await new Proxy().own('k');
    const { auth } = node.client();
    await auth.addUser('root', 'root');
    await auth.grantRole('root', 'root');
    await proxy.leasing.unary('etcdserverpb.Auth/AuthEnable', {}, context());
    await expect(proxy.get('k')).rejects.toMatchObject({ code: 'USER_EMPTY' });
    expect(proxy.leasing.size).toBe(0);
  });

  test('does not count any more when the lease of its owner is lost', async () => {
    await node.client().put('k', 'v');
    const proxy = await new Proxy().own('k');
    for (const lease of await node.client().lease.list()) await node.client().lease.revoke(lease);
    await node.client().put('k', 'behind its back');
    await expect.poll(() => proxy.get('k')).toBe('behind its back');
    await proxy.own('k');
    expect(await proxy.get('k')).toBe('behind its back');
  });
});

test('a key that is not there is not owned: the cluster may make it for a lock', async () => {
  const proxy = new Proxy();
  await node.client().put('ready', '');
  await proxy.own('ready');
  expect(await proxy.get('absent')).toBeUndefined();
  expect(await proxy.costOf(() => proxy.get('absent'))).toBeGreaterThan(0);
  expect(proxy.leasing.size).toBe(1);
  // What cannot be owned is read plainly for a while: an attempt is an entry in the log.
  const { appliedIndex } = node.status();
  for (let i = 0; i < 10; i++) await proxy.get('absent');
  expect(node.status().appliedIndex).toBe(appliedIndex);
});

test('what cannot be owned, because the cluster takes no writes, is still read', async () => {
  await node.client().put('k', 'v');
  await node.client().put('ready', '');
  const proxy = await new Proxy().own('ready');
  const alarm = { action: 1, memberID: node.memberId, alarm: 1 } as const;
  await node.channel().unary('etcdserverpb.Maintenance/Alarm', alarm);
  expect(await proxy.get('k')).toBe('v');
  expect(proxy.leasing.size).toBe(1);
  await expect(proxy.put('k', 'w')).rejects.toMatchObject({ code: 'NO_SPACE' });
});

test('answers and errors of writes are those of the cluster', async () => {
  const proxy = new Proxy();
  const empty = proxy.put('', 'v');
  await expect(empty).rejects.toThrow('etcdserver: key is not provided');
  const put = await proxy.put('a', '1');
  expect(put).toMatchObject({ header: { revision: 2, memberId: node.memberId } });
  const request = TxnRequest.fromPartial({
    compare: [
      Compare.fromPartial({
        key: utf8('a'),
        target: 0,
        targetUnion: { $case: 'version', value: 1 },
      }),
    ],
    success: [
      { request: { $case: 'requestPut', value: PutRequest.fromPartial({ key: utf8('b') }) } },
      { request: { $case: 'requestRange', value: range('a') } },
    ],
  });
  const txn = await proxy.leasing.unary('etcdserverpb.KV/Txn', request, context());
  expect(txn).toMatchObject({ succeeded: true, header: { revision: 3, memberId: node.memberId } });
  expect(txn.responses.map(({ response }) => response?.$case)).toEqual([
    'responsePut',
    'responseRange',
  ]);
  const removal = DeleteRangeRequest.fromPartial({ key: utf8('a'), rangeEnd: utf8('c') });
  expect(
    await proxy.leasing.unary('etcdserverpb.KV/DeleteRange', removal, context()),
  ).toMatchObject({ deleted: 2, header: { revision: 4 } });
  // Many writes are guarded by the range around them.
  const many = Array.from({ length: 100 }, (_, i): RequestOp => ({
    request: { $case: 'requestPut', value: PutRequest.fromPartial({ key: utf8(`m${i}`) }) },
  }));
  const all = TxnRequest.fromPartial({ success: many });
  expect((await proxy.leasing.unary('etcdserverpb.KV/Txn', all, context())).responses).toHaveLength(
    100,
  );
});

test('whoever waits for a key stops when it is called off', async () => {
  await node.client().put('k', 'v');
  await node
    .client()
    .put('l/k', 'of a proxy that is gone', { lease: (await node.client().lease.grant(60)).id });
  const proxy = new Proxy();
  const controller = new AbortController();
  const called = { ...context(), signal: controller.signal };
  const request = PutRequest.fromPartial({ key: utf8('k'), value: utf8('w') });
  const writing = proxy.leasing.unary('etcdserverpb.KV/Put', request, called);
  const outcome = writing.then(
    () => 'written',
    (error: unknown) => EtcdError.from(error).code,
  );
  await expect.poll(() => direct('l/k')).toBe('REVOKE');
  controller.abort();
  expect(await outcome).toBe('CANCELED');
  expect(await direct('k')).toBe('v');
});

test('every proxy reads what was written last, whoever wrote it, however keys change hands', async () => {
  const all = [new Proxy(), new Proxy(), new Proxy()];
  const keys = ['x', 'y'];
  let isOver = false;
  const reading = all.map(async (proxy) => {
    while (!isOver) {
      for (const key of keys) await proxy.get(key);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  for (let i = 0; i < 60; i++) {
    const [key, writer] = [keys[i % 2]!, all[(i * 7) % 3]!];
    await writer.put(key, String(i));
    const seen = await Promise.all(all.map((proxy) => proxy.get(key)));
    expect({ i, seen }).toEqual({ i, seen: [String(i), String(i), String(i)] });
  }
  isOver = true;
  await Promise.all(reading);
});

describe('names of ownership', () => {
  const text = ({ key, rangeEnd }: { key: Uint8Array; rangeEnd: Uint8Array }): string[] =>
    [key, rangeEnd].map(fromUtf8);

  test('lie inside the namespace, and so do their ranges', () => {
    const names = new LeaseKeys(utf8('ns/'), utf8('l/'));
    expect(fromUtf8(names.of(utf8('ns/k')))).toBe('ns/l/k');
    expect(fromUtf8(names.owned(utf8('ns/l/k')))).toBe('ns/k');
    const ranges = [
      ['ns/a', ''],
      ['ns/a', 'ns/b'],
      ['ns/a', 'ns0'],
      ['ns/a', '\0'],
    ].map(([key, end]) => text(names.ofRange({ key: utf8(key!), rangeEnd: utf8(end!) })));
    expect(ranges).toEqual([
      ['ns/l/a', ''],
      ['ns/l/a', 'ns/l/b'],
      ['ns/l/a', 'ns/l0'],
      ['ns/l/a', 'ns/l0'],
    ]);
  });

  test('of many writes the range around them all is guarded', () => {
    const put = (key: string): RequestOp => ({
      request: { $case: 'requestPut', value: PutRequest.fromPartial({ key: utf8(key) }) },
    });
    const few = TxnRequest.fromPartial({ success: [put('b')], failure: [put('a')] });
    expect(writesOf(few).map(text)).toEqual([
      ['b', ''],
      ['a', ''],
    ]);
    const many = TxnRequest.fromPartial({
      success: Array.from({ length: 17 }, (_, i) => put(String.fromCharCode(98 + i))),
    });
    expect(writesOf(many).map(text)).toEqual([['b', 'r\0']]);
    const open = DeleteRangeRequest.fromPartial({ key: utf8('a'), rangeEnd: utf8('\0') });
    const all = [
      ...many.success,
      { request: { $case: 'requestDeleteRange', value: open } } as const,
    ];
    expect(writesOf(TxnRequest.fromPartial({ success: all })).map(text)).toEqual([['a', '\0']]);
  });
});
