/**
 * Linearizability by search (Wing and Gong, with Lowe's memory of visited configurations): an independent opinion on
 * small histories, for it knows nothing of revisions.
 *
 * Bounded by steps, never by time, so that its verdict is the same every time; past the bound it says `unknown`.
 * Visited configurations are remembered by a 53-bit hash of the set of operations done and the state: a violation is
 * therefore looked at a second time with other hashes before it is believed.
 */
import { RandomStream } from '../world/random.ts';

/** One call to judge. `returnedAt` is Infinity when its outcome is unknown: it may also never happen. */
export interface WglCall<Op> {
  readonly invokedAt: number;
  readonly returnedAt: number;
  readonly op: Op;
}

/** A sequential object. */
export interface WglModel<State, Op> {
  readonly initial: State;
  /** The state after this operation with its recorded answer; undefined when it could not have answered so. */
  step(state: State, op: Op): State | undefined;
  /** A name of the state: equal names, equal states. */
  nameOf(state: State): string;
  /** Which candidates to try first: smaller ones; a hint that changes no verdict. */
  rank?(op: Op): number;
}

/** What the search found. */
export interface WglResult {
  readonly verdict: 'linearizable' | 'violation' | 'unknown';
  readonly steps: number;
}

/** Steps after which the search gives up. */
export const DEFAULT_WGL_STEPS = 2_000_000;

/** Searches for an order of the calls that explains every answer and agrees with real time. */
export function wgl<State, Op>(
  calls: readonly WglCall<Op>[],
  model: WglModel<State, Op>,
  maxSteps: number = DEFAULT_WGL_STEPS,
): WglResult {
  const first = new Search(calls, model, maxSteps, 1).run();
  if (first.verdict !== 'violation') return first;
  const second = new Search(calls, model, maxSteps, 2).run();
  return { verdict: second.verdict, steps: first.steps + second.steps };
}

interface Frame<State> {
  readonly call: number;
  readonly before: State;
}

const HEAD = 0;

/**
 * One search. Calls and returns are entries of a doubly linked list in the order of their positions: entry 0 is the
 * head, call i is entry 2i + 1, its return 2i + 2. A call with unknown outcome has no return entry.
 */
class Search<State, Op> {
  readonly #calls: readonly WglCall<Op>[];
  readonly #model: WglModel<State, Op>;
  readonly #maxSteps: number;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #hashA: Uint32Array;
  readonly #hashB: Uint32Array;
  readonly #stateIds = new Map<string, number>();
  readonly #visited: Set<number>[] = [];
  #doneA = 0;
  #doneB = 0;

  constructor(
    calls: readonly WglCall<Op>[],
    model: WglModel<State, Op>,
    maxSteps: number,
    hashSeed: number,
  ) {
    this.#calls = calls;
    this.#model = model;
    this.#maxSteps = maxSteps;
    this.#next = new Int32Array(2 * calls.length + 1);
    this.#previous = new Int32Array(2 * calls.length + 1);
    const random = new RandomStream(hashSeed, 'wgl');
    this.#hashA = Uint32Array.from(calls, () => random.uint32());
    this.#hashB = Uint32Array.from(calls, () => random.uint32());
    this.#link();
  }

  run(): WglResult {
    const stack: Frame<State>[] = [];
    let state = this.#model.initial;
    let steps = 0;
    let entry = this.#first();
    for (;;) {
      if (this.#onlyUnknownLeft()) return { verdict: 'linearizable', steps };
      if (++steps > this.#maxSteps) return { verdict: 'unknown', steps };
      if (entry !== -1 && isCall(entry)) {
        const call = (entry - 1) / 2;
        const after = this.#model.step(state, (this.#calls[call] as WglCall<Op>).op);
        if (after !== undefined && this.#enter(call, after)) {
          stack.push({ call, before: state });
          state = after;
          this.#lift(call);
          entry = this.#first();
        } else entry = this.#after(entry);
        continue;
      }
      // A return (or the end) is reached and nothing before it fits: take the last one back.
      const last = stack.pop();
      if (last === undefined) return { verdict: 'violation', steps };
      state = last.before;
      this.#toggle(last.call);
      this.#unlift(last.call);
      entry = this.#after(2 * last.call + 1);
    }
  }

  #link(): void {
    const entries: number[] = [];
    const rankOf = (entry: number): number =>
      this.#model.rank?.((this.#calls[(entry - 1) >> 1] as WglCall<Op>).op) ?? 0;
    const positionOf = (entry: number): number => {
      const call = this.#calls[(entry - 1) >> 1] as WglCall<Op>;
      return isCall(entry) ? call.invokedAt : call.returnedAt;
    };
    this.#calls.forEach((call, i) => {
      entries.push(2 * i + 1);
      if (call.returnedAt !== Infinity) entries.push(2 * i + 2);
    });
    entries.sort((a, b) => positionOf(a) - positionOf(b));
    // Between two returns the order of the calls is free: the likelier ones come first.
    let from = 0;
    while (from < entries.length) {
      let to = from;
      while (to < entries.length && isCall(entries[to] as number)) to++;
      const stretch = entries.slice(from, to).sort((a, b) => rankOf(a) - rankOf(b));
      entries.splice(from, to - from, ...stretch);
      from = to + 1;
    }
    let previous = HEAD;
    for (const entry of entries) {
      this.#next[previous] = entry;
      this.#previous[entry] = previous;
      previous = entry;
    }
    this.#next[previous] = HEAD;
    this.#previous[HEAD] = previous;
  }

  #first(): number {
    return this.#after(HEAD);
  }

  #after(entry: number): number {
    const next = this.#next[entry] as number;
    return next === HEAD ? -1 : next;
  }

  #onlyUnknownLeft(): boolean {
    for (let entry = this.#first(); entry !== -1; entry = this.#after(entry)) {
      const call = this.#calls[(entry - 1) >> 1] as WglCall<Op>;
      if (call.returnedAt !== Infinity) return false;
    }
    return true;
  }

  /** Marks (done set with this call, state) as visited; false when it was. */
  #enter(call: number, state: State): boolean {
    this.#toggle(call);
    const name = this.#model.nameOf(state);
    let id = this.#stateIds.get(name);
    if (id === undefined) {
      id = this.#visited.length;
      this.#stateIds.set(name, id);
      this.#visited.push(new Set());
    }
    const visited = this.#visited[id] as Set<number>;
    const key = this.#doneA * 0x20_0000 + (this.#doneB & 0x1f_ffff);
    if (visited.has(key)) {
      this.#toggle(call);
      return false;
    }
    visited.add(key);
    return true;
  }

  #toggle(call: number): void {
    this.#doneA = (this.#doneA ^ (this.#hashA[call] as number)) >>> 0;
    this.#doneB = (this.#doneB ^ (this.#hashB[call] as number)) >>> 0;
  }

  #lift(call: number): void {
    this.#unlink(2 * call + 1);
    if ((this.#calls[call] as WglCall<Op>).returnedAt !== Infinity) this.#unlink(2 * call + 2);
  }

  #unlift(call: number): void {
    if ((this.#calls[call] as WglCall<Op>).returnedAt !== Infinity) this.#relink(2 * call + 2);
    this.#relink(2 * call + 1);
  }

  #unlink(entry: number): void {
    const next = this.#next[entry] as number;
    const previous = this.#previous[entry] as number;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #relink(entry: number): void {
    this.#next[this.#previous[entry] as number] = entry;
    this.#previous[this.#next[entry] as number] = entry;
  }
}

function isCall(entry: number): boolean {
  return (entry & 1) === 1;
}
