/**
 * What the raised alarms forbid (etcd server/etcdserver/apply: applierV3Capped, applierV3Corrupt).
 *
 * NOSPACE refuses what needs space: puts, transactions with a put in either branch, lease grants. CORRUPT refuses
 * every change of keys and leases. Alarms themselves and the membership are never refused, so that there is a way out.
 */
import { AlarmType, EtcdError } from '@etcd-ts/protocol';
import type { Alarms } from './alarms.ts';
import type { Command } from './command.ts';
import { txnCostBytes } from './quota.ts';

/** The refusal of a command while these alarms are raised, or undefined. */
export function refusedByAlarm(command: Command, alarms: Alarms): EtcdError | undefined {
  if (alarms.isEmpty) return undefined;
  if (alarms.has(AlarmType.CORRUPT) && changesKeysOrLeases(command)) {
    return new EtcdError('CORRUPT');
  }
  if (alarms.has(AlarmType.NOSPACE) && needsSpace(command)) {
    return new EtcdError('NO_SPACE', { mayHaveApplied: false });
  }
  return undefined;
}

function needsSpace(command: Command): boolean {
  switch (command.kind) {
    case 'put':
    case 'leaseGrant':
      return true;
    case 'txn':
      return txnCostBytes(command.request) > 0;
    default:
      return false;
  }
}

function changesKeysOrLeases(command: Command): boolean {
  switch (command.kind) {
    case 'put':
    case 'deleteRange':
    case 'txn':
    case 'compact':
    case 'leaseGrant':
    case 'leaseRevoke':
    case 'leaseRevokeExpired':
      return true;
    default:
      return false;
  }
}
