import { type Channel, EtcdError, type Handlers } from '@etcd-ts/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Clock, EtcdClient, type Watcher } from '../src/index.ts';
import { WATCH_BUFFER_BATCHES } from '../src/watch/subscription.ts';
import { EagerClock, evenRandom, settle } from './manual-clock.ts';
import { ScriptedChannel } from './scripted-channel.ts';
import { WatchServer } from './watch-server.ts';

function world(): { client: EtcdClient; server: WatchServer; channel: ScriptedChannel } {
  const server = new WatchServer();
  const channel = new ScriptedChannel(server.handlers);
  const client = new EtcdClient({
    endpoints: ['a'],
    connect: () => channel,
    clock: new EagerClock(),
    random: evenRandom,
  });
  return { client, server, channel };
}

/** A channel whose unary calls end with their time. */
function withDeadlines(channel: ScriptedChannel, clock: Clock): Channel {
  return {
    unary: (method, request, options) =>
      new Promise((resolve, reject) => {
        const late = (): void => reject(new EtcdError('DEADLINE_EXCEEDED'));
        const timer = clock.after(options?.timeoutMs ?? 1, () => setImmediate(late));
        channel
          .unary(method, request, options)
          .then(resolve, reject)
          .finally(() => timer.cancel());
      }),
    stream: (method, options) => channel.stream(method, options),
    close: () => channel.close(),
  };
}

/** Revisions of so many events. */
async function take(watcher: Watcher, count: number): Promise<number[]> {
  const revisions: number[] = [];
  for await (const { entry } of watcher) {
    revisions.push(entry.modRevision);
    if (revisions.length === count) break;
  }
  return revisions;
}

function errorOf(watcher: Watcher): Promise<unknown> {
  return take(watcher, Number.POSITIVE_INFINITY).then(
    () => 'ended',
    (error: unknown) => error,
  );
}

