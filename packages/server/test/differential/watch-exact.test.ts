/** Watch responses that are the same to the letter on real etcd: how large ones are split, and when progress is told. */
import { utf8 } from '@etcd-ts/base';
import {
  type Channel,
  PutRequest,
  type RequestOp,
  TxnRequest,
  WatchCreateRequest,
  type WatchResponse,
} from '@etcd-ts/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { hasEtcd, realEtcd } from '../../../../tools/peers/real-etcd.ts';
import { startMember } from './ours.ts';
import { startRealEtcd, type Target } from './target.ts';

const peers = realEtcd();
const stopping: Target[] = [];

afterEach(async () => {
  await Promise.all(stopping.splice(0).map((target) => target.stop()));
});

/** What counts of a response. */
function essence({ header, watchId, created, canceled, fragment, events }: WatchResponse): unknown {
  const told = events.map(({ kv, prevKv }) => `${kv?.modRevision}<${prevKv?.modRevision}`);
  return { revision: header?.revision, watchId, created, canceled, fragment, told };
}

/** Creates watchers on one stream, and gives what comes until `isEnough`. */
async function watch(
  channel: Channel,
  creates: readonly Parameters<typeof WatchCreateRequest.fromPartial>[0][],
  isEnough: (heard: readonly WatchResponse[]) => boolean,
  whenCreated: () => Promise<unknown> = () => Promise.resolve(),
): Promise<readonly unknown[]> {
  const call = channel.stream('etcdserverpb.Watch/Watch');
  for (const create of creates) {
    const value = WatchCreateRequest.fromPartial(create);
    call.send({ requestUnion: { $case: 'createRequest', value } });
  }
  const heard: WatchResponse[] = [];
  let created = 0;
  for await (const response of call.responses) {
    heard.push(response);
    if (response.created && ++created === creates.length) void whenCreated();
    if (isEnough(heard)) break;
  }
  call.cancel();
  return heard.map(essence);
}

async function put(channel: Channel, key: string, bytes: number): Promise<void> {
  const value = new Uint8Array(bytes);
  await channel.unary('etcdserverpb.KV/Put', PutRequest.fromPartial({ key: utf8(key), value }));
}

const eventCount = (heard: readonly WatchResponse[]): number =>
  heard.reduce((sum, { events }) => sum + events.length, 0);

const LARGE_BYTES = 1_200_000;
const FROM_START = { key: utf8('k'), rangeEnd: utf8('l'), startRevision: 2 };

async function largeHistory(channel: Channel): Promise<unknown> {
  for (const key of ['k1', 'k2', 'k3']) await put(channel, key, LARGE_BYTES);
  const isEnough = (heard: readonly WatchResponse[]): boolean => eventCount(heard) === 3;
  return [
    await watch(channel, [{ ...FROM_START, fragment: true }], isEnough),
    await watch(channel, [FROM_START], isEnough),
  ];
}

async function largeTxn(channel: Channel): Promise<unknown> {
  const bytes = 700_000;
  for (const key of ['k1', 'k2']) await put(channel, key, bytes);
  const op = (key: string): RequestOp => ({
    request: {
      $case: 'requestPut',
      value: PutRequest.fromPartial({ key: utf8(key), value: new Uint8Array(bytes) }),
    },
  });
  const txn = TxnRequest.fromPartial({ success: [op('k1'), op('k2')] });
  return watch(
    channel,
    [{ key: utf8('k'), rangeEnd: utf8('l'), prevKv: true, fragment: true }],
    (heard) => eventCount(heard) === 2,
    () => channel.unary('etcdserverpb.KV/Txn', txn),
  );
}

const PROGRESS_MS = 200;

async function progress(channel: Channel): Promise<unknown> {
  await put(channel, 'other', 1);
  const idle = { key: utf8('idle'), progressNotify: true };
  const future = { key: utf8('other'), progressNotify: true, startRevision: 100 };
  const silent = { key: utf8('other') };
  return watch(channel, [idle, future, silent], (heard) => heard.length === 5);
}

describe.skipIf(!hasEtcd(peers))('beside real etcd', () => {
  test.each([
    ['a history larger than a response is split between its events', largeHistory],
    ['a transaction larger than a response is split between its events', largeTxn],
    ['progress is told to idle watchers that asked for it and have begun', progress],
  ])('%s', async (_, scenario) => {
    if ('missing' in peers) return;
    const flag = `--experimental-watch-progress-notify-interval=${PROGRESS_MS}ms`;
    const [ours, theirs] = await Promise.all([
      startMember({ watchProgressNotifyIntervalMs: PROGRESS_MS }),
      startRealEtcd(peers.etcd, { flags: [flag] }),
    ]);
    stopping.push(ours, theirs);
    const told = await scenario(theirs.channel);
    expect(await scenario(ours.channel)).toEqual(told);
  });
});
