/**
 * The plain answers of etcd's HTTP port: /health and /version.
 *
 * Source: etcd server/etcdserver/api/etcdhttp/{health,version}.go. Values of /health are strings, as there.
 */
import {
  AlarmType,
  EtcdError,
  type Handlers,
  type CallContext,
  RangeRequest,
} from '@etcd-ts/protocol';
import type { Clock } from '../clock.ts';
import { Deadlines } from '../requests/deadlines.ts';
import { ListenerContext } from './call-context.ts';

/** An answer to a GET. */
export interface RouteAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** What answers a GET of one path. */
export type Route = (query: URLSearchParams) => Promise<RouteAnswer>;

/** What health depends on. */
export interface HealthSource {
  readonly handlers: Handlers;
  readonly clock: Clock;
  /** How long the read that proves health may take. etcd: 5 s + 2 × election timeout. */
  readonly requestTimeoutMs: number;
  readonly hasLeader: () => boolean;
  /** Types of the alarms that are raised, numbers of AlarmType. */
  readonly raisedAlarms: () => readonly number[];
  /** As `/version` tells them: digits and dots alone, since clients take them apart. */
  readonly versions: () => VersionAnswer;
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

/** The routes by path. */
export function healthRoutes(source: HealthSource): ReadonlyMap<string, Route> {
  const deadlines = new Deadlines(source.clock);
  return new Map<string, Route>([
    ['/health', (query) => health(source, deadlines, query)],
    ['/version', () => Promise.resolve(json(200, source.versions()))],
  ]);
}

/** Alarms first, then the leader, then a read; the first that fails is the reason. */
async function health(
  source: HealthSource,
  deadlines: Deadlines,
  query: URLSearchParams,
): Promise<RouteAnswer> {
  const excluded = new Set(query.getAll('exclude'));
  const serializable = query.get('serializable') === 'true';
  for (const raised of source.raisedAlarms()) {
    const name = ALARM_NAMES.find(([, number]) => number === raised)?.[0] ?? 'UNKNOWN';
    if (!excluded.has(name)) return unhealthy(`ALARM ${name}`);
  }
  if (!serializable && !source.hasLeader()) return unhealthy('RAFT NO LEADER');
  try {
    await proveRead(source, deadlines, serializable);
  } catch (error) {
    return unhealthy(`RANGE ERROR:${EtcdError.from(error).message}`);
  }
  return { status: 200, contentType: TEXT, body: '{"health":"true","reason":""}' };
}

const TEXT = 'text/plain; charset=utf-8';
const PROBE = RangeRequest.fromPartial({ key: new TextEncoder().encode('health'), limit: 1 });

async function proveRead(
  { handlers, requestTimeoutMs }: HealthSource,
  deadlines: Deadlines,
  serializable: boolean,
): Promise<void> {
  const range = handlers['etcdserverpb.KV/Range'];
  if (range === undefined) throw new EtcdError('UNIMPLEMENTED');
  const context = new ListenerContext({
    metadata: new Map(),
    timeoutMs: requestTimeoutMs,
    peer: { via: 'health', address: '' },
  });
  const expiring = { expire: () => context.cancel(new EtcdError('DEADLINE_EXCEEDED')) };
  deadlines.add(expiring, requestTimeoutMs);
  try {
    await range({ ...PROBE, serializable }, context satisfies CallContext);
  } finally {
    deadlines.remove(expiring);
  }
}

function unhealthy(reason: string): RouteAnswer {
  return {
    status: 503,
    contentType: TEXT,
    body: `${JSON.stringify({ health: 'false', reason })}\n`,
  };
}

function json(status: number, value: unknown): RouteAnswer {
  return { status, contentType: 'application/json', body: JSON.stringify(value) };
}
