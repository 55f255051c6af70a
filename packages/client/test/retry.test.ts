import { deferred } from '@etcd-ts/base';
import {
  EtcdError,
  type Handlers,
  PutResponse,
  RangeResponse,
  SnapshotResponse,
  StatusResponse,
} from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { BACKOFF_LAST_MS, backoffMs } from '../src/backoff.ts';
import { MAX_ATTEMPTS, mayRetry } from '../src/caller.ts';
import { EtcdClient, type EtcdClientOptions } from '../src/index.ts';
import { EagerClock, evenRandom, ManualClock, settle } from './manual-clock.ts';
import { ScriptedChannel } from './scripted-channel.ts';

const unavailable = (mayHaveApplied: boolean): EtcdError =>
  new EtcdError('UNAVAILABLE', { mayHaveApplied });
const ok = RangeResponse.fromPartial({ count: 1 });

function world(
  members: readonly Handlers[],
  options: Partial<EtcdClientOptions> = {},
): { client: EtcdClient; channels: ScriptedChannel[] } {
  const channels = members.map((handlers) => new ScriptedChannel(handlers));
  const client = new EtcdClient({
    endpoints: channels.map((_, i) => String(i)),
    connect: (endpoint) => channels[Number(endpoint)] as ScriptedChannel,
    clock: new EagerClock(),
    random: evenRandom,
    ...options,
  });
  return { client, channels };
}

const read = (answer: () => Promise<RangeResponse>): Handlers => ({
  'etcdserverpb.KV/Range': answer,
});
const write = (answer: () => Promise<PutResponse>): Handlers => ({ 'etcdserverpb.KV/Put': answer });

