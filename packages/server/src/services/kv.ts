/**
 * The KV service: validate, then read or propose (etcd server/etcdserver/api/v3rpc/key.go, v3_server.go).
 *
 * What always holds
 * - A linearizable read sees every write that was acknowledged anywhere before it began.
 * - A read never holds the loop for long: what is large is read in slices at one revision.
 * - A write is answered with the revision at which it happened.
 */
import { assert } from '@etcd-ts/base';
import { checkDeleteRange, checkPut, checkRange, checkTxn, type MvccError } from '@etcd-ts/mvcc';
import {
  type CallContext,
  type Handlers,
  type PutRequest,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  type RequestOp,
  type TxnRequest,
  type TxnResponse,
} from '@etcd-ts/protocol';
import type { Command, CommandResult } from '../apply/command.ts';
import { putCostBytes, txnCostBytes } from '../apply/quota.ts';
import { storeError } from '../apply/store-error.ts';
import { countTxn } from '../metrics/count-applied.ts';
import type { NodePort } from '../node-port.ts';
import type { Identity, Judgement } from './auth/identity.ts';
import type { CompactionDriver } from './compaction-driver.ts';
import { headerAt, stamp } from './header.ts';
import { LargeRanges } from './large-ranges.ts';
import type { QuotaGuard } from './quota-guard.ts';
import { readRange, readTxn } from './range-reader.ts';
import { partsFor, passOnRange, streamRange } from './range-stream.ts';

/** What the service needs beside its node. */
export interface KvParts {
  readonly node: NodePort;
  readonly quota: QuotaGuard;
  readonly compaction: CompactionDriver;
  readonly identity: Identity;
}

/** The handlers of etcdserverpb.KV. */
export function kvHandlers(parts: KvParts): Handlers {
  const { node, compaction, identity } = parts;
  const large = new LargeRanges();
  const partsWithLarge = { ...parts, large };
  return {
    'etcdserverpb.KV/Range': (request, context) => range(partsWithLarge, request, context),
    'etcdserverpb.KV/RangeStream': async (requests, context, responses) => {
      for await (const request of requests) {
        refuse(checkRange(request));
        if (!request.serializable) await node.readBarrier();
        await identity.demandOf(context, (caller) => caller.read(request));
        await timedRange(node, () =>
          streamRange(node, request, { large, signal: context.signal, responses }),
        );
      }
    },
    'etcdserverpb.KV/Put': (request, context) => put(parts, request, context),
    'etcdserverpb.KV/DeleteRange': async (request, context) => {
      refuse(checkDeleteRange(request));
      const result = await propose(parts, { kind: 'deleteRange', request }, context);
      return stamp(node, expectKind(result, 'deleteRange').response);
    },
    'etcdserverpb.KV/Txn': (request, context) => txn(partsWithLarge, request, context),
    'etcdserverpb.KV/Compact': async (request, context) => {
      const result = await propose(parts, { kind: 'compact', request }, context);
      const { revision } = expectKind(result, 'compact');
      if (request.physical) await compaction.finished(request.revision, context.signal);
      return { header: headerAt(node, revision) };
    },
  };
}

async function range(
  { node, identity, large }: KvParts & { readonly large: LargeRanges },
  request: RangeRequest,
  context: CallContext,
): Promise<RangeResponse> {
  refuse(checkRange(request));
  if (!request.serializable) await node.readBarrier();
  // After the barrier, since rights may have been given or withdrawn before the read.
  if (identity.isRequired) await identity.demandOf(context, (caller) => caller.read(request));
  const parts = partsFor(request, context);
  const read = (): Promise<RangeResponse> =>
    parts === undefined
      ? readRange(node, request, { large, context })
      : passOnRange(node, request, { large, context, parts });
  return stamp(node, await timedRange(node, read));
}

