/** Metrics of log and database (etcd server/storage/wal/metrics.go, server/storage/backend/metrics.go). */
import { flag, gauge, histogram, type MetricFamily } from '../metric-family.ts';

/** Those of log and database. */
export const DISK_FAMILIES: readonly MetricFamily[] = [
  histogram(
    'etcd_disk_wal_fsync_duration_seconds',
    'The latency distributions of fsync called by WAL.',
    ({ metrics }) => metrics.walSyncSeconds,
  ),
  histogram(
    'etcd_disk_wal_write_duration_seconds',
    'The latency distributions of write called by WAL.',
    ({ metrics }) => metrics.walWriteSeconds,
  ),
  gauge(
    'etcd_disk_wal_write_bytes_total',
    'Total number of bytes written in WAL.',
    ({ metrics }) => metrics.walWrittenBytes,
  ),
  histogram(
    'etcd_disk_backend_commit_duration_seconds',
    'The latency distributions of commit called by backend.',
    ({ metrics }) => metrics.backendCommitSeconds,
  ),
  histogram(
    'etcd_debugging_disk_backend_commit_write_duration_seconds',
    'The latency distributions of commit.write called by the backend.',
    ({ metrics }) => metrics.backendCommitSeconds,
  ),
  histogram(
    'etcd_disk_backend_snapshot_duration_seconds',
    'The latency distribution of backend snapshots.',
    ({ metrics }) => metrics.backendSnapshotSeconds,
  ),
  histogram(
    'etcd_disk_backend_defrag_duration_seconds',
    'The latency distribution of backend defragmentation.',
    ({ metrics }) => metrics.defragmentSeconds,
  ),
  gauge(
    'etcd_disk_defrag_inflight',
    'Whether or not defrag is active on the member. 1 means active, 0 means not.',
    ({ metrics }) => flag(metrics.isDefragmenting),
  ),
  histogram(
    'etcd_snap_db_fsync_duration_seconds',
    'The latency distributions of fsyncing .snap.db file',
    ({ metrics }) => metrics.backendSyncSeconds,
  ),
  histogram(
    'etcd_snap_db_save_total_duration_seconds',
    'The total latency distributions of v3 snapshot save',
    ({ metrics }) => metrics.databaseSaveSeconds,
  ),
];
