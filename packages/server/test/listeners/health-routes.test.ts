import { AlarmType, EtcdError, type Handlers, RangeResponse } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { healthRoutes, type HealthSource } from '../../src/listeners/health-routes.ts';
import { ManualClock } from './manual-clock.ts';

const handlers: Handlers = {
  'etcdserverpb.KV/Range': () => Promise.resolve(RangeResponse.fromPartial({})),
};

async function ask(
  path: string,
  query = '',
  source: Partial<HealthSource> = {},
): Promise<[number, string]> {
  const routes = healthRoutes({
    handlers,
    clock: new ManualClock(),
    requestTimeoutMs: 7_000,
    hasLeader: () => true,
    raisedAlarms: () => [],
    versions: () => ({ etcdserver: '3.6.0', etcdcluster: '3.6.0', storage: '3.6.0' }),
    ...source,
  });
  const answer = await routes.get(path)?.(new URLSearchParams(query));
  return [answer?.status ?? 0, answer?.body ?? ''];
}

const unhealthy = (reason: string): [number, string] => [
  503,
  `{"health":"false","reason":"${reason}"}\n`,
];

describe('/health', () => {
  test('is true when there are a leader, no alarm, and a read succeeds', async () => {
    expect(await ask('/health')).toEqual([200, '{"health":"true","reason":""}']);
  });

  test('names the alarm, unless it is excluded', async () => {
    const raisedAlarms = (): number[] => [AlarmType.NOSPACE];
    expect(await ask('/health', '', { raisedAlarms })).toEqual(unhealthy('ALARM NOSPACE'));
    expect((await ask('/health', 'exclude=NOSPACE', { raisedAlarms }))[0]).toBe(200);
    const both = (): number[] => [AlarmType.NOSPACE, AlarmType.CORRUPT];
    expect(await ask('/health', 'exclude=NOSPACE', { raisedAlarms: both })).toEqual(
      unhealthy('ALARM CORRUPT'),
    );
    expect(
      (await ask('/health', 'exclude=NOSPACE&exclude=CORRUPT', { raisedAlarms: both }))[0],
    ).toBe(200);
  });

  test('needs a leader, unless it is asked for this member alone', async () => {
    const hasLeader = (): boolean => false;
    expect(await ask('/health', '', { hasLeader })).toEqual(unhealthy('RAFT NO LEADER'));
    expect((await ask('/health', 'serializable=true', { hasLeader }))[0]).toBe(200);
  });

  test('reads from the cluster, or from this member alone when asked so', async () => {
    const seen: boolean[] = [];
    const reading: Handlers = {
      'etcdserverpb.KV/Range': ({ serializable }) => {
        seen.push(serializable);
        return Promise.resolve(RangeResponse.fromPartial({}));
      },
    };
    await ask('/health', '', { handlers: reading });
    await ask('/health', 'serializable=true', { handlers: reading });
    expect(seen).toEqual([false, true]);
  });

  test('tells why the read failed', async () => {
    const failing: Handlers = {
      'etcdserverpb.KV/Range': () => Promise.reject(new EtcdError('TIMEOUT')),
    };
    expect(await ask('/health', '', { handlers: failing })).toEqual(
      unhealthy('RANGE ERROR:etcdserver: request timed out'),
    );
  });

  test('gives the read no more than the request timeout', async () => {
    const clock = new ManualClock();
    const hanging: Handlers = {
      'etcdserverpb.KV/Range': (_request, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    };
    const answer = ask('/health', '', { handlers: hanging, clock });
    clock.pass(7_100);
    expect(await answer).toEqual(unhealthy('RANGE ERROR:context deadline exceeded'));
    expect(clock.timerCount).toBe(0);
  });
});

test('/version tells the versions, in digits and dots alone', async () => {
  const [status, body] = await ask('/version');
  expect([status, body]).toEqual([
    200,
    '{"etcdserver":"3.6.0","etcdcluster":"3.6.0","storage":"3.6.0"}',
  ]);
});
