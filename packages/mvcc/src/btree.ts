/**
 * An ordered map from latin1 strings to small integers, which also counts.
 *
 * A B+tree whose nodes hold at most `NODE_ENTRIES_MAX` entries, so that an insert moves little, a split is bounded,
 * and a million keys are four levels. Each entry has a weight (0 or 1, given by the owner); every node knows the
 * weight below it, so that counting a range costs O(log n) however many keys are in it.
 *
 * Invariants: keys ascend within a node and from child to child; a separator is ≤ every key of the child right of it
 * and > every key left of it; a node other than the root holds at least one entry; `weight` is the sum below.
 */
import { assert } from '@etcd-ts/base';

/** Most entries of a leaf, and most children of an inner node. */
export const NODE_ENTRIES_MAX = 64;
/** A node with fewer merges with a neighbour when both fit in one. */
const NODE_ENTRIES_MIN = 16;
/** Entries of a node of a tree that is built at once: room for more. */
const NODE_ENTRIES_BUILT = 48;

interface Leaf {
  readonly leaf: true;
  readonly keys: string[];
  readonly values: number[];
  weight: number;
}

interface Inner {
  readonly leaf: false;
  /** `keys[i]` separates children i and i + 1. */
  readonly keys: string[];
  readonly children: Node[];
  weight: number;
}

type Node = Leaf | Inner;

/** See the file's head. */
export class BTree {
  #root: Node = { leaf: true, keys: [], values: [], weight: 0 };
  #size = 0;
  readonly #weigh: (value: number) => number;

  /** @param weigh The weight of an entry now; whoever changes it calls {@link addWeight}. */
  constructor(weigh: (value: number) => number) {
    this.#weigh = weigh;
  }

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /**
   * Fills the empty tree with entries given in ascending order of their keys, nodes three quarters full.
   *
   * @param keyAt Key and value of the i-th entry.
   */
  build(size: number, keyAt: (i: number) => string, valueAt: (i: number) => number): void {
    assert(this.#size === 0, () => `the tree to be built holds ${this.#size} entries`);
    let nodes: Built[] = [];
    for (let start = 0; start < size; start += NODE_ENTRIES_BUILT) {
      nodes.push(
        this.#buildLeaf(start, Math.min(size, start + NODE_ENTRIES_BUILT), keyAt, valueAt),
      );
    }
    while (nodes.length > 1) {
      const below = nodes;
      nodes = [];
      for (let start = 0; start < below.length; start += NODE_ENTRIES_BUILT) {
        nodes.push(buildInner(below.slice(start, start + NODE_ENTRIES_BUILT)));
      }
    }
    this.#size = size;
    this.#root = nodes[0]?.node ?? this.#root;
  }

  /** The value of a key, or undefined. */
  get(key: string): number | undefined {
    let node = this.#root;
    while (!node.leaf) node = childAt(node, upperBound(node.keys, key));
    const at = lowerBound(node.keys, key);
    return node.keys[at] === key ? node.values[at] : undefined;
  }

  /** Adds a key that is not there yet. */
  insert(key: string, value: number): void {
    const right = this.#insert(this.#root, key, value);
    this.#size++;
    if (right === undefined) return;
    const left = this.#root;
    const weight = left.weight + right.node.weight;
    this.#root = {
      leaf: false,
      keys: [right.separator],
      children: [left, right.node],
      weight,
    };
  }

  /** Removes a key that is there. Its weight must be 0 by then. */
  delete(key: string): void {
    this.#delete(this.#root, key);
    this.#size--;
    while (!this.#root.leaf && this.#root.children.length <= 1) {
      this.#root = this.#root.children[0] ?? { leaf: true, keys: [], values: [], weight: 0 };
    }
  }

  /** Tells the tree that the weight of a key that is there has changed. */
  addWeight(key: string, difference: number): void {
    let node = this.#root;
    for (;;) {
      node.weight += difference;
      if (node.leaf) break;
      node = childAt(node, upperBound(node.keys, key));
    }
  }