/** Counts and times the reading of a range. */
async function timedRange<T>({ clock, metrics }: NodePort, read: () => Promise<T>): Promise<T> {
  const startedMs = clock.monotonicMs();
  try {
    const result = await read();
    metrics.ranged(clock.monotonicMs() - startedMs, true);
    return result;
  } catch (error) {
    metrics.ranged(clock.monotonicMs() - startedMs, false);
    throw error;
  }
}

/**
 * Lets a write on that the database has room for. As in etcd the quota is judged first, so that a request which is
 * wrong as well still raises the alarm; but nobody may stop all writes who may not write himself.
 *
 * @throws EtcdError NO_SPACE, once the alarm is raised; what the caller may not do.
 */
async function makeRoom(
  { quota, identity }: KvParts,
  costBytes: number,
  context: CallContext,
  judge: Judgement,
): Promise<void> {
  if (quota.fits(costBytes)) return;
  await identity.demandOf(context, judge);
  throw await quota.refuse(costBytes);
}

async function put(
  parts: KvParts,
  request: PutRequest,
  context: CallContext,
): Promise<PutResponse> {
  const { node } = parts;
  await makeRoom(parts, putCostBytes(request), context, (caller) => caller.put(request));
  refuse(checkPut(request));
  const result = await propose(parts, { kind: 'put', request }, context);
  return stamp(node, expectKind(result, 'put').response);
}

async function txn(
  parts: KvParts & { readonly large: LargeRanges },
  request: TxnRequest,
  context: CallContext,
): Promise<TxnResponse> {
  const { node, identity, large } = parts;
  await makeRoom(parts, txnCostBytes(request), context, (caller) => caller.txn(request));
  refuse(checkTxn(request, node.limits.maxTxnOps));
  const ranges = rangesOf(request);
  if (ranges !== undefined) {
    // Without any range the compares alone are the read, and nothing said that they may be stale.
    const mayBeStale = ranges.length > 0 && ranges.every((one) => one.serializable);
    if (!mayBeStale) await node.readBarrier();
    if (identity.isRequired) await identity.demandOf(context, (caller) => caller.txn(request));
    const response = await readTxn(node, request, { large, context });
    countTxn(node.metrics, request, response);
    return stamp(node, response);
  }
  const result = await propose(parts, { kind: 'txn', request }, context);
  return stamp(node, expectKind(result, 'txn').response);
}

/** The ranges of both branches when there is nothing else in them, so that no entry is needed; else undefined. */
function rangesOf({ success, failure }: TxnRequest): readonly RangeRequest[] | undefined {
  const ranges: RangeRequest[] = [];
  const collect = ({ request }: RequestOp): boolean => {
    if (request?.$case !== 'requestRange') return false;
    ranges.push(request.value);
    return true;
  };
  return success.every(collect) && failure.every(collect) ? ranges : undefined;
}

function refuse(problem: MvccError | undefined): void {
  if (problem !== undefined) throw storeError(problem);
}

/** Proposes in the caller's name; whether he may is judged when it is applied. */
export async function propose(
  { node, identity }: Pick<KvParts, 'node' | 'identity'>,
  command: Command,
  context: CallContext,
): Promise<CommandResult> {
  const raw = context.rawRequest;
  const options = raw === undefined ? undefined : { raw };
  if (!identity.isRequired) return await node.propose(command, options);
  const caller = await identity.callerOf(context);
  return node.propose(caller === undefined ? command : { ...command, caller }, options);
}

/** The result of a command is of the command's kind. */
export function expectKind<Kind extends CommandResult['kind']>(
  result: CommandResult,
  kind: Kind,
): Extract<CommandResult, { kind: Kind }> {
  assert(isKind(result, kind), () => `a ${kind} was answered with a ${result.kind}`);
  return result;
}

function isKind<Kind extends CommandResult['kind']>(
  result: CommandResult,
  kind: Kind,
): result is Extract<CommandResult, { kind: Kind }> {
  return result.kind === kind;
}
