/** Watches and renewals that share a stream, against a member whose every answer and failure is chosen. */
import { deferred, utf8 } from '@etcd-ts/base';
import {
  EtcdError,
  Event,
  MessageQueue,
  WatchCreateRequest,
  WatchRequest,
  WatchResponse,
} from '@etcd-ts/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { CallerKinds } from '../../src/proxy/caller-kinds.ts';
import { LeaseRenewals } from '../../src/proxy/lease-renewals.ts';
import type { Receiver } from '../../src/proxy/watch-broadcast.ts';
import { WATCH_RETRY_MS, WatchCoalescer } from '../../src/proxy/watch-coalescer.ts';
import {
  MAX_UNREAD_BYTES,
  MAX_UNREAD_RESPONSES,
  ProxyWatchStream,
} from '../../src/proxy/watch-stream.ts';
import { Namespace } from '../../src/proxy/namespace.ts';
import { ManualClock, turns } from '../services/manual-clock.ts';
import { scripted, type ScriptedStream } from './scripted-member.ts';

type WatchStream = ScriptedStream<'etcdserverpb.Watch/Watch'>;

let streams: WatchStream[];
let clock: ManualClock;
let coalescer: WatchCoalescer;

beforeEach(() => {
  const member = scripted<'etcdserverpb.Watch/Watch'>();
  streams = member.streams;
  clock = new ManualClock();
  coalescer = new WatchCoalescer({ open: member.open, clock, onShared: () => undefined });
});

const header = (revision: number) => ({ clusterId: 1n, memberId: 1n, revision, raftTerm: 1 });
const created = (watchId: bigint, revision: number): WatchResponse =>
  WatchResponse.fromPartial({ watchId, created: true, header: header(revision) });
const events = (watchId: bigint, ...revisions: number[]): WatchResponse =>
  WatchResponse.fromPartial({
    watchId,
    header: header(revisions.at(-1) ?? 0),
    events: revisions.map((modRevision) =>
      Event.fromPartial({ kv: { key: utf8('k'), modRevision } }),
    ),
  });
const compacted = (watchId: bigint): WatchResponse =>
  WatchResponse.fromPartial({ watchId, canceled: true, compactRevision: 5, header: header(9) });

const refusal = (cancelReason: string): WatchResponse =>
  WatchResponse.fromPartial({ watchId: -1n, created: true, canceled: true, cancelReason });
const progress = (revision: number): WatchResponse =>
  WatchResponse.fromPartial({ watchId: -1n, header: header(revision) });

/** A receiver that writes down what it hears. */
function listener(): Receiver & { heard: (string | number)[] } {
  const heard: (string | number)[] = [];
  return {
    heard,
    toldRevision: 0,
    made: () => heard.push('made'),
    tell: (response) => heard.push(...response.events.map(({ kv }) => kv?.modRevision ?? 0)),
    ended: ({ compactRevision, cancelReason }) =>
      heard.push(`ended ${compactRevision} ${cancelReason}`),
  };
}

function join(key: string, startRevision = 0): ReturnType<typeof listener> {
  const receiver = listener();
  coalescer.join(WatchCreateRequest.fromPartial({ key: utf8(key), startRevision }), receiver);
  return receiver;
}

/** Keys and starts of the watchers that a stream was asked for. */
const asked = ({ sent }: WatchStream): [string, number][] =>
  sent.flatMap(({ requestUnion }) =>
    requestUnion?.$case === 'createRequest'
      ? [[new TextDecoder().decode(requestUnion.value.key), requestUnion.value.startRevision]]
      : [],
  );

