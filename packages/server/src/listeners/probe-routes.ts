/**
 * /livez and /readyz: named checks, each with a path of its own.
 *
 * Source: etcd server/etcdserver/api/etcdhttp/health.go. A failure tells every check; a success tells them when asked
 * for `verbose`. `exclude` leaves checks out; names that there are not are passed over.
 */
import { AlarmType, EtcdError } from '@etcd-ts/protocol';
import type { HealthSource } from './health-routes.ts';
import { readInTime } from './health-routes.ts';
import { errorAnswer, type Route, type RouteAnswer, TEXT } from './route.ts';

/** Rejects with the reason why it fails. */
type Check = () => Promise<void>;
type Probe = 'livez' | 'readyz';

/** The routes of both probes and of all their checks. */
export function probeRoutes(source: HealthSource): Map<string, Route> {
  const serializableRead: Check = () => read(source, true);
  const routes = new Map<string, Route>();
  addProbe(routes, source, 'livez', new Map([['serializable_read', serializableRead]]));
  addProbe(
    routes,
    source,
    'readyz',
    new Map<string, Check>([
      ['data_corruption', () => dataCorruption(source)],
      ['serializable_read', serializableRead],
      ['linearizable_read', () => read(source, false)],
      ['non_learner', () => nonLearner(source)],
    ]),
  );
  return routes;
}

function addProbe(
  routes: Map<string, Route>,
  source: HealthSource,
  probe: Probe,
  checks: ReadonlyMap<string, Check>,
): void {
  const answer = (query: URLSearchParams, names: readonly string[]): Promise<RouteAnswer> =>
    run(source, { probe, checks, names, isVerbose: query.has('verbose') });
  routes.set(`/${probe}`, {
    answer: (query) => {
      const excluded = new Set(query.getAll('exclude'));
      return answer(
        query,
        [...checks.keys()].filter((name) => !excluded.has(name)),
      );
    },
  });
  for (const name of checks.keys()) {
    routes.set(`/${probe}/${name}`, { answer: (query) => answer(query, [name]) });
  }
}

interface Run {
  readonly probe: Probe;
  readonly checks: ReadonlyMap<string, Check>;
  readonly names: readonly string[];
  readonly isVerbose: boolean;
}

async function run(
  { metrics }: HealthSource,
  { probe, checks, names, isVerbose }: Run,
): Promise<RouteAnswer> {
  let report = '';
  let isGood = true;
  for (const name of names) {
    const failure = await failureOf(checks.get(name));
    metrics.checked(probe, name, failure === undefined);
    report += failure === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${failure}\n`;
    if (failure !== undefined) isGood = false;
  }
  if (!isGood) return errorAnswer(503, report);
  return {
    status: 200,
    contentType: TEXT,
    body: `${isVerbose ? report : ''}ok\n`,
    headers: { 'X-Content-Type-Options': 'nosniff' },
  };
}

async function failureOf(check: Check | undefined): Promise<string | undefined> {
  try {
    await check?.();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function read(source: HealthSource, serializable: boolean): Promise<void> {
  try {
    await readInTime(source, serializable);
  } catch (cause) {
    throw new Error(`range error: ${EtcdError.from(cause).message}`, { cause });
  }
}

function dataCorruption({ raisedAlarms }: HealthSource): Promise<void> {
  if (!raisedAlarms().includes(AlarmType.CORRUPT)) return Promise.resolve();
  return Promise.reject(new Error('alarm activated: CORRUPT'));
}

function nonLearner({ isLearner }: HealthSource): Promise<void> {
  if (!isLearner()) return Promise.resolve();
  return Promise.reject(new Error('not supported for learner'));
}
