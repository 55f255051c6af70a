/**
 * Requests that a follower has sent to its leader and that wait for an answer.
 *
 * Network ids of requests are the node's own counters, never the caller's tokens. An id is an epoch, drawn
 * anew at each start of the node, followed by a count, so that an answer from before a restart finds nobody.
 */
import type { Term } from './entry.ts';

/** Requests of one epoch; the epoch takes the bits above these, 53 in all. */
export const REQUESTS_PER_EPOCH: number = 2 ** 32;
/** Epochs that can be told apart. */
export const EPOCHS: number = 2 ** 21;

/** The epoch of a request's id. */
export function epochOf(id: number): number {
  return Math.floor(id / REQUESTS_PER_EPOCH);
}

interface Sent<T> {
  readonly request: T;
  readonly sentTick: number;
}

/** Requests in the order in which they were sent; answered in any order, or given up after some ticks. */
export class RequestTable<T> {
  #sent: Map<number, Sent<T>> = new Map();

  get count(): number {
    return this.#sent.size;
  }

  add(id: number, request: T, tick: number): void {
    this.#sent.set(id, { request, sentTick: tick });
  }

  /** Takes the request with this id out; undefined when none waits. */
  take(id: number): T | undefined {
    const sent = this.#sent.get(id);
    if (sent === undefined) return undefined;
    this.#sent.delete(id);
    return sent.request;
  }

  /** Takes out everything sent at `tick` or before. */
  takeSentBy(tick: number): readonly T[] {
    const taken: T[] = [];
    for (const [id, { request, sentTick }] of this.#sent) {
      if (sentTick > tick) break;
      taken.push(request);
      this.#sent.delete(id);
    }
    return taken;
  }

  /** True when something sent at `tick` or before waits still. O(1). */
  hasSentBy(tick: number): boolean {
    if (this.#sent.size === 0) return false;
    for (const { sentTick } of this.#sent.values()) return sentTick <= tick;
    return false;
  }

  /** The state as text, for `keyOf`: what waits, and for how long. */
  key(tick: number): string {
    const sent: string[] = [];
    for (const [id, { sentTick }] of this.#sent) sent.push(`${id}@${tick - sentTick}`);
    return sent.join();
  }

  clone(): RequestTable<T> {
    const copy = new RequestTable<T>();
    copy.#sent = new Map(this.#sent);
    return copy;
  }
}

/**
 * What a leader has taken from one peer's forwarded requests in its term, so that a request that the network
 * repeats is taken once. One that the network overtakes is dropped as well: its sender gives it up as unknown.
 */
export class SeenRequests {
  readonly term: Term;
  /** Per epoch the largest id taken. */
  #newest: Map<number, number> = new Map();

  constructor(term: Term) {
    this.term = term;
  }

  /** True when `id` was taken now; false when it, or a later one of its epoch, was taken before. */
  take(id: number): boolean {
    const epoch = epochOf(id);
    const newest = this.#newest.get(epoch);
    if (newest !== undefined && id <= newest) return false;
    this.#newest.set(epoch, id);
    if (this.#newest.size > EPOCHS_REMEMBERED) {
      for (const oldest of this.#newest.keys()) {
        if (oldest !== epoch) {
          this.#newest.delete(oldest);
          break;
        }
      }
    }
    return true;
  }

  /** The state as text, for `keyOf`. */
  get key(): string {
    return [...this.#newest.values()].join(':');
  }

  clone(): SeenRequests {
    const copy = new SeenRequests(this.term);
    copy.#newest = new Map(this.#newest);
    return copy;
  }
}

/** Restarts of one peer within one term of which a leader still knows the requests. */
export const EPOCHS_REMEMBERED = 64;
