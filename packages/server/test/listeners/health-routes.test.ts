import { AlarmType, EtcdError } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import {
  healthRoutes,
  type HealthSource,
  versionRoutes,
} from '../../src/listeners/health-routes.ts';
import { probeRoutes } from '../../src/listeners/probe-routes.ts';
import type { Routes } from '../../src/listeners/route.ts';
import { NodeMetrics } from '../../src/metrics/node-metrics.ts';
import { ManualClock } from './manual-clock.ts';

function routesOf(source: Partial<HealthSource>): Routes {
  const whole: HealthSource = {
    clock: new ManualClock(),
    requestTimeoutMs: 7_000,
    hasLeader: () => true,
    isLearner: () => false,
    raisedAlarms: () => [],
    read: () => Promise.resolve(),
    versions: () => ({ etcdserver: '3.6.0', etcdcluster: '3.6.0', storage: '3.6.0' }),
    metrics: new NodeMetrics(),
    ...source,
  };
  return new Map([...healthRoutes(whole), ...versionRoutes(whole), ...probeRoutes(whole)]);
}

async function ask(
  path: string,
  query = '',
  source: Partial<HealthSource> = {},
): Promise<[number, string]> {
  const answer = await routesOf(source).get(path)?.answer(new URLSearchParams(query));
  const { status = 0, body = '' } = answer ?? {};
  return [status, typeof body === 'string' ? body : 'a stream'];
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
    const read = (serializable: boolean): Promise<void> => {
      seen.push(serializable);
      return Promise.resolve();
    };
    await ask('/health', '', { read });
    await ask('/health', 'serializable=true', { read });
    expect(seen).toEqual([false, true]);
  });

  test('tells why the read failed', async () => {
    const read = (): Promise<void> => Promise.reject(new EtcdError('TIMEOUT'));
    expect(await ask('/health', '', { read })).toEqual(
      unhealthy('RANGE ERROR:etcdserver: request timed out'),
    );
  });

  test('gives the read no more than the request timeout', async () => {
    const clock = new ManualClock();
    const answer = ask('/health', '', { read: hanging, clock });
    clock.pass(7_100);
    expect(await answer).toEqual(unhealthy('RANGE ERROR:context deadline exceeded'));
    expect(clock.timerCount).toBe(0);
  });

  test('counts how it answered', async () => {
    const metrics = new NodeMetrics();
    await ask('/health', '', { metrics });
    await ask('/health', '', { metrics, hasLeader: () => false });
    await ask('/health', '', { metrics, hasLeader: () => false });
    expect([metrics.healthSuccesses, metrics.healthFailures]).toEqual([1, 2]);
  });
});

function hanging(_serializable: boolean, signal: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
}

describe('/livez and /readyz', () => {
  const linearizableFails = (serializable: boolean): Promise<void> =>
    serializable ? Promise.resolve() : Promise.reject(new EtcdError('NO_LEADER'));

  test('say ok, and which checks there are when asked', async () => {
    expect(await ask('/livez')).toEqual([200, 'ok\n']);
    expect(await ask('/livez', 'verbose')).toEqual([200, '[+]serializable_read ok\nok\n']);
    expect(await ask('/readyz')).toEqual([200, 'ok\n']);
    expect(await ask('/readyz', 'verbose')).toEqual([
      200,
      '[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n',
    ]);
  });

  test('a member without a leader lives and is not ready', async () => {
    const source = { read: linearizableFails };
    expect(await ask('/livez', '', source)).toEqual([200, 'ok\n']);
    expect(await ask('/readyz', '', source)).toEqual([
      503,
      '[+]data_corruption ok\n[+]serializable_read ok\n[-]linearizable_read failed: range error: etcdserver: no leader\n[+]non_learner ok\n\n',
    ]);
  });

  test('a learner and a corrupt member are not ready', async () => {
    expect(await ask('/readyz/non_learner', '', { isLearner: () => true })).toEqual([
      503,
      '[-]non_learner failed: not supported for learner\n\n',
    ]);
    const raisedAlarms = (): number[] => [AlarmType.NOSPACE, AlarmType.CORRUPT];
    expect(await ask('/readyz/data_corruption', '', { raisedAlarms })).toEqual([
      503,
      '[-]data_corruption failed: alarm activated: CORRUPT\n\n',
    ]);
    expect((await ask('/livez', '', { raisedAlarms, isLearner: () => true }))[0]).toBe(200);
  });

  test('leave out what is excluded, and pass over names that there are not', async () => {
    const source = { read: linearizableFails };
    expect((await ask('/readyz', 'exclude=linearizable_read', source))[0]).toBe(200);
    expect((await ask('/readyz', 'exclude=nothing', source))[0]).toBe(503);
  });

  test('each check has a path of its own', async () => {
    expect(await ask('/livez/serializable_read')).toEqual([200, 'ok\n']);
    expect(await ask('/readyz/linearizable_read', 'verbose')).toEqual([
      200,
      '[+]linearizable_read ok\nok\n',
    ]);
    expect((await ask('/livez/linearizable_read'))[0]).toBe(0);
  });

  test('a check that hangs fails after the request timeout', async () => {
    const clock = new ManualClock();
    const answer = ask('/readyz/linearizable_read', '', { read: hanging, clock });
    clock.pass(7_100);
    expect(await answer).toEqual([
      503,
      '[-]linearizable_read failed: range error: context deadline exceeded\n\n',
    ]);
  });

  test('count every check with its result', async () => {
    const metrics = new NodeMetrics();
    await ask('/readyz/linearizable_read', '', { metrics });
    await ask('/readyz/linearizable_read', '', { metrics, read: linearizableFails });
    expect([...metrics.checks.values()]).toEqual([
      { type: 'readyz', name: 'linearizable_read', successes: 1, errors: 1, isGood: false },
    ]);
  });
});

test('/version tells the versions, in digits and dots alone', async () => {
  const [status, body] = await ask('/version');
  expect([status, body]).toEqual([
    200,
    '{"etcdserver":"3.6.0","etcdcluster":"3.6.0","storage":"3.6.0"}',
  ]);
});
