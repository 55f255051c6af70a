/**
 * A simulated operating-system process: what it scheduled happens only while it runs.
 *
 * What always holds
 * - After `kill` nothing of it happens any more: its timers, disk completions and messages are gone.
 * - While it is paused nothing happens to it; when it goes on, everything that fell due meanwhile happens at once, in
 *   the order in which it fell due (as after SIGSTOP and SIGCONT).
 */
import type { EventOwner, ScheduledEvent } from './event-heap.ts';
import type { RandomStream } from './random.ts';
import type { World } from './world.ts';

/** How to take back what was scheduled. */
export interface Cancellable {
  cancel(): void;
}

/** What fell due while the process was paused. */
interface Overdue {
  readonly kind: string;
  readonly run: () => void;
  readonly cancelled: boolean;
}

const NEVER: Cancellable = { cancel: () => undefined };

/** One incarnation of a process; a restart is a new one. */
export class SimProcess implements EventOwner {
  readonly world: World;
  readonly name: string;
  /** Own, so that what else happens in the world leaves the order of this process's events as it was. */
  readonly #tieBreaks: RandomStream;
  #alive = true;
  #paused = false;
  #overdue: Overdue[] = [];
  readonly #onKill = new Set<() => void>();
  #soonUs = -1;
  #soonTieBreak = 0;

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.#tieBreaks = world.random(`tie-break/${name}`);
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** Schedules work of this process. */
  schedule(
    delayUs: number,
    kind: string,
    run: () => void,
    tieBreak: number = this.#tieBreaks.uint32(),
  ): Cancellable {
    if (!this.#alive) return NEVER;
    return this.world.schedule(delayUs, kind, run, tieBreak, this);
  }

  /** What is due happens while the process runs; while it is paused it waits. */
  admits(event: ScheduledEvent): boolean {
    if (this.#alive && !this.#paused) return true;
    if (this.#alive) this.#overdue.push(event);
    return false;
  }

  /**
   * Schedules work after the present turn. Calls of one moment keep their order among themselves, as one event loop's
   * immediates do; how they mix with the rest of that moment is drawn.
   */
  soon(kind: string, run: () => void): void {
    if (this.#soonUs !== this.world.nowUs) {
      this.#soonUs = this.world.nowUs;
      this.#soonTieBreak = this.#tieBreaks.uint32();
    }
    this.schedule(0, kind, run, this.#soonTieBreak);
  }

  /** Does something in this process now; while it is paused, when it goes on. */
  run(kind: string, run: () => void): void {
    if (!this.#alive) return;
    if (this.#paused) this.#overdue.push({ kind, run, cancelled: false });
    else run();
  }

  /** Stops it where it is, as SIGSTOP does. */
  pause(): void {
    this.#paused = true;
  }

  /** Lets it go on. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const overdue = this.#overdue;
    this.#overdue = [];
    const tieBreak = this.#tieBreaks.uint32();
    for (const item of overdue) {
      this.schedule(0, item.kind, () => (item.cancelled ? undefined : item.run()), tieBreak);
    }
  }

  /** Ends the process in this very moment. */
  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#overdue = [];
    const listeners = [...this.#onKill];
    this.#onKill.clear();
    for (const listener of listeners) listener();
  }

  /** Called when the process ends; at once when it has. Returns how to stop listening. */
  onKill(listener: () => void): () => void {
    if (this.#alive) this.#onKill.add(listener);
    else listener();
    return () => this.#onKill.delete(listener);
  }
}
