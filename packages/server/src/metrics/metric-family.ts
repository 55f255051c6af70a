/** What a metric is, apart from any library: its name, its kind, and how it is read off a node. */
import type { NodePort } from '../node-port.ts';
import type { Histogram } from './histogram.ts';

/** Label values by name. */
export type Labels = Readonly<Record<string, string>>;

/** One value of a counter or gauge. */
export interface NumberSample {
  readonly labels?: Labels;
  readonly value: number;
}

/** One distribution. */
export interface HistogramSample {
  readonly labels?: Labels;
  readonly value: Histogram;
}

/** A metric with all its label values. Names, labels and buckets are etcd's. */
export type MetricFamily = { readonly name: string; readonly help: string } & (
  | {
      readonly type: 'counter' | 'gauge';
      readonly read: (node: NodePort) => readonly NumberSample[];
    }
  | { readonly type: 'histogram'; readonly read: (node: NodePort) => readonly HistogramSample[] }
);

/** A gauge without labels. */
export function gauge(name: string, help: string, read: (node: NodePort) => number): MetricFamily {
  return { name, help, type: 'gauge', read: (node) => [{ value: read(node) }] };
}

/** A counter without labels. */
export function counter(
  name: string,
  help: string,
  read: (node: NodePort) => number,
): MetricFamily {
  return { name, help, type: 'counter', read: (node) => [{ value: read(node) }] };
}

/** A histogram without labels. */
export function histogram(
  name: string,
  help: string,
  read: (node: NodePort) => Histogram,
): MetricFamily {
  return { name, help, type: 'histogram', read: (node) => [{ value: read(node) }] };
}

/** 1 for true. */
export function flag(value: boolean): number {
  return value ? 1 : 0;
}