  /** Total weight of the keys in [start, end); `end` undefined: to the last. */
  weightOf(start: string, end: string | undefined): number {
    const through = end === undefined ? this.#root.weight : this.#weightBefore(end);
    return Math.max(0, through - this.#weightBefore(start));
  }

  /**
   * Visits the keys in [start, end) in order until the visitor returns false.
   *
   * The visitor must not change the tree.
   */
  scan(
    start: string,
    end: string | undefined,
    visit: (key: string, value: number) => boolean,
  ): void {
    scanNode(this.#root, start, end, visit);
  }

  /** @throws InvariantError when an invariant of the file's head does not hold. */
  check(): void {
    checkNode(this.#root, undefined, undefined, this.#weigh, true);
    assert(this.#root.weight >= 0, () => `weight ${this.#root.weight}`);
  }

  #buildLeaf(
    start: number,
    end: number,
    keyAt: (i: number) => string,
    valueAt: (i: number) => number,
  ): Built {
    const keys: string[] = [];
    const values: number[] = [];
    let weight = 0;
    for (let i = start; i < end; i++) {
      keys.push(keyAt(i));
      const value = valueAt(i);
      values.push(value);
      weight += this.#weigh(value);
    }
    return { first: keys[0] as string, node: { leaf: true, keys, values, weight } };
  }

  #weightBefore(key: string): number {
    let weight = 0;
    let node = this.#root;
    while (!node.leaf) {
      const at = upperBound(node.keys, key);
      for (let i = 0; i < at; i++) weight += childAt(node, i).weight;
      node = childAt(node, at);
    }
    const at = lowerBound(node.keys, key);
    for (let i = 0; i < at; i++) weight += this.#weigh(node.values[i] as number);
    return weight;
  }

  #insert(node: Node, key: string, value: number): Split | undefined {
    node.weight += this.#weigh(value);
    if (node.leaf) {
      const at = lowerBound(node.keys, key);
      assert(node.keys[at] !== key, () => `key is in the tree already: ${JSON.stringify(key)}`);
      insertAt(node.keys, at, key);
      insertAt(node.values, at, value);
      return node.keys.length > NODE_ENTRIES_MAX ? this.#splitLeaf(node, at) : undefined;
    }
    const at = upperBound(node.keys, key);
    const right = this.#insert(childAt(node, at), key, value);
    if (right === undefined) return undefined;
    insertAt(node.keys, at, right.separator);
    insertAt(node.children, at + 1, right.node);
    return node.children.length > NODE_ENTRIES_MAX ? splitInner(node, at + 1) : undefined;
  }

  #splitLeaf(node: Leaf, inserted: number): Split {
    const middle = splitAt(node.keys.length, inserted);
    const keys = node.keys.splice(middle);
    const values = node.values.splice(middle);
    let weight = 0;
    for (const value of values) weight += this.#weigh(value);
    node.weight -= weight;
    return { separator: keys[0] as string, node: { leaf: true, keys, values, weight } };
  }

  #delete(node: Node, key: string): void {
    if (node.leaf) {
      const at = lowerBound(node.keys, key);
      assert(node.keys[at] === key, () => `key is not in the tree: ${JSON.stringify(key)}`);
      assert(this.#weigh(node.values[at] as number) === 0, 'the key deleted has weight');
      node.keys.splice(at, 1);
      node.values.splice(at, 1);
      return;
    }
    const at = upperBound(node.keys, key);
    const child = childAt(node, at);
    this.#delete(child, key);
    const left = entryCount(child);
    if (left === 0) removeChild(node, at);
    else if (left < NODE_ENTRIES_MIN) joinNeighbours(node, at);
  }
}

interface Split {
  readonly separator: string;
  readonly node: Node;
}

/** A node that was built, and the first key below it: its separator. */
interface Built {
  readonly first: string;
  readonly node: Node;
}