describe('watches that share a stream', () => {
  test('what comes in one turn with the answer to a create is not lost, neither events nor an end', async () => {
    const [now, past, gone] = [join('now'), join('past', 3), join('gone', 2)];
    streams[0]!.answer(
      created(1n, 10),
      events(1n, 11),
      created(2n, 10),
      events(2n, 3, 11),
      created(3n, 10),
      compacted(3n),
    );
    await turns();
    expect(now.heard).toEqual(['made', 11]);
    expect(past.heard).toEqual(['made', 3, 11]);
    expect(gone.heard).toEqual(['made', 'ended 5 ']);
    expect(coalescer.size).toBe(2);
  });

  test('a watcher that comes while the stream is broken takes the others along to the next one', async () => {
    const first = join('a');
    streams[0]!.answer(created(1n, 10), events(1n, 12));
    await turns();
    streams[0]!.breakOff(new EtcdError('UNAVAILABLE'));
    await turns();
    expect(streams[0]!.failures).toHaveLength(1);
    join('b');
    expect(streams).toHaveLength(2);
    expect(asked(streams[1]!)).toEqual([
      ['a', 13],
      ['b', 0],
    ]);
    await clock.advance(WATCH_RETRY_MS);
    expect(streams).toHaveLength(2);
    streams[1]!.answer(created(1n, 20), events(1n, 21));
    await turns();
    expect(first.heard).toEqual(['made', 12, 21]);
  });

  test('a stream that breaks is opened again after a pause, watchers that were not made as they were asked for', async () => {
    join('a', 7);
    streams[0]!.breakOff(new EtcdError('UNAVAILABLE'));
    await turns();
    await clock.advance(WATCH_RETRY_MS - 1);
    expect(streams).toHaveLength(1);
    await clock.advance(1);
    expect(asked(streams[1]!)).toEqual([['a', 7]]);
  });

  test('a watcher that leaves before it is made is gone, also from the next stream', async () => {
    const receiver = join('a');
    coalescer.leave(receiver);
    expect(coalescer.size).toBe(0);
    streams[0]!.answer(created(1n, 10), events(1n, 11));
    streams[0]!.breakOff(new EtcdError('UNAVAILABLE'));
    await clock.advance(WATCH_RETRY_MS);
    expect(receiver.heard).toEqual([]);
    expect(streams).toHaveLength(1);
  });

  test('callers that the cluster does not serve are told why, made or not', async () => {
    const made = join('a');
    streams[0]!.answer(created(1n, 10));
    await turns();
    const waiting = join('b');
    streams[0]!.breakOff(new EtcdError('PERMISSION_DENIED'));
    await turns();
    const why = 'ended 0 rpc error: code = PermissionDenied desc = etcdserver: permission denied';
    expect([made.heard, waiting.heard]).toEqual([['made', why], [why]]);
    expect(coalescer.size).toBe(0);
  });

  test('a create that the cluster refuses ends its own watcher, and no other', async () => {
    const [first, gone, refused, last] = [join('a'), join('b'), join('c'), join('d')];
    coalescer.leave(gone);
    streams[0]!.answer(created(1n, 10), created(2n, 10), refusal('no rights'), created(4n, 10));
    await turns();
    streams[0]!.answer(events(1n, 11), events(4n, 11));
    await turns();
    expect([first, gone, refused, last].map(({ heard }) => heard)).toEqual([
      ['made', 11],
      [],
      ['ended 0 no rights'],
      ['made', 11],
    ]);
    expect(coalescer.size).toBe(2);
    streams[0]!.breakOff(new EtcdError('UNAVAILABLE'));
    await turns();
    await clock.advance(WATCH_RETRY_MS);
    streams[1]!.answer(refusal('no rights any more'), created(4n, 11));
    await turns();
    expect(first.heard).toEqual(['made', 11, 'ended 0 no rights any more']);
    expect(coalescer.size).toBe(1);
  });

  test('an answer about progress that was overtaken by that to a later create says nothing of that watcher', async () => {
    const answers: number[] = [];
    const onAnswer = (at: WatchResponse['header']): void => void answers.push(at?.revision ?? 0);
    join('k');
    streams[0]!.answer(created(1n, 10));
    await turns();
    coalescer.requestProgress(onAnswer);
    const past = join('k', 3);
    streams[0]!.answer(created(2n, 10), progress(10));
    await turns();
    // Not merged with the one that is up to date, which would leave out what the watcher has still to tell.
    expect(coalescer.size).toBe(2);
    expect(answers).toEqual([]);
    streams[0]!.answer(events(2n, 4, 9), progress(10));
    await turns();
    expect(past.heard).toEqual(['made', 4, 9]);
    expect(answers).toEqual([10]);
    expect(coalescer.size).toBe(1);
  });

  test('whoever asks for progress again, because nothing was answered, has it asked again', async () => {
    let answers = 0;
    const onAnswer = (): void => void (answers += 1);
    join('a');
    streams[0]!.answer(created(1n, 10));
    await turns();
    for (let i = 0; i < 2; i++) coalescer.requestProgress(onAnswer);
    const questions = streams[0]!.sent.filter(
      ({ requestUnion }) => requestUnion?.$case === 'progressRequest',
    );
    expect(questions).toHaveLength(2);
    streams[0]!.answer(progress(10), progress(10));
    await turns();
    expect(answers).toBe(1);
    coalescer.requestProgress(onAnswer);
    coalescer.forgetProgress(onAnswer);
    streams[0]!.answer(progress(10));
    await turns();
    expect(answers).toBe(1);
  });

  test('a watcher that a compaction ended is cancelled at the cluster, which tells of no progress before', async () => {
    const [gone, refused] = [join('gone', 2), join('refused')];
    streams[0]!.answer(created(1n, 10), compacted(1n), refusal('no rights'));
    await turns();
    expect([gone.heard, refused.heard]).toEqual([['made', 'ended 5 '], ['ended 0 no rights']]);
    const cancelled = streams[0]!.sent.flatMap(({ requestUnion }) =>
      requestUnion?.$case === 'cancelRequest' ? [requestUnion.value.watchId] : [],
    );
    expect(cancelled).toEqual([1n]);
    // What the cluster says to that concerns nobody.
    streams[0]!.answer(WatchResponse.fromPartial({ watchId: 1n, canceled: true }));
    await turns();
    expect(gone.heard).toHaveLength(2);
  });

  test('how many share a watcher of another one goes up and down', async () => {
    const all = [join('a'), join('b')];
    streams[0]!.answer(created(1n, 10), created(2n, 10));
    await turns();
    all.push(join('a'), join('a'));
    expect(coalescer.sharing).toBe(2);
    coalescer.leave(all[0]!);
    expect(coalescer.sharing).toBe(1);
    streams[0]!.answer(compacted(1n));
    await turns();
    expect(coalescer.sharing).toBe(0);
  });
});

