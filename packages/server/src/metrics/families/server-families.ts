/** Metrics of the member and its part in the consensus (etcd server/etcdserver/metrics.go). */
import { idToHex } from '@etcd-ts/base';
import { AlarmType } from '@etcd-ts/protocol';
import { quotaBytes } from '../../apply/quota.ts';
import type { NodePort } from '../../node-port.ts';
import { counter, flag, gauge, type MetricFamily } from '../metric-family.ts';
import type { ByOutcome } from '../node-metrics.ts';

/** Names that protobuf gives to the alarms. */
const ALARM_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(AlarmType).map(([name, value]) => [value, name]),
);

/** The cluster's version as the label has it: major and minor. */
function clusterVersion(node: NodePort): string | undefined {
  return node.state.versions.cluster;
}

function quota(node: NodePort): number {
  const bytes = quotaBytes(node.limits.quotaBackendBytes);
  return Number.isFinite(bytes) ? bytes : 0;
}

function outcomes(
  { good, failed }: ByOutcome,
  labels: Readonly<Record<string, string>>,
): { labels: Record<string, string>; value: ByOutcome['good'] }[] {
  return [
    { labels: { ...labels, success: 'true' }, value: good },
    { labels: { ...labels, success: 'false' }, value: failed },
  ].filter(({ value }) => value.count > 0);
}

/** Those of the member. */
export const SERVER_FAMILIES: readonly MetricFamily[] = [
  {
    name: 'etcd_cluster_version',
    help: "Which version is running. 1 for 'cluster_version' label with current cluster version",
    type: 'gauge',
    read: (node) => {
      const version = clusterVersion(node);
      return version === undefined ? [] : [{ labels: { cluster_version: version }, value: 1 }];
    },
  },
  {
    name: 'etcd_server_version',
    help: "Which version is running. 1 for 'server_version' label with current version.",
    type: 'gauge',
    read: (node) => [{ labels: { server_version: node.serverVersion }, value: 1 }],
  },
  {
    name: 'etcd_server_id',
    help: "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.",
    type: 'gauge',
    read: (node) => [{ labels: { server_id: idToHex(node.memberId) }, value: 1 }],
  },
  gauge(
    'etcd_server_has_leader',
    'Whether or not a leader exists. 1 is existence, 0 is not.',
    (node) => flag(node.status().leader !== 0n),
  ),
  gauge(
    'etcd_server_is_leader',
    'Whether or not this member is a leader. 1 if is, 0 otherwise.',
    (node) => flag(node.status().isLeader),
  ),
  gauge(
    'etcd_server_is_learner',
    'Whether or not this member is a learner. 1 if is, 0 otherwise.',
    (node) => flag(node.status().isLearner),
  ),
  counter(
    'etcd_server_leader_changes_seen_total',
    'The number of leader changes seen.',
    ({ metrics }) => metrics.leaderChanges,
  ),
  counter(
    'etcd_server_learner_promote_successes',
    'The total number of successful learner promotions while this member is leader.',
    ({ metrics }) => metrics.promotions,
  ),
  {
    name: 'etcd_server_learner_promote_failures',
    help: 'The total number of failed learner promotions (likely learner not ready) while this member is leader.',
    type: 'counter',
    read: ({ metrics }) =>
      [...metrics.promotionFailures].map(([Reason, value]) => ({
        labels: { Reason },
        value,
      })),
  },
  counter(
    'etcd_server_heartbeat_send_failures_total',
    'The total number of leader heartbeat send failures (likely overloaded from slow disk).',
    ({ metrics }) => metrics.lateHeartbeats,
  ),
  counter(
    'etcd_server_slow_apply_total',
    'The total number of slow apply requests (likely overloaded from slow disk).',
    ({ metrics }) => metrics.slowApplies,
  ),
  gauge(
    'etcd_server_proposals_committed_total',
    'The total number of consensus proposals committed.',
    (node) => node.status().committedIndex,
  ),
  gauge(
    'etcd_server_proposals_applied_total',
    'The total number of consensus proposals applied.',
    (node) => node.status().appliedIndex,
  ),
  gauge(
    'etcd_server_proposals_pending',
    'The current number of pending proposals to commit.',
    ({ metrics }) => metrics.pendingProposals(),
  ),
  counter(
    'etcd_server_proposals_failed_total',
    'The total number of failed proposals seen.',
    ({ metrics }) => metrics.proposalsFailed,
  ),
  counter(
    'etcd_server_slow_read_indexes_total',
    "The total number of pending read indexes not in sync with leader's or timed out read index requests.",
    ({ metrics }) => metrics.slowReadIndexes,
  ),
  counter(
    'etcd_server_read_indexes_failed_total',
    'The total number of failed read indexes seen.',
    ({ metrics }) => metrics.readIndexesFailed,
  ),
  gauge(
    'etcd_server_snapshot_apply_in_progress_total',
    '1 if the server is applying the incoming snapshot. 0 if none.',
    ({ metrics }) => flag(metrics.isApplyingSnapshot),
  ),
  gauge('etcd_server_quota_backend_bytes', 'Current backend storage quota size in bytes.', (node) =>
    quota(node),
  ),
  {
    name: 'etcd_server_apply_duration_seconds',
    help: 'The latency distributions of v2 apply called by backend.',
    type: 'histogram',
    read: ({ metrics }) =>
      [...metrics.applySeconds].flatMap(([op, byOutcome]) =>
        outcomes(byOutcome, { version: 'v3', op }),
      ),
  },
  {
    name: 'etcd_server_range_duration_seconds',
    help: 'The latency distributions of txn.Range',
    type: 'histogram',
    read: ({ metrics }) => outcomes(metrics.rangeSeconds, {}),
  },
  {
    name: 'etcd_debugging_server_alarms',
    help: "Alarms for every member in cluster. 1 for 'server_id' label with current ID. 2 for 'alarm_type' label with type of this alarm",
    type: 'gauge',
    read: (node) =>
      node.state.alarms.list().map(({ memberID, alarm }) => ({
        labels: {
          server_id: idToHex(memberID),
          alarm_type: ALARM_NAMES.get(alarm) ?? String(alarm),
        },
        value: 1,
      })),
  },
  gauge(
    'etcd_debugging_auth_revision',
    'The current revision of auth store.',
    (node) => node.state.auth.revision,
  ),
  counter(
    'etcd_server_health_success',
    'The total number of successful health checks',
    ({ metrics }) => metrics.healthSuccesses,
  ),
  counter(
    'etcd_server_health_failures',
    'The total number of failed health checks',
    ({ metrics }) => metrics.healthFailures,
  ),
  {
    name: 'etcd_server_healthcheck',
    help: 'The result of each kind of healthcheck.',
    type: 'gauge',
    read: ({ metrics }) =>
      [...metrics.checks.values()].map(({ type, name, isGood }) => ({
        labels: { type, name },
        value: flag(isGood),
      })),
  },
  {
    name: 'etcd_server_healthchecks_total',
    help: 'The total number of each kind of healthcheck.',
    type: 'counter',
    read: ({ metrics }) =>
      [...metrics.checks.values()].flatMap(({ type, name, successes, errors }) => [
        { labels: { type, name, status: 'success' }, value: successes },
        { labels: { type, name, status: 'error' }, value: errors },
      ]),
  },
];
