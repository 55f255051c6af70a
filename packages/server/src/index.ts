// For whoever embeds a node.
export { EtcdNode, type EtcdNodeEvents, type EtcdNodePhase } from './etcd-node.ts';
export { type EtcdNodeOptions, type ResolvedOptions, resolveOptions } from './options.ts';
export { MAX_ELECTION_TIMEOUT_MS } from './options/raft-options.ts';
export {
  type LeveledLogger,
  type LogFields,
  type Logger,
  type LogLevel,
  silentLogger,
} from './logger.ts';
export { InMemoryNetwork } from './peers/in-memory-network.ts';
export { StartError, type StartErrorCode } from './start-error.ts';

// For whoever restores a backup.
export type { RandomAccessFile } from './bbolt/database-reader.ts';
export { restoreBackupFile } from './restore/node/restore-file.ts';
export { RestoreError, type RestoreErrorCode } from './restore/restore-error.ts';
export {
  restoreBackup,
  type Restored,
  type RestoreOptions,
  type RestorePlaces,
} from './restore/restore.ts';

// For whoever brings surroundings, peers or an engine of his own.
export type { Clock, Random, Timer } from './clock.ts';
export type { BackendStore, ClientListener, Env, Served } from './env.ts';
export type { NodePort, NodeStatus } from './node-port.ts';
export type { ServerLimits } from './limits.ts';
export type {
  Consensus,
  ConsensusHost,
  ConsensusStatus,
  FollowerProgress,
} from './consensus/consensus.ts';
export type { SnapshotSource } from './snapshot/snapshot-source.ts';
export type {
  ClusterFacts,
  LocalPeer,
  Peer,
  PeerFacts,
  PeerHandlers,
  PeerTransport,
} from './peers/peer-transport.ts';
export { MAX_REMOTES, Remotes, type RemotesParts } from './peers/remotes.ts';
