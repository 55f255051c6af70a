/** A node's metrics in the format of Prometheus, through prom-client. */
import { readdirSync, readFileSync } from 'node:fs';
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import type { NodePort } from '../../node-port.ts';
import { CALL_FAMILIES, EXTENSIVE_CALL_FAMILIES } from '../families/call-families.ts';
import { DISK_FAMILIES } from '../families/disk-families.ts';
import { NETWORK_FAMILIES } from '../families/network-families.ts';
import { SERVER_FAMILIES } from '../families/server-families.ts';
import { STORE_FAMILIES } from '../families/store-families.ts';
import { gauge, type HistogramSample, type MetricFamily } from '../metric-family.ts';

/** What the page is served as. */
export const METRICS_CONTENT_TYPE =
  'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';

/** A value as prom-client writes it. */
interface PromValue {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const registries = new WeakMap<NodePort, Registry>();
let processRegistry: Registry | undefined;

/** All metrics of a node and of the process that it runs in. */
export async function metricsPage(node: NodePort): Promise<string> {
  let registry = registries.get(node);
  if (registry === undefined) {
    registry = registryOf(node);
    registries.set(node, registry);
  }
  return `${await registry.metrics()}\n${await registryOfProcess().metrics()}`;
}

function registryOf(node: NodePort): Registry {
  const registry = new Registry();
  const families = [
    ...SERVER_FAMILIES,
    ...STORE_FAMILIES,
    ...DISK_FAMILIES,
    ...NETWORK_FAMILIES,
    ...CALL_FAMILIES,
    ...(node.metrics.calls.isExtensive ? EXTENSIVE_CALL_FAMILIES : []),
    ...RUNTIME_FAMILIES,
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const family of families) registry.registerMetric(promMetric(family, node));
  return registry;
}

/** CPU, memory, event loop, garbage collection: one set for all nodes of a process, since its observers are never ended. */
function registryOfProcess(): Registry {
  if (processRegistry !== undefined) return processRegistry;
  processRegistry = new Registry();
  collectDefaultMetrics({ register: processRegistry });
  return processRegistry;
}

/** What of etcd's own metrics belongs to the process. */
const RUNTIME_FAMILIES: readonly MetricFamily[] = [
  {
    name: 'etcd_server_go_version',
    help: "Which runtime the server is running with. 1 for 'server_go_version' label with current version.",
    type: 'gauge',
    read: () => [{ labels: { server_go_version: `node${process.version}` }, value: 1 }],
  },
  gauge('os_fd_limit', 'The file descriptor limit.', () => fileDescriptorLimit()),
  gauge('os_fd_used', 'The number of used file descriptors.', () => usedFileDescriptors()),
];

/** Open files that the process may have; 0 where the system does not tell. */
export function fileDescriptorLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function usedFileDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}

/**
 * A family as prom-client's registry takes it: the registry asks `get` alone, so that the values are read off the node
 * in the turn of the scrape and nothing is counted twice.
 */
function promMetric(family: MetricFamily, node: NodePort): Metric {
  const { name, help, type } = family;
  const metric = {
    name,
    help,
    type,
    aggregator: 'sum',
    get: () =>
      Promise.resolve({ name, help, type, aggregator: 'sum', values: valuesOf(family, node) }),
  };
  return metric as unknown as Metric;
}

function valuesOf(family: MetricFamily, node: NodePort): readonly PromValue[] {
  if (family.type === 'histogram') {
    return family.read(node).flatMap((sample) => bucketsOf(family.name, sample));
  }
  return family.read(node).map(({ labels = {}, value }) => ({ labels, value }));
}

function bucketsOf(name: string, { labels = {}, value }: HistogramSample): PromValue[] {
  let accumulated = 0;
  const values = value.bounds.map((bound, i): PromValue => {
    accumulated += value.counts[i] ?? 0;
    return {
      metricName: `${name}_bucket`,
      labels: { ...labels, le: goNumber(bound) },
      value: accumulated,
    };
  });
  return [
    ...values,
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: value.count },
    { metricName: `${name}_sum`, labels, value: value.sum },
    { metricName: `${name}_count`, labels, value: value.count },
  ];
}

/** A bound as Go writes it (`%g`), since the label is compared as text. */
function goNumber(bound: number): string {
  if (bound < 1e6) return String(bound);
  const [digits = '', power = ''] = bound.toExponential().split('e+');
  return `${digits}e+${power.padStart(2, '0')}`;
}
