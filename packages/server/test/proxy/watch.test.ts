import { utf8 } from '@etcd-ts/base';
import {
  RangeRequest,
  type StreamCall,
  WatchCreateRequest,
  WatchRequest,
  type WatchResponse,
} from '@etcd-ts/protocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EtcdNode } from '../../src/index.ts';
import { InProcessChannel } from '../../src/listeners/in-process.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { Namespace } from '../../src/proxy/namespace.ts';
import { ProxyHandlers } from '../../src/proxy/proxy-handlers.ts';
import { Upstream } from '../../src/proxy/upstream.ts';

let node: EtcdNode;
let proxy: ProxyHandlers;
let upstream: Upstream;
let channel: InProcessChannel;

beforeEach(async () => {
  node = await EtcdNode.start();
  await node.ready();
  upstream = new Upstream(['a', 'b'], () => node.channel());
  proxy = new ProxyHandlers({
    upstream,
    namespace: new Namespace(utf8('')),
    clock: systemClock,
    ordersReads: false,
  });
  channel = new InProcessChannel(proxy.handlers, systemClock);
});
afterEach(async () => {
  await channel.close();
  proxy.close();
  await upstream.close();
  await node.stop();
});

/** A watch stream whose responses are taken one by one. */
class Watching {
  readonly call: StreamCall<WatchRequest, WatchResponse>;
  readonly #responses: AsyncIterator<WatchResponse>;

  constructor(token?: string) {
    const metadata = new Map(token === undefined ? [] : [['client-api-version', token]]);
    this.call = channel.stream('etcdserverpb.Watch/Watch', { metadata });
    this.#responses = this.call.responses[Symbol.asyncIterator]();
  }

  create(key: string, more: Partial<WatchCreateRequest> = {}): void {
    const value = WatchCreateRequest.fromPartial({ key: utf8(key), ...(more as object) });
    this.call.send(
      WatchRequest.fromPartial({ requestUnion: { $case: 'createRequest', value } } as never),
    );
  }

  cancel(watchId: bigint): void {
    const requestUnion = { $case: 'cancelRequest', value: { watchId } };
    this.call.send(WatchRequest.fromPartial({ requestUnion } as never));
  }

  progress(): void {
    const requestUnion = { $case: 'progressRequest', value: {} };
    this.call.send(WatchRequest.fromPartial({ requestUnion } as never));
  }

