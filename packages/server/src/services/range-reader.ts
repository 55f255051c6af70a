/**
 * Reads ranges of any size without holding the loop: small ones in one go, large ones in slices at one revision, with a
 * turn for everybody else between two slices.
 */
import type { RangePlan, RangeResult } from '@etcd-ts/mvcc';
import {
  EtcdError,
  type KeyValue,
  type RangeRequest,
  type RangeResponse,
  type RangeStreamResponse,
  type ResponseSink,
} from '@etcd-ts/protocol';
import { rangeResponse, revisionHeader } from '../apply/responses.ts';
import { refusable } from '../apply/store-error.ts';
import type { NodePort } from '../node-port.ts';
import { headerAt } from './header.ts';
import { nextTurn } from './turns.ts';

/** Most entries read in one turn. */
const SLICE_ENTRIES = 1_000;
/** Most bytes read in one turn, but for a single larger entry. */
const SLICE_BYTES = 1 << 20;
/** Keys in the first message of a stream, so that the reader has something early (etcd 3.7). */
const FIRST_CHUNK_ENTRIES = 10;

/** Answers a range request; header with the revision alone. @throws EtcdError COMPACTED, FUTURE_REV. */
export async function readRange(node: NodePort, request: RangeRequest): Promise<RangeResponse> {
  if (isSmall(request)) return rangeResponse(orThrow(() => node.state.store.range(request)));
  const plan = orThrow(() => node.state.store.rangePlan(request));
  // Readers see the revision of the moment at which the plan was made, as the plan's data does.
  const header = revisionHeader(node.state.store.revision);
  try {
    const kvs: KeyValue[] = [];
    for (;;) {
      const slice = orThrow(() => plan.next(SLICE_ENTRIES, SLICE_BYTES));
      if (slice.length === 0) return { header, kvs, more: plan.more, count: plan.count };
      for (const kv of slice) kvs.push(kv);
      // Saves the empty slice after the last one where the count tells.
      if (kvs.length === plan.count) return { header, kvs, more: false, count: plan.count };
      await nextTurn(node.clock);
    }
  } finally {
    plan.close();
  }
}

/** Where a stream of a range goes. */
export interface RangeStreamTarget {
  readonly signal: AbortSignal;
  readonly responses: ResponseSink<RangeStreamResponse>;
}

/**
 * Streams a range: keys in order, in messages bounded by the request limit; header, count and more come with the last
 * message alone, and the header's revision is that at which the stream began (etcd 3.7 KV.RangeStream).
 *
 * @throws EtcdError COMPACTED, FUTURE_REV; COMPACTED also in the middle when the revision is compacted away.
 */
export async function streamRange(
  node: NodePort,
  request: RangeRequest,
  { signal, responses }: RangeStreamTarget,
): Promise<void> {
  const header = headerAt(node, node.state.store.revision);
  const plan = orThrow(() => node.state.store.rangePlan(request));
  const bytesMax = Math.min(SLICE_BYTES, node.limits.maxRequestBytes);
  try {
    let slice = orThrow(() => plan.next(FIRST_CHUNK_ENTRIES, bytesMax));
    for (;;) {
      const next = slice.length === 0 ? [] : orThrow(() => plan.next(SLICE_ENTRIES, bytesMax));
      if (next.length === 0) {
        const last = { header, kvs: slice, more: plan.more, count: plan.count };
        responses.send({ rangeResponse: last });
        return;
      }
      const chunk = { header: undefined, kvs: slice, more: false, count: 0 };
      if (responses.send({ rangeResponse: chunk })) await nextTurn(node.clock);
      else await responses.drained();
      if (signal.aborted) return;
      slice = next;
    }
  } finally {
    plan.close();
  }
}

/** One key, a count, or a page in key order: the store answers it in one go. */
function isSmall(request: RangeRequest): boolean {
  if (request.rangeEnd.length === 0 || request.countOnly) return true;
  return (
    request.limit > 0 &&
    request.limit <= SLICE_ENTRIES &&
    request.sortOrder === 0 &&
    request.minModRevision === 0 &&
    request.maxModRevision === 0 &&
    request.minCreateRevision === 0 &&
    request.maxCreateRevision === 0
  );
}

function orThrow<T extends RangeResult | RangePlan | KeyValue[]>(call: () => T): T {
  const result = refusable(call);
  if (EtcdError.is(result)) throw result;
  return result;
}
