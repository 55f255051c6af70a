import type { NodeId } from '../index.ts';
import type { Argument, Directive } from './directive.ts';

/** The arguments of a command, read with the checks that give its error texts. */
export class Arguments {
  readonly #args: readonly Argument[];

  constructor(directive: Directive) {
    this.#args = directive.args;
  }

  /** Arguments without a value, in order: node ids mostly. */
  get bare(): readonly string[] {
    return this.#args.filter((arg) => arg.values.length === 0).map((arg) => arg.key);
  }

  /** All values of a key; none when it is absent. */
  values(key: string): readonly string[] {
    return this.#args.find((arg) => arg.key === key)?.values ?? [];
  }

  has(key: string): boolean {
    return this.#args.some((arg) => arg.key === key);
  }

  /** The one value of a key. Throws when there are several. */
  text(key: string): string | undefined {
    const values = this.values(key);
    if (values.length > 1) throw new Error(`argument ${key} takes one value, not ${values.length}`);
    return values[0];
  }

  flag(key: string): boolean {
    const text = this.text(key);
    if (text === undefined || text === 'false') return false;
    if (text === 'true') return true;
    throw new Error(`argument ${key} must be true or false: ${text}`);
  }

  count(key: string): number | undefined {
    const text = this.text(key);
    return text === undefined ? undefined : parseCount(text);
  }

  ids(key: string): readonly NodeId[] {
    return this.values(key).map(parseId);
  }

  /** The bare arguments as node ids. */
  get bareIds(): readonly NodeId[] {
    return this.bare.map(parseId);
  }

  /** The n-th bare argument. Throws when it is not there. */
  at(position: number): string {
    const text = this.bare[position];
    if (text === undefined) throw new Error(`argument ${position + 1} is missing`);
    return text;
  }

  idAt(position: number): NodeId {
    return parseId(this.at(position));
  }

  countAt(position: number): number {
    return parseCount(this.at(position));
  }
}

/** A node id. Throws when the text is no number. */
export function parseId(text: string): NodeId {
  if (!/^\d+$/.test(text)) throw new Error(`not a node id: ${text}`);
  return BigInt(text);
}

/** A count or an index. Throws when the text is no number. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`not a count: ${text}`);
  return value;
}
