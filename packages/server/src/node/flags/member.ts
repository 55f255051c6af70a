/** Flags about one member: its name, its places on disk and in the network, its rhythm. */
import { type Family, flag } from './flag.ts';
import { BOOLEAN, DURATION, INT, INT64, TEXT, UINT, UINT64, URLS } from './kinds.ts';

const DECOMMISSIONED_IN_37 = 'is deprecated in 3.6 and will be decommissioned in 3.7.';

/** Name, data, addresses, elections. */
export const MEMBER: Family = {
  title: 'Member',
  flags: [
    flag('name', TEXT, {
      fallback: 'default',
      help: 'Name of this member, as people read it.',
      option: 'name',
    }),
    flag('data-dir', TEXT, {
      fallback: '${name}.etcd',
      help: 'Directory of the data.',
      option: 'dataDir',
    }),
    flag('wal-dir', TEXT, {
      fallback: '',
      help: 'Directory of the log, when it is not to be below the data directory.',
      option: 'walDir',
    }),
    flag('snapshot-count', UINT64, {
      fallback: '10000',
      fallbackIn35: '100000',
      help: 'Entries applied between two marks behind which the log may be dropped.',
      option: 'snapshotCount',
      deprecated: `--snapshot-count ${DECOMMISSIONED_IN_37}`,
    }),
    flag('heartbeat-interval', UINT, {
      fallback: '100',
      help: 'Milliseconds between two heartbeats of a leader.',
      option: 'heartbeatIntervalMs',
    }),
    flag('election-timeout', UINT, {
      fallback: '1000',
      help: 'Milliseconds without a leader after which a member campaigns; at least five heartbeats, at most 50000.',
      option: 'electionTimeoutMs',
    }),
    flag('initial-election-tick-advance', BOOLEAN, {
      fallback: 'true',
      help: 'Begin with most of the election timeout gone, so that the first election comes sooner.',
      option: 'initialElectionTickAdvance',
    }),
    flag('listen-peer-urls', URLS, {
      fallback: 'http://localhost:2380',
      help: 'Where peers come in.',
      option: 'listenPeerUrls',
    }),
    flag('listen-client-urls', URLS, {
      fallback: 'http://localhost:2379',
      help: 'Where clients come in, with gRPC and, unless --listen-client-http-urls is set, with HTTP.',
      option: 'listenClientUrls',
    }),
    flag('listen-client-http-urls', URLS, {
      fallback: '',
      help: 'Where clients come in with HTTP alone; --listen-client-urls then takes gRPC alone.',
      option: 'listenClientHttpUrls',
    }),
    flag('max-snapshots', UINT, {
      fallback: '5',
      help: 'Snapshot files that are kept; 0 keeps all.',
      noEffect: 'a snapshot is the database itself; no files of older ones are left',
      deprecated: `--max-snapshots ${DECOMMISSIONED_IN_37}`,
    }),
    flag('max-wals', UINT, {
      fallback: '5',
      help: 'Files of the log that are kept; 0 keeps all.',
      option: 'maxWals',
    }),
    flag('memory-mlock', BOOLEAN, {
      fallback: 'false',
      since: '3.6',
      help: 'Keep the database in main memory.',
      noEffect: 'the database is not mapped into memory',
    }),
    flag('raft-read-timeout', DURATION, {
      fallback: '5s',
      help: 'Longest silence on a connection between peers; raised to 5s when it is less.',
      option: 'raftReadTimeoutMs',
    }),
    flag('raft-write-timeout', DURATION, {
      fallback: '5s',
      help: 'Longest time for a write on a connection between peers; raised to 5s when it is less.',
      option: 'raftWriteTimeoutMs',
    }),
    flag('socket-reuse-port', BOOLEAN, {
      fallback: 'false',
      key: 'socket-options.reuse-port',
      help: 'Set SO_REUSEPORT on the listeners, so that several processes may share a port.',
      option: 'socketReusePort',
    }),
    flag('socket-reuse-address', BOOLEAN, {
      fallback: 'false',
      key: 'socket-options.reuse-address',
      help: 'Set SO_REUSEADDR on the listeners.',
      noEffect: 'it is always set: the runtime does so',
    }),
  ],
};

/** The database behind the log. */
export const STORAGE: Family = {
  title: 'Storage',
  flags: [
    flag('quota-backend-bytes', INT64, {
      fallback: '0',
      help: 'Size of the database from which on writes are refused; 0 is 2 GiB, negative is no limit.',
      option: 'quotaBackendBytes',
    }),
    flag('backend-batch-interval', DURATION, {
      fallback: '0s',
      help: 'Longest delay of the write into the database; 0 is 100ms.',
      option: 'backendBatchIntervalMs',
    }),
    flag('backend-batch-limit', INT, {
      fallback: '0',
      help: 'Entries after which the database is written without delay; 0 is 10000.',
      option: 'backendBatchEntries',
    }),
    flag('backend-bbolt-freelist-type', TEXT, {
      fallback: 'map',
      help: 'Layout of the free list of bbolt: array or map.',
      noEffect: 'the database is not bbolt',
    }),
    flag('bootstrap-defrag-threshold-megabytes', UINT, {
      fallback: '0',
      since: '3.6',
      help: 'Defragment at the start when that frees so much.',
      option: 'bootstrapDefragThresholdMegabytes',
    }),
    flag('snapshot-catchup-entries', UINT64, {
      fallback: '5000',
      since: '3.6',
      help: 'Entries kept behind a mark for followers that are behind.',
      option: 'snapshotCatchUpEntries',
    }),
    flag('auto-compaction-mode', TEXT, {
      fallback: 'periodic',
      help: 'How --auto-compaction-retention is meant: periodic or revision.',
      option: 'autoCompactionMode',
    }),
    flag('auto-compaction-retention', TEXT, {
      fallback: '0',
      help: 'History that is kept: a duration (a bare number is hours), or a number of revisions; 0 keeps all.',
      option: 'autoCompactionRetention',
    }),
    flag('compaction-batch-limit', INT, {
      fallback: '0',
      since: '3.6',
      help: 'Revisions dropped between two pauses of a compaction; 0 is 1000.',
      option: 'compactionBatchLimit',
    }),
    flag('compaction-sleep-interval', DURATION, {
      fallback: '0s',
      since: '3.6',
      help: 'The pause, which is spread over smaller steps; 0 is 10ms.',
      option: 'compactionSleepIntervalMs',
    }),
  ],
};
