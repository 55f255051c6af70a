/**
 * The clocks of one node on virtual time, and what can be wrong with them: drift, freezing, late timers, and steps of
 * the wall clock. The two clocks of a node go wrong separately.
 *
 * What always holds
 * - The monotonic clock never goes back, whatever is done to it.
 * - A timer never fires before its delay has passed on the node's own monotonic clock.
 */
import { assert } from '@etcd-ts/base';
import type { Clock, Timer } from '@etcd-ts/server';
import type { Cancellable, SimProcess } from './process.ts';
import type { RandomStream } from './random.ts';

const MILLION = 1_000_000;
/** 2026-01-01T00:00:00Z: where every simulation's wall clock begins. */
export const WALL_EPOCH_MS = 1_767_225_600_000;
/** Largest drift that may be asked for: 50 % either way. */
export const MAX_DRIFT_PPM = 500_000;

/** What is wrong with a node's clocks; survives restarts of its process, as a machine's clock does. */
export class MachineClock {
  #driftPpm = 0;
  #anchorWorldUs = 0;
  #anchorLocalUs: number;
  #wallOffsetMs = 0;
  #frozen = false;
  /** Mean of the extra delay of timers; 0 for punctual ones. */
  timerLatenessMeanUs = 0;

  /** @param startUs What the monotonic clock shows at the beginning. */
  constructor(startUs: number) {
    this.#anchorLocalUs = startUs;
  }

  /** Microseconds of the node's monotonic clock at this moment of virtual time. */
  monotonicUs(worldUs: number): number {
    if (this.#frozen) return this.#anchorLocalUs;
    const elapsedUs = worldUs - this.#anchorWorldUs;
    return this.#anchorLocalUs + elapsedUs + Math.floor((elapsedUs * this.#driftPpm) / MILLION);
  }

  wallMs(worldUs: number): number {
    return WALL_EPOCH_MS + Math.floor(this.monotonicUs(worldUs) / 1000) + this.#wallOffsetMs;
  }

  /** Virtual microseconds, rounded up, until `localUs` have passed on this clock as it goes now. */
  worldDelayUs(localUs: number): number {
    return Math.ceil((localUs * MILLION) / (MILLION + this.#driftPpm));
  }

  /** Sets how fast the clock goes: parts per million more than true time. */
  setDrift(worldUs: number, driftPpm: number): void {
    assert(
      Math.abs(driftPpm) <= MAX_DRIFT_PPM,
      () => `drift of ${driftPpm} ppm is over ${MAX_DRIFT_PPM}`,
    );
    this.#anchor(worldUs);
    this.#driftPpm = Math.trunc(driftPpm);
  }

  /** Moves the wall clock by so many milliseconds, either way. */
  stepWall(milliseconds: number): void {
    this.#wallOffsetMs += milliseconds;
  }

  /** Stops both clocks until {@link thaw}. */
  freeze(worldUs: number): void {
    this.#anchor(worldUs);
    this.#frozen = true;
  }

  thaw(worldUs: number): void {
    if (!this.#frozen) return;
    this.#anchorWorldUs = worldUs;
    this.#frozen = false;
  }

  #anchor(worldUs: number): void {
    this.#anchorLocalUs = this.monotonicUs(worldUs);
    this.#anchorWorldUs = worldUs;
  }
}

/** How long a timer whose clock has slowed down or stopped sleeps at least before it looks again. */
const RECHECK_US = 1_000;

/** A process's view of its machine's clocks: the {@link Clock} port of the server. */
export class SimClock implements Clock {
  readonly #process: SimProcess;
  readonly #machine: MachineClock;
  readonly #lateness: RandomStream;

  constructor(process: SimProcess, machine: MachineClock, lateness: RandomStream) {
    this.#process = process;
    this.#machine = machine;
    this.#lateness = lateness;
  }

  monotonicMs(): number {
    return this.#machine.monotonicUs(this.#process.world.nowUs) / 1000;
  }

  wallMs(): number {
    return this.#machine.wallMs(this.#process.world.nowUs);
  }

  after(delayMs: number, callback: () => void): Timer {
    assert(delayMs >= 0, () => `timer delay is ${delayMs} ms`);
    const delayUs = Math.ceil(delayMs * 1000);
    const timer = new SimTimer(this.#process, this.#machine, callback);
    timer.arm(this.#localUs() + delayUs, this.#latenessUs());
    return timer;
  }

  soon(callback: () => void): void {
    this.#process.soon('soon', callback);
  }

  #localUs(): number {
    return this.#machine.monotonicUs(this.#process.world.nowUs);
  }

  #latenessUs(): number {
    const meanUs = this.#machine.timerLatenessMeanUs;
    return meanUs === 0 ? 0 : this.#lateness.exponential(meanUs);
  }
}

class SimTimer implements Timer {
  readonly #process: SimProcess;
  readonly #machine: MachineClock;
  readonly #callback: () => void;
  #dueLocalUs = 0;
  #pending: Cancellable | undefined;

  constructor(process: SimProcess, machine: MachineClock, callback: () => void) {
    this.#process = process;
    this.#machine = machine;
    this.#callback = callback;
  }

  /** Fires at `dueLocalUs` of the node's clock; looks again when that clock has slowed down meanwhile. */
  arm(dueLocalUs: number, latenessUs: number): void {
    this.#dueLocalUs = dueLocalUs;
    const leftUs = Math.max(0, dueLocalUs - this.#nowLocalUs());
    const delayUs = this.#machine.worldDelayUs(leftUs) + latenessUs;
    this.#pending = this.#process.schedule(delayUs, 'timer', this.#fire);
  }

  readonly #fire = (): void => {
    if (this.#dueLocalUs > this.#nowLocalUs()) {
      this.arm(this.#dueLocalUs, RECHECK_US);
      return;
    }
    this.#pending = undefined;
    this.#callback();
  };

  cancel(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
  }

  #nowLocalUs(): number {
    return this.#machine.monotonicUs(this.#process.world.nowUs);
  }
}
