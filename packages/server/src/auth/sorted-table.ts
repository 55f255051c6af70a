import { compareBytes, utf8 } from '@etcd-ts/base';

/** Orders names as their UTF-8 bytes do, which is not always how JavaScript orders strings. */
export function byNameBytes(a: string, b: string): number {
  return compareBytes(utf8(a), utf8(b));
}

/** Named values whose listing is sorted by name, whatever the order of the changes was. */
export class SortedTable<Value extends { readonly name: string }> {
  readonly #byName = new Map<string, Value>();
  /** The listing; undefined after a change, until it is asked for. */
  #sorted: readonly Value[] | undefined;

  get(name: string): Value | undefined {
    return this.#byName.get(name);
  }

  /** Adds the value, or replaces the one of that name. */
  set(value: Value): void {
    this.#byName.set(value.name, value);
    this.#sorted = undefined;
  }

  /** False when there was none. */
  delete(name: string): boolean {
    this.#sorted = undefined;
    return this.#byName.delete(name);
  }

  replaceAll(values: readonly Value[]): void {
    this.#byName.clear();
    for (const value of values) this.set(value);
  }

  /** All values in byte order of their names. */
  values(): readonly Value[] {
    this.#sorted ??= [...this.#byName.values()].sort((a, b) => byNameBytes(a.name, b.name));
    return this.#sorted;
  }
}
