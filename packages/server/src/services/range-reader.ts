/**
 * Reads ranges, and transactions of ranges, of any size without holding the loop: in short steps at one revision, with a
 * turn for everybody else after about a millisecond of them.
 */
import type { SteppedRead } from '@etcd-ts/mvcc';
import {
  type CallContext,
  EtcdError,
  type RangeRequest,
  type RangeResponse,
  type TxnRequest,
  type TxnResponse,
} from '@etcd-ts/protocol';
import { rangeResponse, txnResponse } from '../apply/responses.ts';
import { orThrow } from '../apply/store-error.ts';
import type { NodePort } from '../node-port.ts';
import { stepTurns } from '../turns.ts';
import type { LargeRanges } from './large-ranges.ts';

/** Entries handled in one step: less than a millisecond, also where each is read from the disk. */
export const STEP_ENTRIES = 64;
/** Bytes read in one step, but for a single larger entry. */
export const STEP_BYTES: number = 64 << 10;
/** Steps after which a read counts as large: some 2,000 entries, or 2 MiB. */
export const LARGE_READ_STEPS = 32;

/** What large reads wait for. */
export interface RangeTurns {
  readonly large: LargeRanges;
  /** The caller's; asked for by large reads alone. */
  readonly context: Pick<CallContext, 'signal'>;
}

/**
 * Answers a range request; header with the revision alone.
 *
 * @throws EtcdError COMPACTED, FUTURE_REV; UNAVAILABLE when the database was closed meanwhile; the signal's reason for a
 * large one that is not wanted any more.
 */
export async function readRange(
  node: NodePort,
  request: RangeRequest,
  turns: RangeTurns,
): Promise<RangeResponse> {
  const { store } = node.state;
  if (isSmall(request, store.revision)) return rangeResponse(orThrow(() => store.range(request)));
  const read = orThrow(() => store.steppedRange(request));
  return rangeResponse(await inSteps(node, read, turns));
}

/**
 * Answers a transaction of ranges alone; header with the revision alone. All of it is read at one revision.
 *
 * @throws EtcdError as {@link readRange}.
 */
export async function readTxn(
  node: NodePort,
  request: TxnRequest,
  turns: RangeTurns,
): Promise<TxnResponse> {
  const { store } = node.state;
  if (isSmallTxn(request, store.revision)) return txnResponse(orThrow(() => store.txn(request)));
  return txnResponse(await inSteps(node, store.steppedTxn(request), turns));
}

/** Reads to the end, with turns for everybody else in between, and closes the read. */
async function inSteps<T>(
  node: NodePort,
  read: SteppedRead<T>,
  { large, context }: RangeTurns,
): Promise<T> {
  const afterStep = stepTurns(node.clock);
  let leave: (() => void) | undefined;
  try {
    for (let steps = 1; ; steps++) {
      if (orThrow(() => read.step(STEP_ENTRIES, STEP_BYTES))) return read.result;
      if (steps === LARGE_READ_STEPS) leave = await large.enter(context.signal);
      const turn = afterStep();
      if (turn === undefined) continue;
      await turn;
      if (leave !== undefined && context.signal.aborted) {
        throw EtcdError.from(context.signal.reason);
      }
    }
  } finally {
    leave?.();
    read.close();
  }
}

/** One key, or what is counted now: of the past a count has to look at every key of the range. */
function isSmall(request: RangeRequest, current: number): boolean {
  if (request.rangeEnd.length === 0) return true;
  return request.countOnly && (request.revision <= 0 || request.revision >= current);
}

/** Everything in it is small. */
function isSmallTxn({ compare, success, failure }: TxnRequest, current: number): boolean {
  return (
    compare.every(({ rangeEnd }) => rangeEnd.length === 0) &&
    [...success, ...failure].every(
      ({ request }) => request?.$case === 'requestRange' && isSmall(request.value, current),
    )
  );
}
