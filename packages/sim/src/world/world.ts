/**
 * The world of a simulation: one virtual time, one agenda, one seed.
 *
 * What always holds
 * - An event runs to its end, then every promise continuation that it set free, then the next event.
 * - Virtual time moves only between events, and never back.
 * - Nothing but the seed decides what happens: same seed, same trace hash.
 */
import { assert } from '@etcd-ts/base';
import { EventHeap, type EventOwner, isBefore, ScheduledEvent } from './event-heap.ts';
import { RandomStream } from './random.ts';
import { TraceHash } from './trace-hash.ts';

/** How a world begins. */
export interface WorldOptions {
  /** A safe integer ≥ 0. */
  readonly seed: number;
  /** Events after which the run is given up as endless. @defaultValue 50,000,000 */
  readonly maxEvents?: number;
}

/** The world came to an end that its scenario did not expect. */
export class WorldError extends Error {
  override readonly name = 'WorldError';
  readonly code: 'DEADLOCK' | 'TOO_MANY_EVENTS';

  constructor(code: WorldError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

const DEFAULT_MAX_EVENTS = 50_000_000;

/** One simulation's time, agenda and randomness. */
export class World {
  readonly seed: number;
  readonly hash: TraceHash = new TraceHash();
  /** Called after each event and the continuations it set free: where checkers look at what has become. */
  afterEvent: (() => void) | undefined;
  readonly #heap = new EventHeap();
  /** One event of this moment, beside the heap: most of them are the next to happen and never see it. */
  #soon: ScheduledEvent | undefined;
  readonly #tieBreaks: RandomStream;
  readonly #streams = new Map<string, RandomStream>();
  readonly #maxEvents: number;
  #nowUs = 0;
  #sequence = 0;
  #failure: unknown;
  #failed = false;

  constructor(options: WorldOptions) {
    assert(
      Number.isSafeInteger(options.seed) && options.seed >= 0,
      () => `seed is not a safe integer: ${options.seed}`,
    );
    this.seed = options.seed;
    this.#maxEvents = options.maxEvents ?? DEFAULT_MAX_EVENTS;
    this.#tieBreaks = new RandomStream(options.seed, 'world/tie-break');
  }

  /** Virtual microseconds since the simulation began. */
  get nowUs(): number {
    return this.#nowUs;
  }

  get eventCount(): number {
    return this.hash.eventCount;
  }

  /** The stream with this label; the same one every time. */
  random(label: string): RandomStream {
    let stream = this.#streams.get(label);
    if (stream === undefined) {
      stream = new RandomStream(this.seed, label);
      this.#streams.set(label, stream);
    }
    return stream;
  }

  /** Puts something on the agenda, `delayUs` (an integer ≥ 0) from now. */
  schedule(
    delayUs: number,
    kind: string,
    run: () => void,
    tieBreak: number = this.#tieBreaks.uint32(),
    owner?: EventOwner,
  ): ScheduledEvent {
    assert(Number.isSafeInteger(delayUs) && delayUs >= 0, () => `delay of ${kind} is ${delayUs}`);
    const timeUs = this.#nowUs + delayUs;
    const sequence = this.#sequence++;
    const event = new ScheduledEvent({ timeUs, tieBreak, sequence, kind, run, owner }, this.#heap);
    if (delayUs === 0 && this.#soon === undefined) this.#soon = event;
    else this.#heap.push(event);
    return event;
  }

  /** Folds values into the trace hash; for what an event does besides happening. */
  trace(kind: string, ...values: readonly number[]): void {
    this.hash.foldText(kind);
    for (const value of values) this.hash.fold(value);
  }

  /** Ends the run with this error after the present event. The first failure counts. */
  fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure = error;
  }

  /** True once {@link fail} was called or an event threw. */
  get hasFailed(): boolean {
    return this.#failed;
  }

  get failure(): unknown {
    return this.#failure;
  }

  /**
   * Runs the next event.
   *
   * @returns False when the agenda is empty.
   * @throws WorldError TOO_MANY_EVENTS.
   */
  step(): boolean {
    for (;;) {
      const event = this.#next();
      if (event === undefined) return false;
      if (event.cancelled) continue;
      assert(event.timeUs >= this.#nowUs, 'virtual time never goes back');
      this.#nowUs = event.timeUs;
      this.hash.foldEvent(event.timeUs, event.kind);
      if (this.hash.eventCount > this.#maxEvents) {
        throw new WorldError(
          'TOO_MANY_EVENTS',
          `gave up after ${this.hash.eventCount} events (limit ${this.#maxEvents}) at ${this.#nowUs} us`,
        );
      }
      if (event.owner === undefined || event.owner.admits(event)) event.run();
      return true;
    }
  }

  /** Takes the next event off the agenda, cancelled or not. */
  #next(): ScheduledEvent | undefined {
    const soon = this.#soon;
    if (soon === undefined) return this.#heap.pop();
    const top = this.#heap.peek();
    if (top !== undefined && isBefore(top, soon)) return this.#heap.pop();
    this.#soon = undefined;
    return soon;
  }

  /** Folds the number of draws of every stream into the hash, and gives the final digest. */
  finalDigest(): string {
    const labels = [...this.#streams.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    for (const label of labels) {
      this.hash.foldText(label);
      this.hash.fold(this.random(label).drawCount);
    }
    return this.hash.digest();
  }
}