function buildInner(children: readonly Built[]): Built {
  let weight = 0;
  for (const { node } of children) weight += node.weight;
  const node: Inner = {
    leaf: false,
    keys: children.slice(1).map(({ first }) => first),
    children: children.map((child) => child.node),
    weight,
  };
  return { first: (children[0] as Built).first, node };
}

function childAt(node: Inner, at: number): Node {
  return node.children[at] as Node;
}

function entryCount(node: Node): number {
  return node.leaf ? node.keys.length : node.children.length;
}

function insertAt<T>(array: T[], at: number, item: T): void {
  if (at === array.length) array.push(item);
  else array.splice(at, 0, item);
}

/** Index of the first key ≥ `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first key > `key`: the child that holds `key`. */
function upperBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** In the middle; but keys that come in ascending order leave full nodes behind them. */
function splitAt(length: number, inserted: number): number {
  return inserted === length - 1 ? inserted : length >>> 1;
}

function splitInner(node: Inner, inserted: number): Split {
  const middle = splitAt(node.children.length, inserted);
  const children = node.children.splice(middle);
  const keys = node.keys.splice(middle);
  const separator = node.keys.pop() as string;
  let weight = 0;
  for (const child of children) weight += child.weight;
  node.weight -= weight;
  return { separator, node: { leaf: false, keys, children, weight } };
}

function removeChild(parent: Inner, at: number): void {
  parent.children.splice(at, 1);
  parent.keys.splice(Math.max(0, at - 1), 1);
}

/** Merges the child with a neighbour when both fit in one node. */
function joinNeighbours(parent: Inner, at: number): void {
  if (parent.children.length < 2) return;
  const left = at > 0 ? at - 1 : at;
  const into = childAt(parent, left);
  const from = childAt(parent, left + 1);
  if (entryCount(into) + entryCount(from) > NODE_ENTRIES_MAX) return;
  const separator = parent.keys[left] as string;
  if (into.leaf && from.leaf) {
    into.keys.push(...from.keys);
    into.values.push(...from.values);
  } else if (!into.leaf && !from.leaf) {
    into.keys.push(separator, ...from.keys);
    into.children.push(...from.children);
  }
  into.weight += from.weight;
  parent.keys.splice(left, 1);
  parent.children.splice(left + 1, 1);
}

function scanNode(
  node: Node,
  start: string,
  end: string | undefined,
  visit: (key: string, value: number) => boolean,
): boolean {
  if (node.leaf) {
    for (let at = lowerBound(node.keys, start); at < node.keys.length; at++) {
      const key = node.keys[at] as string;
      if (end !== undefined && key >= end) return false;
      if (!visit(key, node.values[at] as number)) return false;
    }
    return true;
  }
  for (let at = upperBound(node.keys, start); at < node.children.length; at++) {
    if (!scanNode(childAt(node, at), start, end, visit)) return false;
  }
  return true;
}

function checkNode(
  node: Node,
  low: string | undefined,
  high: string | undefined,
  weigh: (value: number) => number,
  isRoot: boolean,
): number {
  const entries = entryCount(node);
  assert(entries <= NODE_ENTRIES_MAX && (isRoot || entries > 0), () => `${entries} entries`);
  let before = low;
  for (const key of node.keys) {
    assert(before === undefined || before <= key, 'keys do not ascend');
    assert(high === undefined || key < high, 'a key lies right of its separator');
    before = key;
  }
  let weight = 0;
  let depth = 1;
  if (node.leaf) {
    for (const value of node.values) weight += weigh(value);
  } else {
    assert(node.children.length === node.keys.length + 1, 'separators do not match children');
    node.children.forEach((child, i) => {
      const childDepth = checkNode(
        child,
        node.keys[i - 1] ?? low,
        node.keys[i] ?? high,
        weigh,
        false,
      );
      assert(i === 0 || childDepth + 1 === depth, 'leaves lie at different depths');
      depth = childDepth + 1;
      weight += child.weight;
    });
  }
  assert(weight === node.weight, () => `weight ${node.weight}, the entries below weigh ${weight}`);
  return depth;
}