describe('a watch', () => {
  test('says when it is there, and delivers what happens after that', async () => {
    const { client, server } = world();
    server.put('a');
    const watcher = client.watch('a');
    expect(await watcher.created).toBe(2);
    server.put('a');
    server.put('b');
    server.put('a');
    expect(await take(watcher, 2)).toEqual([3, 5]);
  });

  test('delivers the past from its start revision on', async () => {
    const { client, server } = world();
    for (let i = 0; i < 10; i++) server.put('a');
    expect(await take(client.watch('a', { startRevision: 4 }), 8)).toEqual([
      4, 5, 6, 7, 8, 9, 10, 11,
    ]);
  });

  test('goes on where it was when its stream breaks', async () => {
    const { client, server, channel } = world();
    const watcher = client.watch('a');
    await watcher.created;
    server.put('a');
    const reading = take(watcher, 4);
    await settle();
    channel.breakStreams();
    server.put('a');
    await settle();
    server.put('a');
    await settle();
    channel.breakStreams(new EtcdError('NO_LEADER'));
    server.put('a');
    expect(await reading).toEqual([2, 3, 4, 5]);
  });

  test('that was not made yet when its stream broke still begins where it began', async () => {
    const { client, server, channel } = world();
    const watcher = client.watch('a', { startRevision: 1 });
    channel.breakStreams();
    server.put('a');
    expect(await take(watcher, 1)).toEqual([2]);
  });

  test('loses nothing, repeats nothing and keeps the order, however its stream breaks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('put', 'put', 'break', 'settle'), { maxLength: 60 }),
        fc.boolean(),
        async (steps, fragments) => {
          const { client, server, channel } = world();
          server.fragments = fragments;
          const watcher = client.watch({ prefix: '' }, { startRevision: 2 });
          const puts = steps.filter((step) => step === 'put').length + 1;
          const reading = take(watcher, puts);
          for (const step of steps) {
            if (step === 'put') server.put('k');
            else if (step === 'break') channel.breakStreams();
            else await settle();
          }
          server.put('last');
          expect(await reading).toEqual(Array.from({ length: puts }, (_, i) => i + 2));
          await client.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  test('puts the fragments of one response together', async () => {
    const { client, server } = world();
    server.fragments = true;
    for (let i = 0; i < 3; i++) server.put('a');
    const watcher = client.watch('a', { startRevision: 2 });
    for await (const batch of watcher.batches()) {
      expect(batch.events.map(({ entry }) => entry.modRevision)).toEqual([2, 3, 4]);
      break;
    }
  });

  test('whose history is compacted ends with COMPACTED and says where history begins', async () => {
    const { client, server } = world();
    for (let i = 0; i < 10; i++) server.put('a');
    server.compactRevision = 7;
    const watcher = client.watch('a', { startRevision: 3 });
    expect(await errorOf(watcher)).toMatchObject({ code: 'COMPACTED' });
    expect(watcher.compactRevision).toBe(7);
  });

  test('that falls behind a compaction while it has no stream ends with COMPACTED after what it has', async () => {
    const { client, server, channel } = world();
    const watcher = client.watch('a', { startRevision: 2 });
    server.put('a');
    await settle();
    channel.breakStreams();
    for (let i = 0; i < 10; i++) server.put('a');
    server.compactRevision = 8;
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { entry } of watcher) seen.push(entry.modRevision);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'COMPACTED' });
    expect(seen).toEqual([2]);
  });

  test('that is refused ends with the reason, and leaves the others alone', async () => {
    const { client, server } = world();
    server.refusal = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
    const denied = client.watch('secret');
    const allowed = client.watch('a', { startRevision: 2 });
    expect(await errorOf(denied)).toMatchObject({ code: 'PERMISSION_DENIED' });
    await expect(denied.created).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    server.put('a');
    expect(await take(allowed, 1)).toEqual([2]);
  });

  test('refused for the token of a stream that has grown old goes to a stream with a new one', async () => {
    const { client, server, channel } = world();
    const other = client.watch('b');
    await other.created;
    server.put('b');
    const old = 'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token';
    server.refusal = old;
    const watcher = client.watch('a');
    await watcher.created;
    server.put('a');
    server.put('b');
    expect(await take(watcher, 1)).toEqual([3]);
    expect(await take(other, 2)).toEqual([2, 4]);
    expect(channel.openStreams).toBe(0);
    const refused = client.watch('a');
    server.refuseAll(old);
    expect(await errorOf(refused)).toMatchObject({ code: 'INVALID_AUTH_TOKEN' });
  });

  test('begins at the next member when the first gives no token', async () => {
    const server = new WatchServer();
    const clock = new EagerClock();
    const handlers: Readonly<Record<string, Handlers>> = {
      away: {
        'etcdserverpb.Auth/Authenticate': () => Promise.reject(new EtcdError('UNAVAILABLE')),
      },
      silent: { 'etcdserverpb.Auth/Authenticate': () => new Promise(() => undefined) },
      there: {
        ...server.handlers,
        'etcdserverpb.Auth/Authenticate': () => Promise.resolve({ token: 't' }),
      },
    };
    for (const first of ['away', 'silent']) {
      const client = new EtcdClient({
        endpoints: [first, 'there'],
        connect: (endpoint) => withDeadlines(new ScriptedChannel(handlers[endpoint] ?? {}), clock),
        clock,
        random: evenRandom,
        credentials: { name: 'n', password: 'p' },
      });
      const watcher = client.watch('a');
      expect(await watcher.created).toBe(server.revision);
      await client.close();
    }
  });

  test('from a revision that is not a whole number is refused with its value', () => {
    const { client } = world();
    for (const startRevision of [Number.NaN, 1.5, Number.POSITIVE_INFINITY]) {
      expect(() => client.watch('a', { startRevision })).toThrow(
        `startRevision is not a whole number: ${startRevision}`,
      );
    }
  });

  test('takes in more events of one revision than a call may have arguments', async () => {
    const { client, server } = world();
    server.batchEvents = 150_000;
    for (let i = 0; i < 150_000; i++) server.put('a');
    const watcher = client.watch('a', { startRevision: 1 });
    for await (const { events } of watcher.batches()) {
      expect(events).toHaveLength(150_000);
      break;
    }
  });

  test('refused for a reason without code ends with FAILED_PRECONDITION and the reason', async () => {
    const { client, server } = world();
    server.refusal = 'mvcc: watcher range is empty';
    expect(await errorOf(client.watch('a'))).toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: 'mvcc: watcher range is empty',
    });
  });

  test('gives progress notices by batch, and moves on by them', async () => {
    const { client, server } = world();
    const watcher = client.watch('a');
    await watcher.created;
    server.put('b');
    watcher.requestProgress();
    for await (const batch of watcher.batches()) {
      expect(batch).toEqual({ events: [], revision: 2 });
      break;
    }
    expect(watcher.nextRevision).toBe(3);
  });
});

