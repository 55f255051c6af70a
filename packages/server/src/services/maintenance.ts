/** The Maintenance service (etcd server/etcdserver/api/v3rpc/maintenance.go). */
import { memberId } from '@etcd-ts/base';
import {
  AlarmAction,
  type AlarmMember,
  AlarmType,
  EtcdError,
  type Handlers,
  type StatusResponse,
} from '@etcd-ts/protocol';
import type { Histogram } from '../metrics/histogram.ts';
import type { NodePort } from '../node-port.ts';
import { downgrade } from './downgrade.ts';
import { hashKv } from './hash-kv.ts';
import { headerNow, stamp } from './header.ts';
import { expectKind } from './kv.ts';
import type { QuotaGuard } from './quota-guard.ts';
import { Sha256, type Sha256Digest } from './sha256.ts';
import { sendSnapshot } from './snapshot.ts';
import { withPatch } from './version.ts';
import { storageVersion } from './version-monitor.ts';

/** Something that is done around other work. */
export type Around = (work: () => Promise<void>) => Promise<void>;

/** What the service needs beside its node. */
export interface MaintenanceParts {
  readonly whileDefragmenting: Around;
  /** See `Env.newSha256`. */
  readonly newSha256?: (() => Sha256Digest) | undefined;
}

/** The handlers of etcdserverpb.Maintenance. */
export function maintenanceHandlers(
  node: NodePort,
  quota: QuotaGuard,
  { whileDefragmenting, newSha256 = () => new Sha256() }: MaintenanceParts,
): Handlers {
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
      const version = await downgrade(node, request);
      return { header: headerNow(node), version };
    },
    'etcdserverpb.Maintenance/Snapshot': async (requests, context, responses) => {
      for await (const _ of requests) {
        await timed(node, node.metrics.backendSnapshotSeconds, () =>
          sendSnapshot(node, { signal: context.signal, responses, hash: newSha256() }),
        );
      }
    },
    'etcdserverpb.Maintenance/MoveLeader': async ({ targetID }, context) => {
      await moveLeader(node, targetID, context.signal);
      return { header: undefined };
    },
    'etcdserverpb.Maintenance/Defragment': async () => {
      await whileDefragmenting(() => defragment(node));
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
  const { store, alarms, versions } = node.state;
  const { downgradeTarget } = versions;
  return {
    header: headerNow(node),
    version: node.serverVersion,
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
    storageVersion: storageVersion(node),
    dbSizeQuota: Number.isFinite(quota.limitBytes) ? quota.limitBytes : 0,
    downgradeInfo: {
      enabled: downgradeTarget !== undefined,
      targetVersion: downgradeTarget === undefined ? '' : withPatch(downgradeTarget),
    },
  };
}

/** An alarm as protobuf's text form prints it; the space at the end is etcd's. */
function alarmText({ memberID, alarm }: AlarmMember): string {
  const name = Object.entries(AlarmType).find(([, value]) => value === alarm)?.[0] ?? String(alarm);
  const fields = [...(memberID === 0n ? [] : [`memberID:${memberID}`]), `alarm:${name}`];
  return `${fields.join(' ')} `;
}
