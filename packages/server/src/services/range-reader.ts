/**
 * Reads ranges, and transactions of ranges, of any size without holding the loop: in short steps at one revision, with a
 * turn for everybody else after about a millisecond of them.
 */
import type { RangePlan, SteppedRead } from '@etcd-ts/mvcc';
import {
  type CallContext,
  EtcdError,
  type KeyValue,
  type RangeRequest,
  type RangeResponse,
  type RangeStreamResponse,
  type ResponseSink,
  type TxnRequest,
  type TxnResponse,
} from '@etcd-ts/protocol';
import { rangeResponse, txnResponse } from '../apply/responses.ts';
import { orThrow } from '../apply/store-error.ts';
import { kvPieces, PIECE_BYTES, PIECE_KEYS } from '../kv-pieces.ts';
import type { NodePort } from '../node-port.ts';
import { headerAt } from './header.ts';
import type { LargeRanges } from './large-ranges.ts';
import { nextTurn, stepTurns } from '../turns.ts';

/** Entries handled in one step: less than a millisecond, also where each is read from the disk. */
const STEP_ENTRIES = 64;
/** Bytes read in one step, but for a single larger entry. */
const STEP_BYTES = 64 << 10;
/** Steps after which a read counts as large: some 2,000 entries, or 2 MiB. */
const LARGE_READ_STEPS = 32;
/** Keys in the first message of a stream, so that the reader has something early (etcd 3.7). */
const FIRST_CHUNK_ENTRIES = 10;
/** RangeRequest.sortTarget and sortOrder. */
const KEY = 0;
const DESCEND = 2;

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

/** Where a stream of a range goes. */
export interface RangeStreamTarget {
  readonly large: LargeRanges;
  readonly signal: AbortSignal;
  readonly responses: ResponseSink<RangeStreamResponse>;
}

/**
 * Streams a range in messages of bounded size; header, count and more come with the last message alone, and the
 * header's revision is that at which the stream began (etcd 3.7 KV.RangeStream).
 *
 * A range in key order is passed on as it is read. One that is sorted, filtered or cut is read whole before its first
 * message, as its order is not known earlier.
 *
 * @throws EtcdError COMPACTED, FUTURE_REV; COMPACTED also in the middle when the revision is compacted away.
 */
export async function streamRange(
  node: NodePort,
  request: RangeRequest,
  target: RangeStreamTarget,
): Promise<void> {
  const { clusterId, memberId, raftTerm } = headerAt(node, 0);
  const full = { clusterId, memberId, raftTerm };
  if (!isPassedOn(request)) {
    const whole = await readRange(node, request, { large: target.large, context: target });
    const { kvs, more, count } = whole;
    let part: KeyValue[] = [];
    for (const next of kvPieces(kvs)) {
      if (part.length > 0 && !(await sendPart(node, part, target))) return;
      part = next;
    }
    const header = { ...full, revision: whole.header?.revision ?? 0 };
    target.responses.send({ rangeResponse: { header, kvs: part, more, count } });
    return;
  }
  const plan = orThrow(() => node.state.store.rangePlan(request));
  const bytesMax = Math.min(PIECE_BYTES, node.limits.maxRequestBytes);
  try {
    let part = orThrow(() => plan.next(FIRST_CHUNK_ENTRIES, bytesMax)) ?? [];
    for (;;) {
      const next = await nextPart(node, plan, bytesMax);
      if (next === undefined) {
        const header = { ...full, revision: plan.headerRevision };
        const last = { header, kvs: part, more: false, count: plan.count };
        target.responses.send({ rangeResponse: last });
        return;
      }
      if (!(await sendPart(node, part, target))) return;
      part = next;
    }
  } finally {
    plan.close();
  }
}

/** The entries of a plan's next message, read in steps; undefined at the end. */
async function nextPart(
  node: NodePort,
  plan: RangePlan,
  bytesMax: number,
): Promise<KeyValue[] | undefined> {
  const afterStep = stepTurns(node.clock);
  const part: KeyValue[] = [];
  for (let bytes = 0; part.length < PIECE_KEYS && bytes < bytesMax;) {
    const slice = orThrow(() => plan.next(STEP_ENTRIES, Math.min(STEP_BYTES, bytesMax - bytes)));
    if (slice === undefined) return part.length === 0 ? undefined : part;
    for (const kv of slice) {
      part.push(kv);
      bytes += kv.key.length + kv.value.length;
    }
    const turn = afterStep();
    if (turn !== undefined) await turn;
  }
  return part;
}

/** Sends a message that is not the last. False: nobody listens any more. */
async function sendPart(
  node: NodePort,
  kvs: KeyValue[],
  { responses, signal }: RangeStreamTarget,
): Promise<boolean> {
  const rangeResponse = { header: undefined, kvs, more: false, count: 0 };
  if (responses.send({ rangeResponse })) await nextTurn(node.clock);
  else await responses.drained();
  return !signal.aborted;
}

/** Nothing is asked that needs the whole range before its first key can be sent. */
function isPassedOn(request: RangeRequest): boolean {
  return request.limit <= 0 && !request.countOnly && isInKeyOrder(request);
}

function isInKeyOrder(request: RangeRequest): boolean {
  return (
    request.sortOrder !== DESCEND &&
    request.sortTarget === KEY &&
    request.minModRevision === 0 &&
    request.maxModRevision === 0 &&
    request.minCreateRevision === 0 &&
    request.maxCreateRevision === 0
  );
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
