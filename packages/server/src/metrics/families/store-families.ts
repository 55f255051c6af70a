/** Metrics of the key space, its watchers and its leases (etcd server/storage/mvcc/metrics.go, server/lease/metrics.go). */
import { counter, gauge, histogram, type MetricFamily } from '../metric-family.ts';

/** Those of the store. */
export const STORE_FAMILIES: readonly MetricFamily[] = [
  counter(
    'etcd_mvcc_range_total',
    'Total number of ranges seen by this member.',
    ({ metrics }) => metrics.ranges,
  ),
  counter(
    'etcd_debugging_mvcc_range_total',
    'Total number of ranges seen by this member.',
    ({ metrics }) => metrics.ranges,
  ),
  counter(
    'etcd_mvcc_put_total',
    'Total number of puts seen by this member.',
    ({ metrics }) => metrics.puts,
  ),
  counter(
    'etcd_mvcc_delete_total',
    'Total number of deletes seen by this member.',
    ({ metrics }) => metrics.deletes,
  ),
  counter(
    'etcd_mvcc_txn_total',
    'Total number of txns seen by this member.',
    ({ metrics }) => metrics.txns,
  ),
  gauge(
    'etcd_debugging_mvcc_total_put_size_in_bytes',
    'The total size of put kv pairs seen by this member.',
    ({ metrics }) => metrics.putBytes,
  ),
  gauge(
    'etcd_debugging_mvcc_keys_total',
    'Total number of keys.',
    ({ state }) => state.store.keyCount,
  ),
  gauge(
    'etcd_debugging_mvcc_current_revision',
    'The current revision of store.',
    ({ state }) => state.store.revision,
  ),
  gauge(
    'etcd_debugging_mvcc_compact_revision',
    'The revision of the last compaction in store.',
    ({ state }) => state.store.compactRevision,
  ),
  counter(
    'etcd_debugging_mvcc_db_compaction_keys_total',
    'Total number of db keys compacted.',
    ({ state }) => state.store.droppedCount,
  ),
  gauge(
    'etcd_debugging_mvcc_db_compaction_last',
    'The unix time of the last db compaction. Resets to 0 on start.',
    ({ metrics }) => metrics.lastCompactionSeconds,
  ),
  histogram(
    'etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds',
    'Bucketed histogram of db compaction pause duration.',
    ({ metrics }) => metrics.compactionPauseMs,
  ),
  histogram(
    'etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds',
    'Bucketed histogram of index compaction pause duration.',
    ({ metrics }) => metrics.indexCompactionPauseMs,
  ),
  histogram(
    'etcd_debugging_mvcc_db_compaction_total_duration_milliseconds',
    'Bucketed histogram of db compaction total duration.',
    ({ metrics }) => metrics.compactionTotalMs,
  ),
  gauge(
    'etcd_mvcc_db_total_size_in_bytes',
    'Total size of the underlying database physically allocated in bytes.',
    ({ state }) => state.store.sizeBytes,
  ),
  gauge(
    'etcd_mvcc_db_total_size_in_use_in_bytes',
    'Total size of the underlying database logically in use in bytes.',
    ({ state }) => state.store.sizeBytes,
  ),
  gauge(
    'etcd_mvcc_db_open_read_transactions',
    'The number of currently open read transactions',
    ({ state }) => state.store.openReadCount,
  ),
  histogram(
    'etcd_mvcc_hash_duration_seconds',
    'The latency distribution of storage hash operation.',
    ({ metrics }) => metrics.hashSeconds,
  ),
  histogram(
    'etcd_mvcc_hash_rev_duration_seconds',
    'The latency distribution of storage hash by revision operation.',
    ({ metrics }) => metrics.hashRevisionSeconds,
  ),
  gauge(
    'etcd_debugging_mvcc_watch_stream_total',
    'Total number of watch streams.',
    ({ metrics }) => metrics.watchStreams,
  ),
  gauge('etcd_debugging_mvcc_watcher_total', 'Total number of watchers.', ({ state }) => {
    const { synced, behind, parked } = state.store.hub.counts;
    return synced + behind + parked;
  }),
  gauge(
    'etcd_debugging_mvcc_slow_watcher_total',
    'Total number of unsynced slow watchers.',
    ({ state }) => state.store.hub.counts.behind + state.store.hub.counts.parked,
  ),
  counter(
    'etcd_debugging_mvcc_events_total',
    'Total number of events sent by this member.',
    ({ metrics }) => metrics.watchEvents,
  ),
  gauge(
    'etcd_debugging_mvcc_pending_events_total',
    'Total number of pending events to be sent.',
    ({ metrics }) => metrics.pendingWatchEvents,
  ),
  counter(
    'etcd_debugging_lease_granted_total',
    'The total number of granted leases.',
    ({ metrics }) => metrics.leasesGranted,
  ),
  counter(
    'etcd_debugging_lease_revoked_total',
    'The total number of revoked leases.',
    ({ metrics }) => metrics.leasesRevoked,
  ),
  counter(
    'etcd_debugging_lease_renewed_total',
    'The number of renewed leases seen by the leader.',
    ({ metrics }) => metrics.leasesRenewed,
  ),
  counter(
    'etcd_debugging_server_lease_expired_total',
    'The total number of expired leases.',
    ({ metrics }) => metrics.leasesExpired,
  ),
  histogram(
    'etcd_debugging_lease_ttl_total',
    'Bucketed histogram of lease TTLs.',
    ({ metrics }) => metrics.leaseTtlSeconds,
  ),
];
