/** The `--experimental-*` flags of etcd 3.5: each has a flag or a feature gate of 3.6 in its place. */
import type { FeatureGate } from './feature-gates.ts';
import { type Family, type Flag, flag } from './flag.ts';
import { BOOLEAN, DURATION, INT, type Kind, TEXT, UINT, UINT64 } from './kinds.ts';

const END = 'is deprecated in v3.6 and will be decommissioned in v3.7.';

function twin(twinOf: string, kind: Kind, fallback: string, since?: '3.6'): Flag {
  const name = `experimental-${twinOf}`;
  const deprecated = `--${name} ${END} Use '--${twinOf}' instead.`;
  return flag(name, kind, {
    fallback,
    help: `As --${twinOf}.`,
    twinOf,
    deprecated,
    ...(since === undefined ? {} : { since }),
  });
}

function gate(of: FeatureGate, name: string, fallback = 'false'): Flag {
  const deprecated = `--experimental-${name} ${END} Use '--feature-gates=${of}=true' instead.`;
  return flag(`experimental-${name}`, BOOLEAN, {
    fallback,
    help: `As --feature-gates=${of}.`,
    gate: of,
    deprecated,
  });
}

/** Twins of flags, and switches that became gates. */
export const EXPERIMENTAL: Family = {
  title: 'Experimental',
  flags: [
    gate('InitialCorruptCheck', 'initial-corrupt-check'),
    twin('corrupt-check-time', DURATION, '0s'),
    gate('CompactHashCheck', 'compact-hash-check-enabled'),
    twin('compact-hash-check-time', DURATION, '1m0s'),
    gate('LeaseCheckpoint', 'enable-lease-checkpoint'),
    gate('LeaseCheckpointPersist', 'enable-lease-checkpoint-persist'),
    twin('compaction-batch-limit', INT, '0'),
    twin('compaction-sleep-interval', DURATION, '0s'),
    twin('peer-skip-client-san-verification', BOOLEAN, 'false'),
    twin('watch-progress-notify-interval', DURATION, '0s'),
    twin('downgrade-check-time', DURATION, '5s'),
    twin('memory-mlock', BOOLEAN, 'false'),
    twin('warning-apply-duration', DURATION, '100ms'),
    twin('warning-unary-request-duration', DURATION, '0s', '3.6'),
    gate('TxnModeWriteWithSharedBuffer', 'txn-mode-write-with-shared-buffer', 'true'),
    twin('bootstrap-defrag-threshold-megabytes', UINT, '0'),
    gate('StopGRPCServiceOnDefrag', 'stop-grpc-service-on-defrag'),
    twin('snapshot-catchup-entries', UINT64, '5000'),
    twin('max-learners', INT, '1', '3.6'),
    twin('enable-distributed-tracing', BOOLEAN, 'false'),
    twin('distributed-tracing-address', TEXT, 'localhost:4317'),
    twin('distributed-tracing-service-name', TEXT, 'etcd'),
    twin('distributed-tracing-instance-id', TEXT, ''),
    twin('distributed-tracing-sampling-rate', INT, '0'),
  ],
};
