/**
 * Reads ranges of any size without holding the loop: small ones in one go, large ones in slices at one revision, with a
 * turn for everybody else between two slices.
 */
import type {
  CallContext,
  KeyValue,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
  ResponseSink,
} from '@etcd-ts/protocol';
import { rangeResponse } from '../apply/responses.ts';
import { orThrow } from '../apply/store-error.ts';
import type { NodePort } from '../node-port.ts';
import { headerAt } from './header.ts';
import type { LargeRanges } from './large-ranges.ts';
import { nextTurn } from './turns.ts';

/** Most entries read in one turn. */
const SLICE_ENTRIES = 1_000;
/** Most bytes read in one turn, but for a single larger entry. */
const SLICE_BYTES = 1 << 20;
/** Slices after which a range counts as large. */
const LARGE_RANGE_SLICES = 2;
/** Keys in the first message of a stream, so that the reader has something early (etcd 3.7). */
const FIRST_CHUNK_ENTRIES = 10;
/** RangeRequest.sortTarget and sortOrder. */
const KEY = 0;
const DESCEND = 2;

/** What large ranges wait for. */
export interface RangeTurns {
  readonly large: LargeRanges;
  /** The caller's; asked for by large ranges alone. */
  readonly context: Pick<CallContext, 'signal'>;
}

/**
 * Answers a range request; header with the revision alone.
 *
 * @throws EtcdError COMPACTED, FUTURE_REV; the signal's reason for a large one that is not wanted any more.
 */
export async function readRange(
  node: NodePort,
  request: RangeRequest,
  { large, context }: RangeTurns,
): Promise<RangeResponse> {
  const { store } = node.state;
  if (isSmall(request, store.revision)) return rangeResponse(orThrow(() => store.range(request)));
  const plan = orThrow(() => store.rangePlan(request));
  let leave: (() => void) | undefined;
  try {
    const kvs: KeyValue[] = [];
    for (let slices = 1; ; slices++) {
      const slice = orThrow(() => plan.next(SLICE_ENTRIES, SLICE_BYTES));
      if (slice === undefined) return rangeResponse(plan.finish(kvs));
      for (const kv of slice) kvs.push(kv);
      if (slices === LARGE_RANGE_SLICES) leave = await large.enter(context.signal);
      await nextTurn(node.clock);
    }
  } finally {
    leave?.();
    plan.close();
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
    for (let at = 0; ; at += SLICE_ENTRIES) {
      const part = kvs.slice(at, at + SLICE_ENTRIES);
      if (at + SLICE_ENTRIES >= kvs.length) {
        const header = { ...full, revision: whole.header?.revision ?? 0 };
        target.responses.send({ rangeResponse: { header, kvs: part, more, count } });
        return;
      }
      if (!(await sendPart(node, part, target))) return;
    }
  }
  const plan = orThrow(() => node.state.store.rangePlan(request));
  const bytesMax = Math.min(SLICE_BYTES, node.limits.maxRequestBytes);
  try {
    let part = orThrow(() => plan.next(FIRST_CHUNK_ENTRIES, bytesMax)) ?? [];
    for (;;) {
      const next = orThrow(() => plan.next(SLICE_ENTRIES, bytesMax));
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

/**
 * One key; or now, a count, or a page in key order: the store answers it in one go. Of the past a count has to look at
 * every key of the range.
 */
function isSmall(request: RangeRequest, current: number): boolean {
  if (request.rangeEnd.length === 0) return true;
  if (request.revision > 0 && request.revision < current) return false;
  if (request.countOnly) return true;
  return request.limit > 0 && request.limit <= SLICE_ENTRIES && isInKeyOrder(request);
}
