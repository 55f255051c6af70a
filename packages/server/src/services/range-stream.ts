/**
 * Ranges in key order, passed on part by part while they are read, at one revision: streams of a range, and large ranges
 * whose door takes them in parts. What is held of them is a part.
 */
import type { RangePlan } from '@etcd-ts/mvcc';
import {
  type CallContext,
  EtcdError,
  type KeyValue,
  type RangeParts,
  type RangeRequest,
  type RangeResponse,
  type RangeStreamResponse,
  type ResponseSink,
} from '@etcd-ts/protocol';
import { rangeResponse } from '../apply/responses.ts';
import { orThrow } from '../apply/store-error.ts';
import { kvPieces, PIECE_BYTES, PIECE_KEYS } from '../kv-pieces.ts';
import type { NodePort } from '../node-port.ts';
import { nextTurn, stepTurns } from '../turns.ts';
import { headerAt } from './header.ts';
import type { LargeRanges } from './large-ranges.ts';
import {
  LARGE_READ_STEPS,
  type RangeTurns,
  readRange,
  STEP_BYTES,
  STEP_ENTRIES,
} from './range-reader.ts';

/** Keys in the first message of a stream, so that the reader has something early (etcd 3.7). */
const FIRST_CHUNK_ENTRIES = 10;
/** Keys that are passed on together to be encoded: a millisecond's work, also as JSON. */
const PART_KEYS = 250;
/** RangeRequest.sortTarget and sortOrder. */
const KEY = 0;
const DESCEND = 2;

/** Where the keys of this range may go while they are read; undefined when it has to be read whole. */
export function partsFor(request: RangeRequest, context: CallContext): RangeParts | undefined {
  return isPassedOn(request) && request.rangeEnd.length > 0 ? context.rangeParts : undefined;
}

/**
 * Answers a range, which is passed on while it is read if it is large; header with the revision alone.
 *
 * @returns The whole response; after parts were taken, one without keys.
 * @throws EtcdError as {@link readRange}, also after parts were taken; what `parts` throws.
 */
export async function passOnRange(
  node: NodePort,
  request: RangeRequest,
  { large, context, parts }: RangeTurns & { readonly parts: RangeParts },
): Promise<RangeResponse> {
  const plan = orThrow(() => node.state.store.rangePlan(request));
  let leave: (() => void) | undefined;
  try {
    let part = await nextPart(node, plan, {
      keysMax: LARGE_READ_STEPS * STEP_ENTRIES,
      bytesMax: LARGE_READ_STEPS * STEP_BYTES,
    });
    if (part.isLast) return answer(part.kvs);
    parts.begin(headerAt(node, plan.headerRevision));
    for (;;) {
      leave ??= await large.enter(context.signal);
      const room = part.kvs.length === 0 ? undefined : parts.take(part.kvs);
      if (part.isLast) return answer([]);
      if (room === undefined) await nextTurn(node.clock);
      else {
        // Nothing is read meanwhile, and nobody waits for a client that takes its time.
        leave();
        leave = undefined;
        await room;
      }
      if (context.signal.aborted) throw EtcdError.from(context.signal.reason);
      part = await nextPart(node, plan, { keysMax: PART_KEYS, bytesMax: PIECE_BYTES });
    }
  } finally {
    leave?.();
    plan.close();
  }
  function answer(kvs: KeyValue[]): RangeResponse {
    return rangeResponse({ revision: plan.headerRevision, kvs, more: false, count: plan.count });
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
      const next = await nextPart(node, plan, { keysMax: PIECE_KEYS, bytesMax });
      if (next.kvs.length === 0) {
        const header = { ...full, revision: plan.headerRevision };
        const last = { header, kvs: part, more: false, count: plan.count };
        target.responses.send({ rangeResponse: last });
        return;
      }
      if (!(await sendPart(node, part, target))) return;
      part = next.kvs;
    }
  } finally {
    plan.close();
  }
}

/** The next entries of a plan. */
interface Part {
  readonly kvs: KeyValue[];
  /** None follow; otherwise there may be more. */
  readonly isLast: boolean;
}

/** The next entries of a plan, read in steps, until they are so many or so large. */
async function nextPart(
  node: NodePort,
  plan: RangePlan,
  { keysMax, bytesMax }: { readonly keysMax: number; readonly bytesMax: number },
): Promise<Part> {
  const afterStep = stepTurns(node.clock);
  const kvs: KeyValue[] = [];
  for (let bytes = 0; kvs.length < keysMax && bytes < bytesMax;) {
    const entriesMax = Math.min(STEP_ENTRIES, keysMax - kvs.length);
    const slice = orThrow(() => plan.next(entriesMax, Math.min(STEP_BYTES, bytesMax - bytes)));
    if (slice === undefined) return { kvs, isLast: true };
    for (const kv of slice) {
      kvs.push(kv);
      bytes += kv.key.length + kv.value.length;
    }
    const turn = afterStep();
    if (turn !== undefined) await turn;
  }
  return { kvs, isLast: false };
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
