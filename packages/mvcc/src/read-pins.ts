/**
 * Readers that go on over several turns, and the revision that each of them needs.
 *
 * A compaction above a pin waits until the pin is released, or breaks it; so does whoever wants to close the backend.
 * A reader asks its pin before every step (`check`), so that it never reads what is gone by then.
 */
import { MvccError } from './errors.ts';

/** Why a pin was broken: what it reads is compacted, or the backend is closed. */
export type PinBroken = 'COMPACTED' | 'CLOSED';

/** One reader. */
export class ReadPin {
  /** The lowest revision that it reads at. */
  readonly revision: number;
  /** A copy of everything, which may take its time. */
  readonly isSnapshot: boolean;
  readonly #pins: ReadPins;
  #broken: PinBroken | undefined;

  /** @internal */
  constructor(pins: ReadPins, revision: number, isSnapshot: boolean) {
    this.#pins = pins;
    this.revision = revision;
    this.isSnapshot = isSnapshot;
  }

  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  /** @param what Is read, for the error's detail. @throws MvccError COMPACTED, CLOSED when the pin was broken. */
  check(what: () => string): void {
    if (this.#broken !== undefined) throw new MvccError(this.#broken, what());
  }

  /** The reader has ended. Harmless when called again. */
  release(): void {
    this.#pins.remove(this);
  }

  /** @internal */
  break(why: PinBroken): void {
    this.#broken ??= why;
    this.release();
  }
}

/** All readers of one store. */
export class ReadPins {
  readonly #pins = new Set<ReadPin>();
  #whenNone: (() => void)[] = [];

  get size(): number {
    return this.#pins.size;
  }

  /** A reader begins that reads at this revision and above. */
  add(revision: number, kind: 'read' | 'snapshot' = 'read'): ReadPin {
    const pin = new ReadPin(this, revision, kind === 'snapshot');
    this.#pins.add(pin);
    return pin;
  }

  /** True when somebody reads below the revision. */
  hasBelow(revision: number): boolean {
    for (const pin of this.#pins) if (pin.revision < revision) return true;
    return false;
  }

  /** Breaks the pins that are chosen: the next step of each reader throws. @returns how many there were. */
  break(why: PinBroken, isChosen: (pin: ReadPin) => boolean): number {
    const chosen = [...this.#pins].filter(isChosen);
    for (const pin of chosen) pin.break(why);
    return chosen.length;
  }

  /** Calls back once nobody reads any more: now, or in the turn in which the last reader ends. */
  whenNone(callback: () => void): void {
    if (this.#pins.size === 0) callback();
    else this.#whenNone.push(callback);
  }

  /** @internal */
  remove(pin: ReadPin): void {
    this.#pins.delete(pin);
    if (this.#pins.size > 0) return;
    const callbacks = this.#whenNone;
    this.#whenNone = [];
    for (const callback of callbacks) callback();
  }
}