describe('what is tried again', () => {
  test('a read goes to the next member when one is unavailable, and later calls stay there', async () => {
    const { client, channels } = world([
      read(() => Promise.reject(unavailable(true))),
      read(() => Promise.resolve(ok)),
    ]);
    expect(await client.count('k')).toBe(1);
    expect(await client.count('k')).toBe(1);
    expect(channels.map(({ calls }) => calls.length)).toEqual([1, 2]);
  });

  test('a write that was certainly not done goes to the next member', async () => {
    const { client } = world([
      write(() => Promise.reject(unavailable(false))),
      write(() => Promise.resolve(PutResponse.fromPartial({ header: { revision: 5 } }))),
    ]);
    expect((await client.put('k', 'v')).revision).toBe(5);
  });

  test('a write of unknown outcome is never repeated, and its error says so', async () => {
    const { client, channels } = world([
      write(() => Promise.reject(unavailable(true))),
      write(() => Promise.resolve(PutResponse.fromPartial({}))),
    ]);
    await expect(client.put('k', 'v')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      mayHaveApplied: true,
    });
    expect(channels.map(({ calls }) => calls.length)).toEqual([1, 0]);
  });

  test('a transaction that only reads is tried again as a read', async () => {
    let attempts = 0;
    const { client } = world([
      {
        'etcdserverpb.KV/Txn': () =>
          ++attempts === 1
            ? Promise.reject(unavailable(true))
            : Promise.resolve({ succeeded: true, responses: [] }),
      },
    ]);
    expect((await client.txn().commit()).succeeded).toBe(true);
    expect(attempts).toBe(2);
  });

  test('no other error is tried again', async () => {
    const { client, channels } = world([read(() => Promise.reject(new EtcdError('COMPACTED')))]);
    await expect(client.get('k')).rejects.toMatchObject({ code: 'COMPACTED' });
    expect(channels[0]?.calls.length).toBe(1);
    expect(mayRetry(new EtcdError('TIMEOUT'), 'write')).toBe(false);
    expect(mayRetry(new EtcdError('TIMEOUT'), 'read')).toBe(true);
    expect(mayRetry(new EtcdError('DEADLINE_EXCEEDED'), 'read')).toBe(false);
  });

  test('attempts end with the time of the call', async () => {
    const { client, channels } = world([read(() => Promise.reject(unavailable(true)))], {
      timeoutMs: 500,
    });
    await expect(client.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const count = channels[0]?.calls.length ?? 0;
    expect(count).toBeGreaterThan(2);
    expect(count).toBeLessThan(20);
  });

  test('attempts end at their greatest number when the call has no end', async () => {
    const { client, channels } = world([read(() => Promise.reject(unavailable(true)))], {
      timeoutMs: Number.POSITIVE_INFINITY,
    });
    await expect(client.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(channels[0]?.calls.length).toBe(MAX_ATTEMPTS);
  });

  test('a single refresh of a lease goes to the next member as a read does', async () => {
    const { client, channels } = world([
      { 'etcdserverpb.Lease/LeaseKeepAlive': () => Promise.reject(unavailable(true)) },
      { 'etcdserverpb.Lease/LeaseKeepAlive': () => Promise.resolve() },
      {
        'etcdserverpb.Lease/LeaseKeepAlive': async (_requests, _context, responses) => {
          responses.send({ ID: 1n, TTL: 9 });
        },
      },
    ]);
    expect(await client.lease.keepAliveOnce(1n)).toBe(9);
    expect(channels.map(({ calls }) => calls.length)).toEqual([1, 1, 1]);
  });

  test('an aborted signal ends the wait between attempts at once', async () => {
    const clock = new ManualClock();
    const { client } = world([read(() => Promise.reject(unavailable(true)))], { clock });
    const controller = new AbortController();
    const outcome = client.get('k', { signal: controller.signal }).catch((error: unknown) => error);
    await settle();
    expect(clock.timerCount).toBe(1);
    controller.abort();
    expect(await outcome).toMatchObject({ code: 'CANCELED' });
    expect(clock.timerCount).toBe(0);
  });
});

test('waits double up to their limit, and are spread at random', () => {
  const least = { uint32: () => 0 };
  const most = { uint32: () => 2 ** 32 - 1 };
  expect([1, 2, 3].map((failures) => backoffMs(failures, least))).toEqual([12.5, 25, 50]);
  expect(backoffMs(100, most)).toBeLessThanOrEqual(BACKOFF_LAST_MS);
  expect(backoffMs(100, least)).toBe(BACKOFF_LAST_MS / 2);
});

describe('a client with credentials', () => {
  const credentials = { name: 'root', password: 'secret' };

  test('asks for a token once, sends it with every call, and renews it when it is refused', async () => {
    let issued = 0;
    let valid = 'token-1';
    const { client, channels } = world(
      [
        {
          'etcdserverpb.Auth/Authenticate': () => Promise.resolve({ token: `token-${++issued}` }),
          'etcdserverpb.KV/Range': (_request, { metadata }) =>
            metadata.get('token') === valid
              ? Promise.resolve(ok)
              : Promise.reject(new EtcdError('INVALID_AUTH_TOKEN')),
        },
      ],
      { credentials },
    );
    await Promise.all([client.count('a'), client.count('b')]);
    expect(issued).toBe(1);
    valid = 'token-2';
    expect(await client.count('c')).toBe(1);
    expect(issued).toBe(2);
    expect(channels[0]?.calls.at(-1)?.token).toBe('token-2');
  });

  test('gives up when the new token is refused too', async () => {
    const { client } = world(
      [
        {
          'etcdserverpb.Auth/Authenticate': () => Promise.resolve({ token: 't' }),
          'etcdserverpb.KV/Range': () => Promise.reject(new EtcdError('INVALID_AUTH_TOKEN')),
        },
      ],
      { credentials },
    );
    await expect(client.get('a')).rejects.toMatchObject({ code: 'INVALID_AUTH_TOKEN' });
  });

  test('calls without token while auth is not enabled', async () => {
    const { client, channels } = world(
      [
        {
          'etcdserverpb.Auth/Authenticate': () => Promise.reject(new EtcdError('AUTH_NOT_ENABLED')),
          'etcdserverpb.KV/Range': () => Promise.resolve(ok),
        },
      ],
      { credentials },
    );
    expect(await client.count('a')).toBe(1);
    expect(channels[0]?.calls.at(-1)?.token).toBeUndefined();
  });

  test('waits for a token that others wait for as well only for as long as each call has time', async () => {
    const token = deferred<{ token: string }>();
    const clock = new ManualClock();
    const { client, channels } = world(
      [
        {
          'etcdserverpb.Auth/Authenticate': () => token.promise,
          'etcdserverpb.KV/Range': () => Promise.resolve(ok),
        },
      ],
      { credentials, clock },
    );
    const controller = new AbortController();
    const codeOf = (call: Promise<unknown>): Promise<unknown> =>
      call.then(
        () => 'answered',
        (error: unknown) => EtcdError.from(error).code,
      );
    const calls = [
      codeOf(client.count('a', { timeoutMs: 10 })),
      codeOf(client.count('a', { signal: controller.signal })),
      codeOf(client.count('a')),
    ];
    await clock.pass(10);
    controller.abort();
    expect(await Promise.all(calls.slice(0, 2))).toEqual(['DEADLINE_EXCEEDED', 'CANCELED']);
    token.resolve({ token: 't' });
    expect(await calls[2]).toBe('answered');
    expect(channels[0]?.calls.map(({ method }) => method.split('/')[1])).toEqual([
      'Authenticate',
      'Range',
    ]);
    expect(clock.timerCount).toBe(0);
  });

  test('writes at the next member when the first gave no token: nothing was written', async () => {
    const { client, channels } = world(
      [
        { 'etcdserverpb.Auth/Authenticate': () => Promise.reject(unavailable(true)) },
        {
          'etcdserverpb.Auth/Authenticate': () => Promise.resolve({ token: 't' }),
          'etcdserverpb.KV/Put': () =>
            Promise.resolve(PutResponse.fromPartial({ header: { revision: 5 } })),
        },
      ],
      { credentials },
    );
    expect((await client.put('k', 'v')).revision).toBe(5);
    expect(channels[1]?.calls.at(-1)?.token).toBe('t');
  });

  test('renews its token also for what goes to one member, and for streams of one answer', async () => {
    let issued = 0;
    let valid = '';
    const check = (metadata: ReadonlyMap<string, string>): void => {
      if (metadata.get('token') !== valid) throw new EtcdError('INVALID_AUTH_TOKEN');
    };
    const { client } = world(
      [
        {
          'etcdserverpb.Auth/Authenticate': () => Promise.resolve({ token: `token-${++issued}` }),
          'etcdserverpb.Maintenance/Status': async (_request, { metadata }) => {
            check(metadata);
            return StatusResponse.fromPartial({});
          },
          'etcdserverpb.Maintenance/Snapshot': async (_requests, { metadata }, responses) => {
            check(metadata);
            responses.send(SnapshotResponse.fromPartial({}));
          },
          'etcdserverpb.Lease/LeaseKeepAlive': async (_requests, { metadata }, responses) => {
            check(metadata);
            responses.send({ ID: 1n, TTL: 9 });
          },
        },
      ],
      { credentials },
    );
    const snapshot = async (): Promise<number> => {
      let chunks = 0;
      for await (const _ of client.maintenance.snapshot()) chunks += 1;
      return chunks;
    };
    const works = [() => client.status(), snapshot, () => client.lease.keepAliveOnce(1n)];
    for (const [i, work] of works.entries()) {
      valid = `token-${i + 2}`;
      await work();
      expect(issued).toBe(i + 2);
    }
    valid = 'no token';
    for (const work of works) await expect(work()).rejects.toThrow('invalid auth token');
  });
});
