/**
 * One Watch stream on each of two servers, compared by what a client can rely on: the answers to its requests in their
 * order, and per watcher the sequence of events. How events are packed into responses is left to the server.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { deferred, utf8 } from '@etcd-ts/base';
import {
  type Channel,
  PutRequest,
  type StreamCall,
  WatchCreateRequest,
  WATCH_CANCEL_REASONS,
  type WatchRequest,
  type WatchResponse,
} from '@etcd-ts/protocol';
import { plain } from './answer.ts';
import type { Draw } from './draw.ts';
import { drawRange } from './kv-requests.ts';
import type { Progress } from './step.ts';

/** What one watcher, or the stream itself (-1), has heard. */
interface Heard {
  readonly answers: unknown[];
  readonly events: unknown[];
}

/** The key whose event ends a round: outside of every range that the generator watches with filters. */
export const SENTINEL_KEY: Uint8Array = utf8('sentinel');
const SENTINEL_ID = 1_000_000n;
/** Ids that a client chooses. Not -1, under which a server also answers what concerns no watcher. */
const WATCH_IDS: readonly bigint[] = [-2n, 0n, 1n, 2n, 3n, 5n];
/** Ids that nobody watches under, but -2. */
const UNKNOWN_IDS: readonly bigint[] = [-1n, -2n, 77n, 9_223_372_036_854_775_807n];
/** A range without keys: refused by every server. */
const FENCE = { key: utf8('b'), rangeEnd: utf8('a') };
const FENCE_TIMEOUT_MS = 5_000;
/** Longer than the pause between two rounds in which real etcd looks after watchers that are behind. */
const CATCH_UP_MS = 150;

/** One side of the session. */
class Side {
  readonly heard = new Map<bigint, Heard>();
  readonly #call: StreamCall<WatchRequest, WatchResponse>;
  #sentinels = 0;
  #fences = 0;
  #answers = 0;
  #changed = deferred<void>();

  constructor(channel: Channel) {
    this.#call = channel.stream('etcdserverpb.Watch/Watch');
    void this.#listen();
  }

  send(request: WatchRequest): void {
    this.#call.send(request);
  }

  get sentinels(): number {
    return this.#sentinels;
  }

  get fences(): number {
    return this.#fences;
  }

  get answers(): number {
    return this.#answers;
  }

  get eventCount(): number {
    return [...this.heard.values()].reduce((sum, { events }) => sum + events.length, 0);
  }

  /** Waits until the condition holds, for at most so long; returns whether it does. */
  async until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (!condition()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      const timer = deferred<void>();
      const handle = setTimeout(timer.resolve, leftMs);
      await Promise.race([this.#changed.promise, timer.promise]);
      clearTimeout(handle);
    }
    return true;
  }

  close(): void {
    this.#call.cancel();
  }

  async #listen(): Promise<void> {
    try {
      for await (const response of this.#call.responses) this.#hear(response);
    } catch {
      // The session was closed.
    }
  }

  #hear(response: WatchResponse): void {
    const heard = this.heard.get(response.watchId) ?? { answers: [], events: [] };
    this.heard.set(response.watchId, heard);
    for (const event of response.events) {
      if (response.watchId === SENTINEL_ID) this.#sentinels++;
      heard.events.push(plain(event));
    }
    if (response.cancelReason === WATCH_CANCEL_REASONS.EMPTY_RANGE) {
      this.#fences++;
    } else if (response.events.length === 0) {
      const { events: _, fragment: __, ...answer } = response;
      heard.answers.push(plain(answer));
      this.#answers++;
    }
    const changed = this.#changed;
    this.#changed = deferred();
    changed.resolve();
  }
}

function createRequest(
  partial: Parameters<typeof WatchCreateRequest.fromPartial>[0],
): WatchRequest {
  return {
    requestUnion: { $case: 'createRequest', value: WatchCreateRequest.fromPartial(partial) },
  };
}

/** Asks where the stream stands; answered only if every watcher has seen all there is. */
export const PROGRESS: WatchRequest = { requestUnion: { $case: 'progressRequest', value: {} } };

