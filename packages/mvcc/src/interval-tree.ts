/**
 * Items on ranges of keys, found by a key that lies in them.
 *
 * A treap ordered by (start, end), each node knowing the farthest end below it. Items on the same range share a node.
 * Priorities come from a fixed sequence, so that the same calls build the same tree.
 *
 * Invariants: nodes ascend in (start, end); a parent's priority is ≥ its children's; `farthest` is the greatest end in
 * the subtree (undefined: no end); a node has at least one item.
 */
import { assert } from '@etcd-ts/base';
import type { KeyRange } from './key-range.ts';

interface TreeNode<T> {
  readonly range: KeyRange;
  readonly items: Set<T>;
  readonly priority: number;
  left: TreeNode<T> | undefined;
  right: TreeNode<T> | undefined;
  farthest: string | undefined;
}

/** See the file's head. */
export class IntervalTree<T> {
  #root: TreeNode<T> | undefined;
  #size = 0;
  #sequence = 0x9e37_79b9;

  /** Number of (range, item) pairs. */
  get size(): number {
    return this.#size;
  }

  /** Adds an item on a range. An item is on a range at most once. */
  add(range: KeyRange, item: T): void {
    const node = find(this.#root, range);
    if (node === undefined) {
      this.#root = insert(this.#root, {
        range,
        items: new Set([item]),
        priority: this.#nextPriority(),
        left: undefined,
        right: undefined,
        farthest: range.end,
      });
      this.#size++;
      return;
    }
    if (!node.items.has(item)) this.#size++;
    node.items.add(item);
  }

  /** Takes an item off a range. @returns false when it was not there. */
  delete(range: KeyRange, item: T): boolean {
    const node = find(this.#root, range);
    if (node === undefined || !node.items.delete(item)) return false;
    this.#size--;
    if (node.items.size === 0) this.#root = remove(this.#root, range);
    return true;
  }

  /** Adds to `into` the items of every range that holds the key, by range, then in order of adding. */
  collect(key: string, into: T[]): void {
    if (this.#root !== undefined) collectFrom(this.#root, key, into);
  }

  /** Every item, in order of ranges. */
  *[Symbol.iterator](): Iterator<T> {
    if (this.#root !== undefined) yield* itemsOf(this.#root);
  }

  /** True when some range holds the key. */
  has(key: string): boolean {
    const found: T[] = [];
    this.collect(key, found);
    return found.length > 0;
  }

  /** @throws InvariantError when an invariant does not hold. For tests. */
  check(): void {
    let items = 0;
    let before: KeyRange | undefined;
    const walk = (node: TreeNode<T> | undefined): void => {
      if (node === undefined) return;
      walk(node.left);
      assert(before === undefined || compareRanges(before, node.range) < 0, 'nodes do not ascend');
      before = node.range;
      assert(node.items.size > 0, 'a node is empty');
      items += node.items.size;
      for (const child of [node.left, node.right]) {
        assert(
          child === undefined || child.priority <= node.priority,
          'a child outranks its parent',
        );
      }
      assert(node.farthest === farthestOf(node), 'the farthest end is wrong');
      walk(node.right);
    };
    walk(this.#root);
    assert(items === this.#size, () => `${items} items, counted ${this.#size}`);
  }

  /** xorshift32 (Marsaglia 2003). */
  #nextPriority(): number {
    let x = this.#sequence;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#sequence = x;
    return x >>> 0;
  }
}

function* itemsOf<T>(node: TreeNode<T>): Generator<T> {
  if (node.left !== undefined) yield* itemsOf(node.left);
  yield* node.items;
  if (node.right !== undefined) yield* itemsOf(node.right);
}

/** Negative when end a comes before end b; undefined is no end, after all. */
function compareEnds(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  return a < b ? -1 : 1;
}

function compareRanges(a: KeyRange, b: KeyRange): number {
  if (a.start !== b.start) return a.start < b.start ? -1 : 1;
  return compareEnds(a.end, b.end);
}

function farthestOf<T>(node: TreeNode<T>): string | undefined {
  let farthest = node.range.end;
  for (const child of [node.left, node.right]) {
    if (child !== undefined && compareEnds(child.farthest, farthest) > 0) farthest = child.farthest;
  }
  return farthest;
}

function find<T>(root: TreeNode<T> | undefined, range: KeyRange): TreeNode<T> | undefined {
  let node = root;
  while (node !== undefined) {
    const difference = compareRanges(range, node.range);
    if (difference === 0) return node;
    node = difference < 0 ? node.left : node.right;
  }
  return undefined;
}

function insert<T>(node: TreeNode<T> | undefined, added: TreeNode<T>): TreeNode<T> {
  if (node === undefined) return added;
  let top = node;
  if (compareRanges(added.range, node.range) < 0) {
    node.left = insert(node.left, added);
    if (node.left.priority > node.priority) top = rotateRight(node, node.left);
  } else {
    node.right = insert(node.right, added);
    if (node.right.priority > node.priority) top = rotateLeft(node, node.right);
  }
  top.farthest = farthestOf(top);
  return top;
}

function remove<T>(node: TreeNode<T> | undefined, range: KeyRange): TreeNode<T> | undefined {
  if (node === undefined) return undefined;
  const difference = compareRanges(range, node.range);
  if (difference === 0) return join(node.left, node.right);
  if (difference < 0) node.left = remove(node.left, range);
  else node.right = remove(node.right, range);
  node.farthest = farthestOf(node);
  return node;
}

function join<T>(
  left: TreeNode<T> | undefined,
  right: TreeNode<T> | undefined,
): TreeNode<T> | undefined {
  if (left === undefined) return right;
  if (right === undefined) return left;
  const top = left.priority >= right.priority ? left : right;
  if (top === left) left.right = join(left.right, right);
  else right.left = join(left, right.left);
  top.farthest = farthestOf(top);
  return top;
}

function rotateRight<T>(node: TreeNode<T>, left: TreeNode<T>): TreeNode<T> {
  node.left = left.right;
  left.right = node;
  node.farthest = farthestOf(node);
  return left;
}

function rotateLeft<T>(node: TreeNode<T>, right: TreeNode<T>): TreeNode<T> {
  node.right = right.left;
  right.left = node;
  node.farthest = farthestOf(node);
  return right;
}

function collectFrom<T>(node: TreeNode<T>, key: string, into: T[]): void {
  if (node.farthest !== undefined && node.farthest <= key) return;
  if (node.left !== undefined) collectFrom(node.left, key, into);
  if (node.range.start > key) return;
  if (node.range.end === undefined || key < node.range.end)
    for (const item of node.items) into.push(item);
  if (node.right !== undefined) collectFrom(node.right, key, into);
}
