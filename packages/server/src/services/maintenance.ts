/** The Maintenance service (etcd server/etcdserver/api/v3rpc/maintenance.go). */
import { memberId } from '@etcd-ts/base';
import {
  AlarmAction,
  type AlarmMember,
  AlarmType,
  DowngradeAction,
  type DowngradeRequest,
  EtcdError,
  type Handlers,
  type StatusResponse,
} from '@etcd-ts/protocol';
import type { Histogram } from '../metrics/histogram.ts';
import type { NodePort } from '../node-port.ts';
import { hashKv } from './hash-kv.ts';
import { headerNow, stamp } from './header.ts';
import { expectKind } from './kv.ts';
import type { QuotaGuard } from './quota-guard.ts';
import { sendSnapshot } from './snapshot.ts';
import { ETCD_VERSION, STORAGE_VERSION } from './version.ts';

/** The handlers of etcdserverpb.Maintenance. */
export function maintenanceHandlers(node: NodePort, quota: QuotaGuard): Handlers {
  return {
    'etcdserverpb.Maintenance/Alarm': async (request) => {
      if (request.action === AlarmAction.GET) {
        await node.readBarrier();
        return { header: headerNow(node), alarms: [...node.state.alarms.list(request.alarm)] };
      }
      const result = await node.propose({ kind: 'alarm', request });
      return stamp(node, expectKind(result, 'alarm').response);
    },
    'etcdserverpb.Maintenance/Status': () => Promise.resolve(status(node, quota)),
    'etcdserverpb.Maintenance/Hash': () => {
      const startedMs = node.clock.monotonicMs();
      const hash = Number(BigInt.asUintN(32, node.state.store.stateHash()));
      node.metrics.hashSeconds.observe((node.clock.monotonicMs() - startedMs) / 1000);
      return Promise.resolve({ header: headerNow(node), hash });
    },
    'etcdserverpb.Maintenance/HashKV': ({ revision }) =>
      timed(node, node.metrics.hashRevisionSeconds, () => hashKv(node, revision)),
    'etcdserverpb.Maintenance/Downgrade': async (request) => {
      await node.readBarrier();
      return { header: headerNow(node), version: downgrade(request) };
    },
    'etcdserverpb.Maintenance/Snapshot': async (requests, context, responses) => {
      for await (const _ of requests) {
        await timed(node, node.metrics.backendSnapshotSeconds, () =>
          sendSnapshot(node, { signal: context.signal, responses }),
        );
      }
    },
    'etcdserverpb.Maintenance/MoveLeader': async ({ targetID }, context) => {
      await moveLeader(node, targetID, context.signal);
      return { header: undefined };
    },
    'etcdserverpb.Maintenance/Defragment': async () => {
      await defragment(node);
      return { header: undefined };
    },
  };
}

/** Does something and counts how long it took, unless it failed. */
async function timed<T>(
  { clock }: NodePort,
  seconds: Histogram,
  work: () => Promise<T>,
): Promise<T> {
  const startedMs = clock.monotonicMs();
  const result = await work();
  seconds.observe((clock.monotonicMs() - startedMs) / 1000);
  return result;
}

async function defragment(node: NodePort): Promise<void> {
  const { metrics, state } = node;
  metrics.isDefragmenting = true;
  try {
    await timed(node, metrics.defragmentSeconds, () => state.defragment());
  } finally {
    metrics.isDefragmenting = false;
  }
}

/**
 * Validates a downgrade. None is ever begun, as what this server stores no earlier version reads; so there is none to
 * cancel either, which etcd 3.6 answers with OK.
 *
 * @returns The version of the cluster.
 * @throws EtcdError WRONG_DOWNGRADE_VERSION_FORMAT, INVALID_DOWNGRADE_TARGET_VERSION, NOT_CAPABLE, UNKNOWN_METHOD.
 */
function downgrade({ action, version }: DowngradeRequest): string {
  if (action === DowngradeAction.CANCEL) return STORAGE_VERSION;
  if (action !== DowngradeAction.VALIDATE && action !== DowngradeAction.ENABLE) {
    throw new EtcdError('UNKNOWN_METHOD');
  }
  const [, major, minor] = /^(\d+)\.(\d+)(?:\.\d+)?$/.exec(version) ?? [];
  if (major === undefined || minor === undefined) {
    throw new EtcdError('WRONG_DOWNGRADE_VERSION_FORMAT', { detail: version });
  }
  const [ownMajor, ownMinor] = STORAGE_VERSION.split('.').map(Number);
  if (Number(major) !== ownMajor || Number(minor) + 1 !== ownMinor) {
    throw new EtcdError('INVALID_DOWNGRADE_TARGET_VERSION', {
      detail: `${version}, the cluster is at ${STORAGE_VERSION}`,
    });
  }
  if (action === DowngradeAction.ENABLE) throw new EtcdError('NOT_CAPABLE');
  return STORAGE_VERSION;
}

/** Only the leader hands over, and only to a voter; to itself it need not. */
async function moveLeader(node: NodePort, target: bigint, signal: AbortSignal): Promise<void> {
  if (!node.status().isLeader) throw new EtcdError('NOT_LEADER');
  const member = node.state.membership.get(target);
  if (member === undefined || member.isLearner) {
    throw new EtcdError('BAD_LEADER_TRANSFEREE', { detail: `member ${target.toString(16)}` });
  }
  if (target !== node.memberId) await node.transferLeadership(memberId(target), signal);
}

function status(node: NodePort, quota: QuotaGuard): StatusResponse {
  const { term, committedIndex, appliedIndex, leader, isLearner } = node.status();
  const { store, alarms } = node.state;
  return {
    header: headerNow(node),
    version: ETCD_VERSION,
    dbSize: store.sizeBytes,
    leader,
    raftIndex: committedIndex,
    raftTerm: term,
    raftAppliedIndex: appliedIndex,
    errors: [
      ...(leader === 0n ? [new EtcdError('NO_LEADER').message] : []),
      ...alarms.list().map(alarmText),
    ],
    dbSizeInUse: store.sizeBytes,
    isLearner,
    storageVersion: STORAGE_VERSION,
    dbSizeQuota: Number.isFinite(quota.limitBytes) ? quota.limitBytes : 0,
    downgradeInfo: { enabled: false, targetVersion: '' },
  };
}

/** An alarm as protobuf's text form prints it; the space at the end is etcd's. */
function alarmText({ memberID, alarm }: AlarmMember): string {
  const name = Object.entries(AlarmType).find(([, value]) => value === alarm)?.[0] ?? String(alarm);
  const fields = [...(memberID === 0n ? [] : [`memberID:${memberID}`]), `alarm:${name}`];
  return `${fields.join(' ')} `;
}