/** Draws one request of a watching client. */
export function drawWatch(draw: Draw, progress: Progress): WatchRequest {
  if (draw.oneIn(60)) return { requestUnion: undefined };
  if (draw.oneIn(3)) {
    const watchId = draw.oneIn(12) ? draw.pick(UNKNOWN_IDS) : BigInt(draw.below(8));
    return { requestUnion: { $case: 'cancelRequest', value: { watchId } } };
  }
  const { key, rangeEnd } = drawRange(draw, progress);
  return createRequest({
    key,
    rangeEnd,
    startRevision: draw.weighted([
      [5, 0],
      [1, -1],
      [4, Math.max(1, progress.revision - draw.below(20))],
      [1, progress.compactRevision],
      [1, Math.max(0, progress.compactRevision - 1)],
      [1, progress.revision + 1 + draw.below(4)],
      [1, draw.oneIn(8) ? Number.MAX_SAFE_INTEGER : 0],
    ] as const),
    prevKv: draw.oneIn(2),
    progressNotify: draw.oneIn(4),
    fragment: draw.oneIn(4),
    filters: draw.weighted([
      [5, []],
      [1, [0]],
      [1, [1]],
      [1, [0, 1]],
      [1, [1, 1]],
      [1, [2]],
    ] as [number, number[]][]),
    watchId: draw.oneIn(4) ? draw.pick(WATCH_IDS) : 0n,
  });
}

/** The same stream on two servers. */
export class WatchSession {
  readonly #sides: readonly [Side, Side];
  #isCatchingUp = false;

  private constructor(ours: Channel, theirs: Channel) {
    this.#sides = [new Side(ours), new Side(theirs)];
  }

  /** Opens the stream on both, and waits until both listen to the mark. */
  static async open(ours: Channel, theirs: Channel): Promise<WatchSession> {
    const session = new WatchSession(ours, theirs);
    await session.send(createRequest({ watchId: SENTINEL_ID, key: SENTINEL_KEY }));
    return session;
  }

  /**
   * Gives watchers that read history the time to do so: whether a compaction or a cancel overtakes them is otherwise a
   * matter of luck, as real etcd looks after them every 100 ms.
   */
  async catchUp(): Promise<void> {
    if (this.#isCatchingUp) await pause(CATCH_UP_MS);
    this.#isCatchingUp = false;
  }

  /** Sends a request to both, and waits until both have acted on it. */
  async send(request: WatchRequest): Promise<void> {
    const { requestUnion } = request;
    if (requestUnion?.$case === 'cancelRequest') await this.catchUp();
    if (requestUnion?.$case === 'createRequest' && requestUnion.value.startRevision > 0) {
      this.#isCatchingUp = true;
    }
    for (const side of this.#sides) {
      const { fences } = side;
      side.send(request);
      // Requests are answered in order, and a create that must fail always is.
      side.send(createRequest(FENCE));
      await side.until(() => side.fences > fences, FENCE_TIMEOUT_MS);
    }
  }

  /** The put that marks the end of a round; to be sent to both. */
  static sentinel(): PutRequest {
    return PutRequest.fromPartial({ key: SENTINEL_KEY });
  }

  /**
   * Waits until both sides have heard `sentinels` marks and as much as each other, then returns what each heard.
   *
   * What only one side hears is waited for; so a difference takes the whole `timeoutMs`, and agreement takes none.
   */
  async settled(sentinels: number, timeoutMs: number): Promise<readonly [unknown, unknown]> {
    const [ours, theirs] = this.#sides;
    await ours.until(() => ours.sentinels >= sentinels, timeoutMs);
    await theirs.until(() => theirs.sentinels >= sentinels, timeoutMs);
    const isLevel = (): boolean =>
      ours.eventCount === theirs.eventCount && ours.answers === theirs.answers;
    const behind = (): Side => (ours.eventCount < theirs.eventCount ? ours : theirs);
    if (!isLevel()) await behind().until(isLevel, timeoutMs);
    return [snapshot(ours), snapshot(theirs)];
  }

  close(): void {
    for (const side of this.#sides) side.close();
  }
}

function snapshot(side: Side): unknown {
  const ids = [...side.heard.keys()].sort((a, b) => (a < b ? -1 : 1));
  return ids.map((id) => ({ id: `${id}`, ...side.heard.get(id) }));
}