describe('the end of a watch', () => {
  test('cancelled: the loop ends, and the server is told', async () => {
    const { client, server } = world();
    const watcher = client.watch('a');
    const other = client.watch('b');
    await Promise.all([watcher.created, other.created]);
    expect(server.watcherCount).toBe(2);
    watcher.cancel();
    expect(await errorOf(watcher)).toBe('ended');
    await settle();
    expect(server.watcherCount).toBe(1);
  });

  test('by its signal: the loop throws CANCELED', async () => {
    const { client, channel } = world();
    const controller = new AbortController();
    const watcher = client.watch('a', { signal: controller.signal });
    const outcome = errorOf(watcher);
    await watcher.created;
    controller.abort();
    expect(await outcome).toMatchObject({ code: 'CANCELED' });
    await settle();
    expect(channel.openStreams).toBe(0);
    expect(await errorOf(client.watch('a', { signal: controller.signal }))).toMatchObject({
      code: 'CANCELED',
    });
  });

  test('the last one frees the stream, and the next one opens another', async () => {
    const { client, server, channel } = world();
    const first = client.watch('a', { startRevision: 2 });
    server.put('a');
    expect(await take(first, 1)).toEqual([2]);
    await settle();
    expect(channel.openStreams).toBe(0);
    expect(await take(client.watch('a', { startRevision: 2 }), 1)).toEqual([2]);
  });

  test('the last one and the first of the next in one turn: the next is not taken for it', async () => {
    const { client, server } = world();
    const first = client.watch('a');
    await first.created;
    first.cancel();
    const next = client.watch('a');
    await next.created;
    server.put('a');
    expect(await take(next, 1)).toEqual([2]);
  });

  test('all at once while the stream is being opened leaves no stream behind', async () => {
    const { client, channel } = world();
    client.watch('a').cancel();
    await settle();
    expect(channel.openStreams).toBe(0);
    const again = client.watch('b');
    expect(await again.created).toBe(1);
  });

  test('a closed client ends all watches with CANCELED, and makes no more', async () => {
    const { client } = world();
    const watcher = client.watch('a');
    await watcher.created;
    const outcome = errorOf(watcher);
    await client.close();
    expect(await outcome).toMatchObject({ code: 'CANCELED' });
    expect(await errorOf(client.watch('a'))).toMatchObject({ code: 'CANCELED' });
  });

  test('an error that another stream would meet again ends all watches with it', async () => {
    const { client, channel } = world();
    const watcher = client.watch('a');
    await watcher.created;
    channel.breakStreams(new EtcdError('PERMISSION_DENIED'));
    expect(await errorOf(watcher)).toMatchObject({ code: 'PERMISSION_DENIED' });
  });
});

describe('a slow reader', () => {
  test('is parked when its buffer is full, and gets everything in the end', async () => {
    const { client, server } = world();
    server.batchEvents = 1;
    const slow = client.watch('a', { startRevision: 2 });
    const quick = client.watch('a', { startRevision: 2 });
    await slow.created;
    const total = WATCH_BUFFER_BATCHES * 3;
    const reading = take(quick, total);
    for (let i = 0; i < total; i++) {
      server.put('a');
      if (i % 10 === 0) await settle();
    }
    const expected = Array.from({ length: total }, (_, i) => i + 2);
    expect(await reading).toEqual(expected);
    await settle();
    expect(slow.nextRevision).toBeLessThanOrEqual(WATCH_BUFFER_BATCHES + 2);
    expect(await take(slow, total)).toEqual(expected);
  });
});
