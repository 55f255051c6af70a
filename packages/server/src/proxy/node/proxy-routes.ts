/** What the gRPC proxy answers over HTTP: its own health and metrics, and those of the cluster. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { EtcdError, RangeRequest } from '@etcd-ts/protocol';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import {
  errorAnswer,
  type Route,
  type RouteAnswer,
  type Routes,
  TEXT,
} from '../../listeners/route.ts';
import { METRICS_CONTENT_TYPE } from '../../metrics/node/metrics-page.ts';
import type { ProxyHandlers } from '../proxy-handlers.ts';
import type { Upstream } from '../upstream.ts';
import type { MemberTls } from './member-tls.ts';

/** A member's page that takes longer is passed over, in milliseconds. */
const PAGE_TIMEOUT_MS = 5_000;

/** Longest page of a member's metrics that is handed on. */
const MAX_PAGE_BYTES = 32 * 1024 * 1024;

/** What the pages show. */
export interface ProxyPages {
  readonly upstream: Upstream;
  readonly proxy: ProxyHandlers;
  /** TLS towards the members; undefined: only where their URLs say so. */
  readonly tls: MemberTls | undefined;
}

/** Pages by path. */
export function proxyRoutes(pages: ProxyPages): Routes {
  const registry = metricsOf(pages.proxy);
  const route = (answer: () => Promise<RouteAnswer>): Route => ({ answer });
  return new Map([
    ['/health', route(() => health(pages.upstream))],
    ['/proxy/health', route(() => health(pages.upstream))],
    ['/metrics', { answer: () => memberMetrics(pages), anyMethod: true }],
    [
      '/proxy/metrics',
      {
        answer: async () => ({
          status: 200,
          contentType: METRICS_CONTENT_TYPE,
          body: await registry.metrics(),
        }),
        anyMethod: true,
      },
    ],
  ]);
}

/** Healthy is who can read through the cluster, or would be let in with the right credentials. */
async function health(upstream: Upstream): Promise<RouteAnswer> {
  const context = {
    signal: AbortSignal.timeout(PAGE_TIMEOUT_MS),
    metadata: new Map<string, string>(),
    peer: { via: 'health', address: '' },
  } as const;
  const request = RangeRequest.fromPartial({ key: new TextEncoder().encode('a') });
  try {
    await upstream.unary('etcdserverpb.KV/Range', request, context);
  } catch (thrown) {
    const error = EtcdError.from(thrown);
    if (error.code !== 'PERMISSION_DENIED' && error.code !== 'USER_EMPTY') {
      const body = JSON.stringify({ health: 'false', reason: `GET ERROR:${error.message}` });
      return errorAnswer(503, body);
    }
  }
  return { status: 200, contentType: TEXT, body: '{"health":"true","reason":""}' };
}

/** The metrics of the first member that answers. */
async function memberMetrics({ upstream, tls }: ProxyPages): Promise<RouteAnswer> {
  const failures: string[] = [];
  for (const endpoint of upstream.endpoints) {
    try {
      return await page(endpoint, tls);
    } catch (error) {
      failures.push(`${endpoint}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return errorAnswer(503, failures.join('\n'));
}

function page(endpoint: string, tls: MemberTls | undefined): Promise<RouteAnswer> {
  const bare = endpoint.replace(/^[a-z]+:\/\//, '');
  const isTls = tls !== undefined || endpoint.startsWith('https:');
  const url = `${isTls ? 'https' : 'http'}://${bare}/metrics`;
  const request = isTls ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, timeout: PAGE_TIMEOUT_MS, ...tls?.() });
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${PAGE_TIMEOUT_MS} ms`)));
    asked.on('error', reject);
    asked.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        body += part;
        if (body.length > MAX_PAGE_BYTES) asked.destroy(new Error('the page is too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        const contentType = response.headers['content-type'] ?? TEXT;
        resolve({ status: response.statusCode ?? 503, contentType, body });
      });
    });
    asked.end();
  });
}

function metricsOf(proxy: ProxyHandlers): Registry {
  const { cache } = proxy;
  const registry = new Registry();
  const gauge = (name: string, help: string, read: () => number): void => {
    const collect = function collect(this: Gauge): void {
      this.set(read());
    };
    registry.registerMetric(new Gauge({ name, help, registers: [], collect }));
  };
  gauge('etcd_grpc_proxy_cache_hits_total', 'Total number of cache hits', () => cache.hits);
  gauge('etcd_grpc_proxy_cache_keys_total', 'Total number of keys/ranges cached', () => cache.size);
  gauge('etcd_grpc_proxy_cache_misses_total', 'Total number of cache misses', () => cache.misses);
  gauge(
    'etcd_grpc_proxy_watchers_coalescing_total',
    'Total number of current watchers coalescing',
    () => proxy.sharingWatchers,
  );
  const events = new Counter({
    name: 'etcd_grpc_proxy_events_coalescing_total',
    help: 'Total number of events coalescing',
    registers: [],
    collect(): void {
      this.reset();
      this.inc(proxy.sharedEvents);
    },
  });
  registry.registerMetric(events);
  collectDefaultMetrics({ register: registry });
  return registry;
}
