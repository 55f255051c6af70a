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

/** Bytes of keys and values kept; more drop the least recently used. An answer that is larger is not kept. */
export const MAX_CACHED_BYTES: number = 64 * 1024 * 1024;

interface Cached {
  readonly range: TextRange;
  readonly bytes: number;
  readonly revision: number;
  readonly response: RangeResponse;
}

/** Answers by request. */
export class RangeCache {
  readonly #byRequest = new Map<string, Cached>();
  #bytes = 0;
  #changes = 0;
  hits = 0;
  misses = 0;

  /** Ranges that it holds. */
  get size(): number {
    return this.#byRequest.size;
  }

  /** Of keys and values that it holds. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How often something was told to have changed: to be asked before the cluster is, see {@link RangeCache.add}. */
  get changes(): number {
    return this.#changes;
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

  /**
   * Keeps an answer, unless something has changed since its request was sent: it may be older than that.
   *
   * @param changes As they were then.
   */
  add(request: RangeRequest, response: RangeResponse, changes: number = this.#changes): void {
    const name = nameOf(request);
    this.#delete(name);
    const bytes = bytesOf(response);
    if (changes !== this.#changes || bytes > MAX_CACHED_BYTES) return;
    const range = textRange(request.key, request.rangeEnd);
    this.#byRequest.set(name, { range, bytes, revision: request.revision, response });
    this.#bytes += bytes;
    for (const oldest of this.#byRequest.keys()) {
      if (this.#byRequest.size <= MAX_CACHED_RANGES && this.#bytes <= MAX_CACHED_BYTES) return;
      this.#delete(oldest);
    }
  }

  /** Something in this range has changed. Answers as of a revision stay right. */
  invalidate(key: Uint8Array, rangeEnd: Uint8Array): void {
    this.#changes += 1;
    const changed = textRange(key, rangeEnd);
    for (const [name, { range, revision }] of this.#byRequest) {
      if (revision <= 0 && overlap(range, changed)) this.#delete(name);
    }
  }

  /** Everything may have changed. */
  clear(): void {
    this.#changes += 1;
    this.#byRequest.clear();
    this.#bytes = 0;
  }

  /** History before a revision is gone. */
  compact(compactRevision: number): void {
    this.#changes += 1;
    for (const [name, { revision }] of this.#byRequest) {
      if (revision > 0 && revision < compactRevision) this.#delete(name);
    }
  }

  #delete(name: string): void {
    this.#bytes -= this.#byRequest.get(name)?.bytes ?? 0;
    this.#byRequest.delete(name);
  }
}

function bytesOf({ kvs }: RangeResponse): number {
  return kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}

/** A linearizable answer serves serializable requests too. */
function nameOf(request: RangeRequest): string {
  return toLatin1(RangeRequest.encode({ ...request, serializable: true }));
}