test('a client that does not read is given up by what waits for it, in bytes or in number', async () => {
  const outcomes = [
    { valueBytes: MAX_UNREAD_BYTES / 2 - 8, fits: 2 },
    { valueBytes: MAX_UNREAD_BYTES * 2, fits: 1 },
    { valueBytes: 0, fits: MAX_UNREAD_RESPONSES - 2 },
  ];
  for (const { valueBytes, fits } of outcomes) {
    const failures: EtcdError[] = [];
    let isRead = deferred<void>();
    const stream = new ProxyWatchStream({
      coalescer,
      namespace: new Namespace(utf8('')),
      responses: { send: () => false, drained: () => isRead.promise },
      fail: (error) => void failures.push(error),
    });
    const value = WatchCreateRequest.fromPartial({ key: utf8(`k${valueBytes}`) });
    const create = WatchRequest.fromPartial({ requestUnion: { $case: 'createRequest', value } });
    const requests = new MessageQueue<WatchRequest>(1);
    requests.push(create);
    void stream.serve(requests);
    await turns();
    const id = BigInt(asked(streams[0]!).length);
    streams[0]!.answer(created(id, 1));
    await turns();
    isRead.resolve();
    await turns();
    isRead = deferred();
    const kv = { key: utf8('k'), value: new Uint8Array(valueBytes) };
    const tell = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const events = [{ kv: { ...kv, modRevision: (revision += 1) } }];
        streams[0]!.answer(
          WatchResponse.fromPartial({ watchId: id, header: header(revision), events }),
        );
      }
      await turns();
    };
    let revision = 1;
    await tell(1);
    isRead.resolve();
    await turns();
    isRead = deferred();
    await tell(fits);
    expect(failures).toEqual([]);
    await tell(fits === 1 ? 1 : 2);
    expect(failures[0]).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    stream.close();
  }
});

test('a renewal that breaks off fails, and the next one goes to a stream of its own', async () => {
  const member = scripted<'etcdserverpb.Lease/LeaseKeepAlive'>();
  const renewals = new LeaseRenewals(member.open);
  const [first, same] = [renewals.renew(1n), renewals.renew(1n)];
  expect(member.streams[0]!.sent).toEqual([{ ID: 1n }]);
  member.streams[0]!.breakOff(new EtcdError('UNAVAILABLE'));
  await expect(Promise.all([first, same])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(member.streams[0]!.failures).toMatchObject([{ code: 'UNAVAILABLE' }]);
  const next = renewals.renew(1n);
  member.streams[1]!.answer({ ID: 1n, TTL: 9, header: header(1) });
  expect(await next).toMatchObject({ TTL: 9 });
  renewals.close();
  expect(member.streams[1]!.isCancelled).toBe(true);
});

describe('what callers of one kind share', () => {
  const context = (token: string) => ({
    signal: new AbortController().signal,
    metadata: new Map([
      ['token', token],
      ['other', String(Math.random())],
    ]),
    peer: { via: 'test', address: '' },
  });

  test('is there from the first to the last of them, and then closed', async () => {
    let open = 0;
    const kinds = new CallerKinds(() => ({ at: ++open, close: () => (open -= 1) }));
    let leave = (): void => undefined;
    const stay = new Promise<void>((resolve) => (leave = resolve));
    const seen: number[] = [];
    const use = ({ at }: { at: number }): Promise<void> => (seen.push(at), stay);
    const calls = ['a', 'a', 'b'].map((token) => kinds.lend(context(token) as never, use));
    expect(seen).toEqual([1, 1, 2]);
    expect(kinds.things).toHaveLength(2);
    leave();
    await Promise.all(calls);
    expect([open, kinds.things.length]).toEqual([0, 0]);
    await expect(
      kinds.lend(context('a') as never, () => Promise.reject(new Error('broken'))),
    ).rejects.toThrow('broken');
    expect([open, kinds.things.length]).toEqual([0, 0]);
  });

  test('one kind more than there may be is refused', async () => {
    const kinds = new CallerKinds(() => ({ close: () => undefined }), 2);
    const never = new Promise<void>(() => undefined);
    for (const token of ['a', 'b']) void kinds.lend(context(token) as never, () => never);
    await expect(kinds.lend(context('more') as never, () => never)).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    });
    void kinds.lend(context('b') as never, () => never);
    expect(kinds.things).toHaveLength(2);
  });
});
