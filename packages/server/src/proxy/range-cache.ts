/**
 * Answers to ranges that a proxy has seen, for serializable reads (etcd server/proxy/grpcproxy/cache).
 *
 * An answer stays until something that passes the same proxy changes a key of it, or it is the one that was least
 * recently used. What others write is not noticed: serializable reads may be stale.
 */
import { toLatin1 } from '@etcd-ts/base';
import { RangeRequest, type RangeResponse } from '@etcd-ts/protocol';
import { overlap, type TextRange, textRange } from './key-ranges.ts';

/** Answers kept; one more drops the least recently used. */
export const MAX_CACHED_RANGES = 2_048;

interface Cached {
  readonly range: TextRange;
  readonly revision: number;
  readonly response: RangeResponse;
}

/** Answers by request. */
export class RangeCache {
  readonly #byRequest = new Map<string, Cached>();
  hits = 0;
  misses = 0;

  /** Ranges that it holds. */
  get size(): number {
    return this.#byRequest.size;
  }

  get(request: RangeRequest): RangeResponse | undefined {
    const name = nameOf(request);
    const cached = this.#byRequest.get(name);
    if (cached === undefined) {
      this.misses += 1;
      return undefined;
    }
    this.hits += 1;
    this.#byRequest.delete(name);
    this.#byRequest.set(name, cached);
    return cached.response;
  }

  add(request: RangeRequest, response: RangeResponse): void {
    const name = nameOf(request);
    const range = textRange(request.key, request.rangeEnd);
    this.#byRequest.delete(name);
    this.#byRequest.set(name, { range, revision: request.revision, response });
    if (this.#byRequest.size <= MAX_CACHED_RANGES) return;
    for (const oldest of this.#byRequest.keys()) {
      this.#byRequest.delete(oldest);
      return;
    }
  }

  /** Something in this range has changed. Answers as of a revision stay right. */
  invalidate(key: Uint8Array, rangeEnd: Uint8Array): void {
    const changed = textRange(key, rangeEnd);
    for (const [name, { range, revision }] of this.#byRequest) {
      if (revision <= 0 && overlap(range, changed)) this.#byRequest.delete(name);
    }
  }

  /** Everything may have changed. */
  clear(): void {
    this.#byRequest.clear();
  }

  /** History before a revision is gone. */
  compact(compactRevision: number): void {
    for (const [name, { revision }] of this.#byRequest) {
      if (revision > 0 && revision < compactRevision) this.#byRequest.delete(name);
    }
  }
}

/** A linearizable answer serves serializable requests too. */
function nameOf(request: RangeRequest): string {
  return toLatin1(RangeRequest.encode({ ...request, serializable: true }));
}
