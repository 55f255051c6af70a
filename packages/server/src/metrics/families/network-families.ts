/** Metrics of peers and clients (etcd server/etcdserver/api/rafthttp/metrics.go, api/v3rpc/metrics.go). */
import { idToHex, type MemberId } from '@etcd-ts/base';
import type { NodePort } from '../../node-port.ts';
import { counter, flag, type Labels, type MetricFamily } from '../metric-family.ts';
import type { PeerCounts } from '../peer-traffic.ts';

type PeerLabel = 'From' | 'To';

/** One value per peer that was heard of. */
function perPeer(
  type: 'counter' | 'gauge',
  label: PeerLabel,
  name: string,
  help: string,
  read: (counts: PeerCounts) => number,
): MetricFamily {
  return {
    name,
    help,
    type,
    read: ({ metrics }) =>
      [...metrics.traffic.peers].map(([peer, counts]) => ({
        labels: { [label]: idToHex(peer) },
        value: read(counts),
      })),
  };
}

/** One distribution per peer that was heard of. */
function histogramPerPeer(
  label: PeerLabel,
  name: string,
  help: string,
  read: (counts: PeerCounts) => PeerCounts['roundTripSeconds'],
): MetricFamily {
  return {
    name,
    help,
    type: 'histogram',
    read: ({ metrics }) =>
      [...metrics.traffic.peers].map(([peer, counts]) => ({
        labels: { [label]: idToHex(peer) },
        value: read(counts),
      })),
  };
}

function others(node: NodePort): { id: MemberId; labels: Labels }[] {
  return node.state.membership
    .members()
    .filter(({ id }) => id !== node.memberId)
    .map(({ id }) => ({
      id: id as MemberId,
      labels: { Local: idToHex(node.memberId), Remote: idToHex(id) },
    }));
}

const PEER_FAMILIES: readonly MetricFamily[] = [
  {
    name: 'etcd_network_known_peers',
    help: 'The current number of known peers.',
    type: 'gauge',
    read: (node) => others(node).map(({ labels }) => ({ labels, value: 1 })),
  },
  {
    name: 'etcd_network_active_peers',
    help: 'The current number of active peer connections.',
    type: 'gauge',
    read: (node) =>
      others(node).map(({ id, labels }) => ({
        labels,
        value: flag(node.connectedSinceMs(id) !== undefined),
      })),
  },
  {
    name: 'etcd_network_disconnected_peers_total',
    help: 'The total number of disconnected peers.',
    type: 'counter',
    read: ({ memberId, metrics }) =>
      [...metrics.traffic.peers].map(([peer, { disconnects }]) => ({
        labels: { Local: idToHex(memberId), Remote: idToHex(peer) },
        value: disconnects,
      })),
  },
  perPeer(
    'counter',
    'To',
    'etcd_network_peer_sent_bytes_total',
    'The total number of bytes sent to peers.',
    (counts) => counts.sentBytes,
  ),
  perPeer(
    'counter',
    'From',
    'etcd_network_peer_received_bytes_total',
    'The total number of bytes received from peers.',
    (counts) => counts.receivedBytes,
  ),
  perPeer(
    'counter',
    'To',
    'etcd_network_peer_sent_failures_total',
    'The total number of send failures from peers.',
    (counts) => counts.sendFailures,
  ),
  perPeer(
    'counter',
    'From',
    'etcd_network_peer_received_failures_total',
    'The total number of receive failures from peers.',
    (counts) => counts.receiveFailures,
  ),
  histogramPerPeer(
    'To',
    'etcd_network_peer_round_trip_time_seconds',
    'Round-Trip-Time histogram between peers',
    (counts) => counts.roundTripSeconds,
  ),
];

const SNAPSHOT_FAMILIES: readonly MetricFamily[] = [
  perPeer(
    'counter',
    'To',
    'etcd_network_snapshot_send_success',
    'Total number of successful snapshot sends',
    (counts) => counts.snapshotsSent.successes,
  ),
  perPeer(
    'counter',
    'To',
    'etcd_network_snapshot_send_failures',
    'Total number of snapshot send failures',
    (counts) => counts.snapshotsSent.failures,
  ),
  perPeer(
    'gauge',
    'To',
    'etcd_network_snapshot_send_inflights_total',
    'Total number of inflight snapshot sends',
    (counts) => counts.snapshotsSent.inFlight,
  ),
  histogramPerPeer(
    'To',
    'etcd_network_snapshot_send_total_duration_seconds',
    'Total latency distributions of v3 snapshot sends',
    (counts) => counts.snapshotsSent.seconds,
  ),
  perPeer(
    'counter',
    'From',
    'etcd_network_snapshot_receive_success',
    'Total number of successful snapshot receives',
    (counts) => counts.snapshotsReceived.successes,
  ),
  perPeer(
    'counter',
    'From',
    'etcd_network_snapshot_receive_failures',
    'Total number of snapshot receive failures',
    (counts) => counts.snapshotsReceived.failures,
  ),
  perPeer(
    'gauge',
    'From',
    'etcd_network_snapshot_receive_inflights_total',
    'Total number of inflight snapshot receives',
    (counts) => counts.snapshotsReceived.inFlight,
  ),
  histogramPerPeer(
    'From',
    'etcd_network_snapshot_receive_total_duration_seconds',
    'Total latency distributions of v3 snapshot receives',
    (counts) => counts.snapshotsReceived.seconds,
  ),
];

const CLIENT_FAMILIES: readonly MetricFamily[] = [
  counter(
    'etcd_network_client_grpc_received_bytes_total',
    'The total number of bytes received from grpc clients.',
    ({ metrics }) => metrics.calls.grpcReceivedBytes,
  ),
  counter(
    'etcd_network_client_grpc_sent_bytes_total',
    'The total number of bytes sent to grpc clients.',
    ({ metrics }) => metrics.calls.grpcSentBytes,
  ),
  {
    name: 'etcd_network_server_stream_failures_total',
    help: 'The total number of stream failures from the local server.',
    type: 'counter',
    read: ({ metrics }) =>
      [...metrics.calls.streamFailures.values()].map(({ type, api, count }) => ({
        labels: { Type: type, API: api },
        value: count,
      })),
  },
  {
    name: 'etcd_server_client_requests_total',
    help: 'The total number of client requests per client version.',
    type: 'counter',
    read: ({ metrics }) =>
      [...metrics.calls.clientVersions].flatMap(([version, { unary, stream }]) =>
        [
          { labels: { type: 'unary', client_api_version: version }, value: unary },
          { labels: { type: 'stream', client_api_version: version }, value: stream },
        ].filter(({ value }) => value > 0),
      ),
  },
];

/** Those of peers and clients. */
export const NETWORK_FAMILIES: readonly MetricFamily[] = [
  ...PEER_FAMILIES,
  ...SNAPSHOT_FAMILIES,
  ...CLIENT_FAMILIES,
];
