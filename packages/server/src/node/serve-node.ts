/** What a node serves over the network: which routes are on which port, and what they read off the node. */
import { RangeRequest } from '@etcd-ts/protocol';
import type { Clock } from '../clock.ts';
import type { ClientListener, Served } from '../env.ts';
import { profileRoutes, variableRoutes } from '../listeners/node/debug-routes.ts';
import { listenForClients, listenForMonitors } from '../listeners/node/client-listener.ts';
import { healthRoutes, type HealthSource, versionRoutes } from '../listeners/health-routes.ts';
import { probeRoutes } from '../listeners/probe-routes.ts';
import type { Route } from '../listeners/route.ts';
import { silentLogger } from '../logger.ts';
import { METRICS_CONTENT_TYPE, metricsPage } from '../metrics/node/metrics-page.ts';
import type { NodePort } from '../node-port.ts';
import type { ResolvedOptions } from '../options.ts';
import { clusterVersionText } from '../services/version-monitor.ts';
import type { Credentials } from '../tls/node/credentials.ts';

/** Listens for clients and for monitors, as the options say; nowhere when they name no URL. */
export async function serveNode(
  options: ResolvedOptions,
  { handlers, node }: Served,
  { clock, tls: credentials }: { readonly clock: Clock; readonly tls: Credentials },
): Promise<ClientListener> {
  if (options.metrics === 'extensive') node.metrics.calls.timeCalls(() => clock.monotonicMs());
  const source = healthOf(node, clock);
  const tls = { credentials, log: options.logger ?? silentLogger };
  const monitored = new Map<string, Route>([
    ...healthRoutes(source),
    ...probeRoutes(source),
    ...metricsRoutes(node),
  ]);
  const monitors = await listenForMonitors(
    options.listenMetricsUrls,
    monitored,
    tls,
    options.socketReusePort,
  );
  try {
    const clients = await listenForClients({
      urls: options.listenClientUrls,
      httpUrls: options.listenClientHttpUrls,
      isPortShared: options.socketReusePort,
      handlers,
      clock,
      tls,
      metrics: node.metrics.calls,
      maxRequestBytes: options.maxRequestBytes,
      routes: new Map([
        ...monitored,
        ...versionRoutes(source),
        ...variableRoutes(node),
        ...(options.enablePprof ? profileRoutes() : []),
      ]),
      access: { origins: options.cors, hosts: options.hostWhitelist },
      hasGateway: options.enableGrpcGateway,
      isAuthOn: () => node.state.auth.enabled,
      maxStreamsPerConnection: options.maxConcurrentStreams,
      keepalive: {
        minPingIntervalMs: options.grpcKeepaliveMinTimeMs,
        intervalMs: options.grpcKeepaliveIntervalMs,
        timeoutMs: options.grpcKeepaliveTimeoutMs,
      },
    });
    return {
      urls: clients.urls,
      metricsUrls: monitors.urls,
      close: async (graceMs) => {
        await Promise.all([clients.close(graceMs), monitors.close(graceMs)]);
      },
    };
  } catch (error) {
    await monitors.close(0);
    throw error;
  }
}

const PROBE = RangeRequest.fromPartial({
  key: new TextEncoder().encode('health'),
  keysOnly: true,
  limit: 1,
});

function healthOf(node: NodePort, clock: Clock): HealthSource {
  return {
    clock,
    metrics: node.metrics,
    requestTimeoutMs: node.limits.requestTimeoutMs,
    hasLeader: () => node.status().leader !== 0n,
    isLearner: () => node.status().isLearner,
    raisedAlarms: () => node.state.alarms.list().map(({ alarm }) => alarm),
    read: async (serializable, signal) => {
      if (!serializable) await node.readBarrier(signal);
      node.state.store.range(PROBE);
    },
    versions: () => ({
      etcdserver: node.serverVersion,
      etcdcluster: clusterVersionText(node),
      storage: clusterVersionText(node),
    }),
  };
}

function metricsRoutes(node: NodePort): Map<string, Route> {
  const answer: Route['answer'] = async () => ({
    status: 200,
    contentType: METRICS_CONTENT_TYPE,
    body: await metricsPage(node),
  });
  return new Map([['/metrics', { answer, anyMethod: true }]]);
}
