/**
 * The order of many keys at once: several times as quick as a sort that compares two of them each time.
 *
 * Keys of one group, which begin alike, are sorted by their next four bytes, as numbers; those whose bytes are equal are a
 * group of their own. Small groups, and keys that end before their bytes differ, are sorted by comparing.
 */
import { assert } from '@etcd-ts/base';

/** A group of so many keys or fewer is sorted by comparing. */
const SMALL_GROUP = 24;

/** One number holds four bytes of a key and which key of the group it is; of a larger group, three bytes. */
const GROUP_OF_FOUR_MAX: number = 2 ** 21;
const GROUP_OF_THREE_MAX: number = 2 ** 29;

/** Bytes looked at of a key; behind them keys are compared. */
const DEPTH_MAX = 1024;

/** A run of places, sorted up to a depth: their keys begin with the same so many bytes. */
interface Group {
  readonly start: number;
  readonly end: number;
  readonly depth: number;
}

/** The places of the keys (latin1 strings, each once) in ascending order of the keys. */
export function sortedByKey(keys: readonly string[]): Uint32Array {
  const places = Uint32Array.from(keys, (_, place) => place);
  const groups: Group[] = [{ start: 0, end: keys.length, depth: 0 }];
  for (let group; (group = groups.pop()) !== undefined;) {
    const { start, end } = group;
    const size = end - start;
    const depth = group.depth + commonLength(keys, places, group);
    if (size <= SMALL_GROUP || size > GROUP_OF_THREE_MAX || depth >= DEPTH_MAX) {
      compareSort(keys, places.subarray(start, end));
    } else {
      numberSort(keys, places, { start, end, depth }, groups);
    }
  }
  return places;
}

/** How many bytes more all keys of a group have in common. */
function commonLength(keys: readonly string[], places: Uint32Array, group: Group): number {
  const { start, end, depth } = group;
  const first = keys[places[start] as number] as string | undefined;
  if (first === undefined) return 0;
  let common = first.length;
  for (let i = start + 1; i < end && common > depth; i++) {
    const key = keys[places[i] as number] as string;
    let at = depth;
    while (at < common && at < key.length && key.charCodeAt(at) === first.charCodeAt(at)) at++;
    common = at;
  }
  return Math.max(0, common - depth);
}

function compareSort(keys: readonly string[], places: Uint32Array): void {
  places.sort((a, b) => ((keys[a] as string) < (keys[b] as string) ? -1 : 1));
}

/** Sorts a group by the four bytes at its depth; pushes what is still to be sorted. */
function numberSort(
  keys: readonly string[],
  places: Uint32Array,
  { start, end, depth }: Group,
  groups: Group[],
): void {
  const size = end - start;
  const bytes = size <= GROUP_OF_FOUR_MAX ? 4 : 3;
  const groupMax = bytes === 4 ? GROUP_OF_FOUR_MAX : GROUP_OF_THREE_MAX;
  const before = places.slice(start, end);
  const order = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const number = numberAt(keys[before[i] as number] as string, depth);
    order[i] = (bytes === 4 ? number : number >>> 8) * groupMax + i;
  }
  // Of a typed array without a comparator: numbers, natively.
  order.sort();
  let groupStart = 0;
  let groupNumber = -1;
  for (let i = 0; i <= size; i++) {
    const composite = i < size ? (order[i] as number) : -1;
    const number = i < size ? Math.floor(composite / groupMax) : -1;
    if (number !== groupNumber || i === size) {
      if (i - groupStart > 1) {
        groups.push({ start: start + groupStart, end: start + i, depth: depth + bytes });
      }
      groupStart = i;
      groupNumber = number;
    }
    if (i < size) places[start + i] = before[composite % groupMax] as number;
  }
  assert(groupStart === size, 'every place is in a group');
}

/** Four bytes of a key as a number; zeros behind its end. */
function numberAt(key: string, at: number): number {
  // NaN behind the end becomes 0.
  const low =
    (key.charCodeAt(at + 1) << 16) | (key.charCodeAt(at + 2) << 8) | key.charCodeAt(at + 3);
  return ((key.charCodeAt(at) << 24) | low) >>> 0;
}
