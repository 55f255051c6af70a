/**
 * The plain answers of etcd's HTTP port: /health and /version.
 *
 * Source: etcd server/etcdserver/api/etcdhttp/{health,version}.go. Values of /health are strings, as there. Nobody needs
 * a token to ask: monitors have none.
 */
import { AlarmType, EtcdError } from '@etcd-ts/protocol';
import type { Clock } from '../clock.ts';
import type { NodeMetrics } from '../metrics/node-metrics.ts';
import { errorAnswer, type Route, type RouteAnswer, TEXT } from './route.ts';

/** What health depends on. */
export interface HealthSource {
  readonly clock: Clock;
  /** How long the read that proves health may take. etcd: 5 s + 2 × election timeout. */
  readonly requestTimeoutMs: number;
  readonly hasLeader: () => boolean;
  readonly isLearner: () => boolean;
  /** Types of the alarms that are raised, numbers of AlarmType. */
  readonly raisedAlarms: () => readonly number[];
  /** Reads one key, in the name of nobody: from this member alone, or as of the whole cluster. */
  readonly read: (serializable: boolean, signal: AbortSignal) => Promise<void>;
  /** As `/version` tells them: digits and dots alone, since clients take them apart. */
  readonly versions: () => VersionAnswer;
  readonly metrics: Pick<NodeMetrics, 'healthSuccesses' | 'healthFailures' | 'checked'>;
}

/** Versions of the server, of the cluster's common protocol, and of the backend's schema. */
export interface VersionAnswer {
  readonly etcdserver: string;
  readonly etcdcluster: string;
  readonly storage: string;
}

const ALARM_NAMES: readonly [string, number][] = [
  ['NOSPACE', AlarmType.NOSPACE],
  ['CORRUPT', AlarmType.CORRUPT],
];

/** /health, on every port that answers questions about the member. */
export function healthRoutes(source: HealthSource): Map<string, Route> {
  return new Map([['/health', { answer: (query) => counted(source, query) }]]);
}

/** /version, which the metrics port has not. */
export function versionRoutes({ versions }: Pick<HealthSource, 'versions'>): Map<string, Route> {
  const answer = (): Promise<RouteAnswer> => Promise.resolve(json(200, versions()));
  return new Map([['/version', { answer }]]);
}

async function counted(source: HealthSource, query: URLSearchParams): Promise<RouteAnswer> {
  const { metrics } = source;
  const reason = await whyUnhealthy(source, query);
  if (reason === undefined) {
    metrics.healthSuccesses += 1;
    return { status: 200, contentType: TEXT, body: '{"health":"true","reason":""}' };
  }
  metrics.healthFailures += 1;
  return errorAnswer(503, JSON.stringify({ health: 'false', reason }));
}

/** Alarms first, then the leader, then a read; the first that fails is the reason. */
async function whyUnhealthy(
  source: HealthSource,
  query: URLSearchParams,
): Promise<string | undefined> {
  const excluded = new Set(query.getAll('exclude'));
  const serializable = query.get('serializable') === 'true';
  for (const raised of source.raisedAlarms()) {
    const name = ALARM_NAMES.find(([, number]) => number === raised)?.[0] ?? 'UNKNOWN';
    if (!excluded.has(name)) return `ALARM ${name}`;
  }
  if (!serializable && !source.hasLeader()) return 'RAFT NO LEADER';
  try {
    await readInTime(source, serializable);
    return undefined;
  } catch (error) {
    return `RANGE ERROR:${EtcdError.from(error).message}`;
  }
}

/** @throws EtcdError what the read failed with; DEADLINE_EXCEEDED after the request timeout. */
export async function readInTime(
  { clock, read, requestTimeoutMs }: Pick<HealthSource, 'clock' | 'read' | 'requestTimeoutMs'>,
  serializable: boolean,
): Promise<void> {
  const patience = new AbortController();
  const timer = clock.after(requestTimeoutMs, () =>
    patience.abort(new EtcdError('DEADLINE_EXCEEDED')),
  );
  try {
    await read(serializable, patience.signal);
  } finally {
    timer.cancel();
  }
}

function json(status: number, value: unknown): RouteAnswer {
  return { status, contentType: 'application/json', body: JSON.stringify(value) };
}
