/**
 * What an applied entry adds to a node's counters (etcd counts the same inside its store, server/storage/mvcc/
 * metrics_txn.go, and names the operations so in server/etcdserver/apply/apply.go).
 */
import type { EtcdError, RequestOp, TxnRequest, TxnResponse } from '@etcd-ts/protocol';
import { EtcdError as Errors } from '@etcd-ts/protocol';
import type { AuthCommand } from '../apply/auth-command.ts';
import type { Command, CommandResult } from '../apply/command.ts';
import type { Lessor } from '../lease/lessor.ts';
import type { NodeMetrics } from './node-metrics.ts';

/** An entry that was applied. */
export interface AppliedCommand {
  readonly command: Command;
  readonly result: CommandResult | EtcdError;
  readonly tookMs: number;
  /** Keys that the entry deleted along with their lease. */
  readonly leasedKeys: number;
}

/** Keys that go with the leases that a command revokes; ask before it is applied. */
export function leasedKeysOf(command: Command, lessor: Lessor): number {
  if (command.kind === 'leaseRevoke') return lessor.keyCountOf(command.request.ID);
  if (command.kind !== 'leaseRevokeExpired') return 0;
  return command.ids.reduce((keys, id) => keys + lessor.keyCountOf(id), 0);
}

/** Counts one entry. */
export function countApplied(
  metrics: NodeMetrics,
  { command, result, tookMs, leasedKeys }: AppliedCommand,
): void {
  const isGood = !Errors.is(result);
  metrics.applied(operationName(command), isGood, tookMs);
  if (!isGood) return;
  switch (command.kind) {
    case 'put':
      metrics.puts += 1;
      metrics.putBytes += command.request.key.length + command.request.value.length;
      return;
    case 'deleteRange':
      metrics.deletes += 1;
      return;
    case 'txn':
      if (result.kind === 'txn') countTxn(metrics, command.request, result.response);
      return;
    case 'leaseRevoke':
    case 'leaseRevokeExpired':
      metrics.deletes += leasedKeys;
      if (leasedKeys > 1) metrics.txns += 1;
      return;
    default:
  }
}

/** Counts a transaction, also one that only reads and so is no entry. */
export function countTxn(metrics: NodeMetrics, request: TxnRequest, response: TxnResponse): void {
  if (countBranch(metrics, request, response) > 1) metrics.txns += 1;
}

/** Counts what was done, compares as the reads that they are. Returns how many operations that was. */
function countBranch(metrics: NodeMetrics, request: TxnRequest, response: TxnResponse): number {
  let operations = request.compare.length;
  metrics.ranges += operations;
  const branch: readonly RequestOp[] = response.succeeded ? request.success : request.failure;
  branch.forEach(({ request: op }, i) => {
    switch (op?.$case) {
      case 'requestRange':
        metrics.ranges += 1;
        operations += 1;
        break;
      case 'requestPut':
        metrics.puts += 1;
        metrics.putBytes += op.value.key.length + op.value.value.length;
        operations += 1;
        break;
      case 'requestDeleteRange':
        metrics.deletes += 1;
        operations += 1;
        break;
      case 'requestTxn': {
        const inner = response.responses[i]?.response;
        if (inner?.$case === 'responseTxn')
          operations += countBranch(metrics, op.value, inner.value);
        break;
      }
      case undefined:
    }
  });
  return operations;
}

/** The label `op` of an entry. */
function operationName(command: Command): string {
  switch (command.kind) {
    case 'put':
      return 'Put';
    case 'deleteRange':
      return 'DeleteRange';
    case 'txn':
      return 'Txn';
    case 'compact':
      return 'Compaction';
    case 'leaseGrant':
      return 'LeaseGrant';
    case 'leaseRevoke':
    case 'leaseRevokeExpired':
      return 'LeaseRevoke';
    case 'leaseCheckpoint':
      return 'LeaseCheckpoint';
    case 'alarm':
      return 'Alarm';
    case 'auth':
      return AUTH_OPERATIONS[command.change.op];
    case 'publishMember':
    case 'setClusterVersion':
    case 'setDowngrade':
      return 'ClusterMemberAttrSet';
  }
}

const AUTH_OPERATIONS: Readonly<Record<AuthCommand['op'], string>> = {
  enable: 'AuthEnable',
  disable: 'AuthDisable',
  authenticate: 'Authenticate',
  addUser: 'AuthUserAdd',
  deleteUser: 'AuthUserDelete',
  changePassword: 'AuthUserChangePassword',
  grantRole: 'AuthUserGrantRole',
  revokeRole: 'AuthUserRevokeRole',
  addRole: 'AuthRoleAdd',
  deleteRole: 'AuthRoleDelete',
  grantPermission: 'AuthRoleGrantPermission',
  revokePermission: 'AuthRoleRevokePermission',
};
