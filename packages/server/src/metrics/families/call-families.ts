/** Metrics of calls by method, named as go-grpc-prometheus names them; every method and code is there from the start. */
import { STATUS_NAMES } from '@etcd-ts/protocol';
import type { MethodCounts } from '../call-metrics.ts';
import type { Labels, MetricFamily } from '../metric-family.ts';

const TYPES = {
  unary: 'unary',
  'server-stream': 'server_stream',
  'bidi-stream': 'bidi_stream',
} as const;

function labelsOf({ rpc }: MethodCounts): Labels {
  return { grpc_method: rpc.method, grpc_service: rpc.service, grpc_type: TYPES[rpc.kind] };
}

/** One counter per method. */
function perMethod(
  name: string,
  help: string,
  read: (counts: MethodCounts) => number,
): MetricFamily {
  return {
    name,
    help,
    type: 'counter',
    read: ({ metrics }) =>
      [...metrics.calls.methods.values()].map((counts) => ({
        labels: labelsOf(counts),
        value: read(counts),
      })),
  };
}

/** Counted by method. */
export const CALL_FAMILIES: readonly MetricFamily[] = [
  perMethod(
    'grpc_server_started_total',
    'Total number of RPCs started on the server.',
    (counts) => counts.started,
  ),
  perMethod(
    'grpc_server_msg_received_total',
    'Total number of RPC stream messages received on the server.',
    (counts) => counts.received,
  ),
  perMethod(
    'grpc_server_msg_sent_total',
    'Total number of gRPC stream messages sent by the server.',
    (counts) => counts.sent,
  ),
  {
    name: 'grpc_server_handled_total',
    help: 'Total number of RPCs completed on the server, regardless of success or failure.',
    type: 'counter',
    read: ({ metrics }) =>
      [...metrics.calls.methods.values()].flatMap((counts) =>
        STATUS_NAMES.map((grpc_code, code) => ({
          labels: { grpc_code, ...labelsOf(counts) },
          value: counts.handled[code] ?? 0,
        })),
      ),
  },
];

/** Only with etcd's `--metrics=extensive`. */
export const EXTENSIVE_CALL_FAMILIES: readonly MetricFamily[] = [
  {
    name: 'grpc_server_handling_seconds',
    help: 'Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.',
    type: 'histogram',
    read: ({ metrics }) =>
      [...metrics.calls.methods.values()].map((counts) => ({
        labels: labelsOf(counts),
        value: counts.seconds,
      })),
  },
];
