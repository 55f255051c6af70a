/** `--feature-gates` of etcd 3.6: `Name=true,Other=false`. */
import type { EtcdNodeOptions } from '../../options.ts';
import type { Kind } from './kinds.ts';
import { readBoolean, type Reading } from '../../go-values.ts';

/** What a gate is in etcd, and what it goes into here. */
export interface GateRow {
  readonly fallback: boolean;
  readonly help: string;
  readonly option?: keyof EtcdNodeOptions;
  /** Why it means nothing here. */
  readonly noEffect?: string;
  /** Known, and refused with any value but its default. */
  readonly isPending?: true;
}

/** A gate's name. */
export type FeatureGate =
  | 'StopGRPCServiceOnDefrag'
  | 'InitialCorruptCheck'
  | 'CompactHashCheck'
  | 'TxnModeWriteWithSharedBuffer'
  | 'LeaseCheckpoint'
  | 'LeaseCheckpointPersist'
  | 'SetMemberLocalAddr';

/** The gates of etcd 3.6, all of them alpha but the shared buffer. */
export const FEATURE_GATES: Readonly<Record<FeatureGate, GateRow>> = {
  StopGRPCServiceOnDefrag: {
    fallback: false,
    help: 'Report NOT_SERVING while the member defragments.',
    option: 'stopGrpcServiceOnDefrag',
  },
  InitialCorruptCheck: {
    fallback: false,
    help: 'Compare data with the other members before serving.',
    option: 'initialCorruptCheck',
  },
  CompactHashCheck: {
    fallback: false,
    help: 'Let the leader compare hashes of compacted data with the followers.',
    option: 'compactHashCheck',
  },
  TxnModeWriteWithSharedBuffer: {
    fallback: true,
    help: 'Share the write buffer with the reads of a transaction.',
    noEffect: 'reads of a transaction see the index in memory; there is no buffer to copy',
  },
  LeaseCheckpoint: {
    fallback: false,
    help: 'Replicate the remaining time of long leases every five minutes.',
    option: 'leaseCheckpoint',
  },
  LeaseCheckpointPersist: {
    fallback: false,
    help: 'Keep the replicated remaining time over restarts, which is done in any case; needs LeaseCheckpoint.',
    option: 'leaseCheckpointPersist',
  },
  SetMemberLocalAddr: {
    fallback: false,
    help: 'Dial peers from the address that the member advertises.',
    option: 'setMemberLocalAddress',
  },
};

/** Switches that stand for all gates of one maturity. */
const GROUPS: Readonly<Record<string, readonly FeatureGate[]>> = {
  AllAlpha: [
    'StopGRPCServiceOnDefrag',
    'InitialCorruptCheck',
    'CompactHashCheck',
    'LeaseCheckpoint',
    'LeaseCheckpointPersist',
    'SetMemberLocalAddr',
  ],
  AllBeta: ['TxnModeWriteWithSharedBuffer'],
};

/** Gates that were named, with their values; a gate named by itself counts before its group. */
export type Gates = ReadonlyMap<FeatureGate, boolean>;

/** The kind of `--feature-gates`. */
export const GATES: Kind<Gates> = {
  name: 'gates',
  goType: 'string',
  read: readGates,
  readYaml: (value) => (typeof value === 'string' ? readGates(value) : undefined),
};

function readGates(text: string): Reading<Gates> {
  const named = new Map<FeatureGate, boolean>();
  const grouped = new Map<FeatureGate, boolean>();
  for (const pair of text.split(',')) {
    if (pair.trim() === '') continue;
    const [name = '', word] = pair.split(/=(.*)/s).map((part) => part.trim());
    if (word === undefined) return { problem: `missing bool value for ${name}` };
    const reading = readBoolean(word);
    if ('problem' in reading) {
      const why = `strconv.ParseBool: parsing "${word}": invalid syntax`;
      return { problem: `invalid value of ${name}=${word}, err: ${why}` };
    }
    const group = GROUPS[name];
    if (group !== undefined) for (const gate of group) grouped.set(gate, reading.value);
    else if (Object.hasOwn(FEATURE_GATES, name)) named.set(name as FeatureGate, reading.value);
    else return { problem: `unrecognized feature gate: ${name}` };
  }
  return { value: new Map([...grouped, ...named]) };
}
