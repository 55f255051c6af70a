/**
 * What callers with the same metadata share: made for the first of them, closed behind the last.
 *
 * Invariant: a thing is there exactly while somebody holds it.
 */
import { type CallContext, EtcdError } from '@etcd-ts/protocol';
import { forwarded } from './upstream.ts';

/** Kinds of callers at once; a call of one more kind is refused with RESOURCE_EXHAUSTED. */
export const MAX_CALLER_KINDS = 10_000;

/** Something that is shared, and ends. */
export interface Shared {
  close(): void;
}

interface Held<Thing> {
  readonly thing: Thing;
  holders: number;
}

/** Things by the metadata of their callers. */
export class CallerKinds<Thing extends Shared> {
  readonly #make: (metadata: ReadonlyMap<string, string>) => Thing;
  readonly #limit: number;
  readonly #held = new Map<string, Held<Thing>>();

  /**
   * @param make Makes the thing for callers with this metadata.
   * @param limit Kinds at once.
   */
  constructor(
    make: (metadata: ReadonlyMap<string, string>) => Thing,
    limit: number = MAX_CALLER_KINDS,
  ) {
    this.#make = make;
    this.#limit = limit;
  }

  /** What is held now. */
  get things(): readonly Thing[] {
    return [...this.#held.values()].map(({ thing }) => thing);
  }

  /**
   * Lends a caller the thing of its kind for as long as `use` runs.
   *
   * @throws EtcdError RESOURCE_EXHAUSTED beyond the limit; and what `use` throws.
   */
  async lend(context: CallContext, use: (thing: Thing) => Promise<void>): Promise<void> {
    const metadata = forwarded(context.metadata);
    const name = JSON.stringify([...metadata].sort(([a], [b]) => (a < b ? -1 : 1)));
    const held = this.#held.get(name) ?? this.#add(name, metadata);
    held.holders += 1;
    try {
      await use(held.thing);
    } finally {
      held.holders -= 1;
      if (held.holders === 0) {
        this.#held.delete(name);
        held.thing.close();
      }
    }
  }

  #add(name: string, metadata: ReadonlyMap<string, string>): Held<Thing> {
    if (this.#held.size >= this.#limit) {
      const message = `callers with ${this.#held.size} different credentials are served (limit ${this.#limit})`;
      throw new EtcdError('RESOURCE_EXHAUSTED', { message });
    }
    const held = { thing: this.#make(metadata), holders: 0 };
    this.#held.set(name, held);
    return held;
  }
}
