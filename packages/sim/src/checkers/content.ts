/**
 * Values by what they hold, whoever made the objects: requests as their clients sent them, and the same requests as the
 * members read them out of their logs.
 *
 * Equal means: the same fields with equal values, in whatever order; a field that holds nothing is as good as absent.
 */
import { equalBytes } from '@etcd-ts/base';
import { hashBytes, hashText } from '../world/random.ts';

/** Lists of items, each under a value. */
export class ContentMap<Item> {
  /** By hash: the values that have it, nearly always one. */
  readonly #groups = new Map<number, Group<Item>[]>();

  /** The items under this value, made empty when there are none; to be added to. */
  itemsOf(value: unknown): Item[] {
    const hash = contentHash(value);
    const groups = this.#groups.get(hash);
    const known = groups?.find((group) => hasSameContent(group.value, value));
    if (known !== undefined) return known.items;
    const group: Group<Item> = { value, items: [] };
    if (groups === undefined) this.#groups.set(hash, [group]);
    else groups.push(group);
    return group.items;
  }

  *[Symbol.iterator](): Generator<Group<Item>> {
    for (const groups of this.#groups.values()) yield* groups;
  }
}

/** What stands under one value. */
export interface Group<Item> {
  readonly value: unknown;
  readonly items: Item[];
}

/** 32 bits that are the same for values of the same content. */
export function contentHash(value: unknown): number {
  switch (typeof value) {
    case 'undefined':
      return 0;
    case 'number':
      return mix((value | 0) ^ Math.trunc(value / 4_294_967_296));
    case 'boolean':
      return value ? 1 : 2;
    case 'bigint':
      return mix(Number(BigInt.asIntN(32, value)) ^ 0x1234);
    case 'string':
      return hashText(value);
    case 'object':
      return value === null ? 3 : hashOfObject(value);
    default:
      throw new TypeError(`a ${typeof value} has no content`);
  }
}

/** True when both hold the same. */
export function hasSameContent(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return equalBytes(a, b);
  if (a instanceof Uint8Array || b instanceof Uint8Array) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && haveSameItems(a, b);
  }
  for (const key in a) if (!hasSameContent(a[key], b[key])) return false;
  for (const key in b) if (b[key] !== undefined && a[key] === undefined) return false;
  return true;
}

function haveSameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!hasSameContent(a[i], b[i])) return false;
  return true;
}

function hashOfObject(value: object): number {
  if (value instanceof Uint8Array) return hashBytes(value);
  if (Array.isArray(value)) {
    let hash = value.length + 7;
    for (const item of value) hash = mix(hash ^ contentHash(item));
    return hash;
  }
  let sum = 0;
  for (const key in value) {
    const field = contentHash((value as Record<string, unknown>)[key]);
    // Added up, since the order of the fields is nobody's choice.
    if (field !== 0) sum = (sum + mix(field ^ keyHash(key))) | 0;
  }
  return sum;
}

const KEY_HASHES = new Map<string, number>();

function keyHash(key: string): number {
  let hash = KEY_HASHES.get(key);
  if (hash === undefined) {
    hash = hashText(key);
    KEY_HASHES.set(key, hash);
  }
  return hash;
}

function mix(value: number): number {
  const mixed = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  return Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
}

/** True of everything that has fields, lists and bytes too. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