  async next(): Promise<WatchResponse> {
    const { value } = (await this.#responses.next()) as { value: WatchResponse };
    return value;
  }

  /** Revisions of events until this one. */
  async revisionsUntil(last: number): Promise<number[]> {
    const revisions: number[] = [];
    while (revisions.at(-1) !== last) {
      const { events } = await this.next();
      revisions.push(...events.map(({ kv }) => kv?.modRevision ?? 0));
    }
    return revisions;
  }
}

async function put(key: string): Promise<number> {
  return (await node.client().put(key, 'x')).revision;
}

test('ids are as at a member: counted from 0, or the ones that were asked for', async () => {
  const watching = new Watching();
  watching.create('a');
  watching.create('a');
  watching.create('a', { watchId: 7n });
  watching.create('a', { watchId: 7n });
  const answers = [await watching.next(), await watching.next(), await watching.next()];
  expect(answers.map(({ watchId, created }) => ({ watchId, created }))).toEqual(
    [0n, 1n, 7n].map((watchId) => ({ watchId, created: true })),
  );
  expect(await watching.next()).toMatchObject({
    watchId: -1n,
    created: true,
    canceled: true,
    cancelReason: 'mvcc: duplicate watch ID provided on the WatchStream',
  });
  watching.cancel(99n);
  watching.cancel(1n);
  expect(await watching.next()).toMatchObject({ watchId: 1n, canceled: true, cancelReason: '' });
  watching.call.cancel();
});

test('the end of the requests is not the end of the watch, and created comes before all events', async () => {
  const watching = new Watching();
  const first = await put('k');
  watching.create('k', { startRevision: first });
  watching.call.end();
  expect(await watching.next()).toMatchObject({ created: true, watchId: 0n });
  expect(await watching.revisionsUntil(first)).toEqual([first]);
  const second = await put('k');
  expect(await watching.revisionsUntil(second)).toEqual([second]);
  watching.call.cancel();
});

test('a start below the compact revision is told so, and its id stays taken until it is cancelled', async () => {
  const last = [await put('k'), await put('k'), await put('k')].at(-1) as number;
  await node.client().compact(last);
  const watching = new Watching();
  watching.create('k', { startRevision: 1, watchId: 5n });
  expect(await watching.next()).toMatchObject({ created: true, canceled: false, watchId: 5n });
  expect(await watching.next()).toMatchObject({
    created: false,
    canceled: true,
    watchId: 5n,
    compactRevision: last,
    cancelReason: '',
  });
  watching.create('k', { watchId: 5n });
  expect(await watching.next()).toMatchObject({ created: true, canceled: true, watchId: -1n });
  watching.cancel(5n);
  expect(await watching.next()).toMatchObject({ canceled: true, watchId: 5n });
  watching.create('k', { watchId: 5n });
  expect(await watching.next()).toMatchObject({ created: true, canceled: false, watchId: 5n });
  watching.call.cancel();
});

test('what a member refuses to watch is refused, and the stream goes on', async () => {
  const watching = new Watching();
  watching.create('k', { startRevision: -1 });
  watching.create('k');
  expect(await watching.next()).toMatchObject({ created: true, canceled: true, watchId: -1n });
  expect(await watching.next()).toMatchObject({ created: true, canceled: false });
  watching.call.cancel();
});

test('progress is answered once for the stream, and not at all without watchers', async () => {
  const watching = new Watching();
  watching.progress();
  watching.create('k');
  expect(await watching.next()).toMatchObject({ created: true });
  const revision = await put('other');
  await expect
    .poll(async () => {
      watching.progress();
      return (await watching.next()).header?.revision;
    })
    .toBe(revision);
  watching.call.cancel();
});

test('progress is answered although a compaction has ended the watcher of somebody else', async () => {
  await node.client().compact(await put('k'));
  const [other, watching] = [new Watching(), new Watching()];
  other.create('k', { startRevision: 1 });
  expect(await other.next()).toMatchObject({ created: true });
  expect(await other.next()).toMatchObject({ canceled: true });
  watching.create('another');
  expect(await watching.next()).toMatchObject({ created: true });
  watching.progress();
  expect(await watching.next()).toMatchObject({ watchId: -1n, canceled: false });
  other.call.cancel();
  watching.call.cancel();
});

test('watchers of one range share one of the cluster, also those that began in the past', async () => {
  const start = await put('k');
  for (let i = 0; i < 10; i++) await put('k');
  const all = Array.from({ length: 10 }, () => new Watching());
  all.forEach((watching, i) => watching.create('k', i % 2 === 0 ? {} : { startRevision: start }));
  for (const watching of all) expect(await watching.next()).toMatchObject({ created: true });
  const last = await put('k');
  for (const [i, watching] of all.entries()) {
    const expected = i % 2 === 0 ? [last] : Array.from({ length: 12 }, (_, n) => start + n);
    expect(await watching.revisionsUntil(last)).toEqual(expected);
  }
  const next = await put('k');
  for (const watching of all) expect(await watching.revisionsUntil(next)).toEqual([next]);
  expect(proxy.watcherCount).toBe(1);
  for (const watching of all) watching.call.cancel();
  await expect.poll(() => proxy.watcherCount).toBe(0);
});

test('callers with other metadata, other ranges and other filters share nothing', async () => {
  const [one, two] = [new Watching('1'), new Watching('2')];
  one.create('k');
  one.create('k', { rangeEnd: utf8('l') });
  one.create('k', { filters: [0] });
  one.create('k', { prevKv: true });
  two.create('k');
  for (let i = 0; i < 4; i++) await one.next();
  await two.next();
  expect(proxy.watcherCount).toBe(5);
  one.call.cancel();
  two.call.cancel();
});

test('watchers go on at the next member, behind what they have told', async () => {
  const watching = new Watching();
  watching.create('k');
  await watching.next();
  const first = await put('k');
  expect(await watching.revisionsUntil(first)).toEqual([first]);
  await upstream.channel().close();
  const missed = await put('k');
  upstream.failed(upstream.channel());
  const second = await put('k');
  expect(await watching.revisionsUntil(second)).toEqual([missed, second]);
  watching.call.cancel();
});

test('a range that is streamed comes through', async () => {
  for (let i = 0; i < 3; i++) await put(`r${i}`);
  const request = RangeRequest.fromPartial({ key: utf8('r'), rangeEnd: utf8('s') });
  const call = channel.stream('etcdserverpb.KV/RangeStream');
  call.send(request);
  call.end();
  const keys: string[] = [];
  for await (const { rangeResponse } of call.responses) {
    for (const { key } of rangeResponse?.kvs ?? []) keys.push(new TextDecoder().decode(key));
  }
  expect(keys).toEqual(['r0', 'r1', 'r2']);
});
