/**
 * The pages of one bucket, made bottom up from entries that come in order of their keys: a page goes out as soon as it is
 * full, the branches behind their children and the root last, so that no more is held than one page of each level.
 *
 * What goes into which page follows from lengths alone. So the same code that writes pages counts them beforehand, from
 * entries of which nothing is known but how long they are.
 *
 * Invariants: no page but the root is empty; no branch has fewer than two children, which bbolt's deletes rely on; a page
 * is larger than {@link PAGE_BYTES} only when it has no more than its smallest number of elements.
 */
import { assert } from '@etcd-ts/base';
import { ELEMENT_BYTES, PAGE_BYTES, PAGE_HEAD_BYTES } from './format.ts';

/** Bytes, or how many they would be. */
export interface Sized {
  readonly length: number;
}

/** What a page holds: keys, and beside each its value or the page of its child. */
export interface PageElements<Key extends Sized, Value> {
  readonly keys: readonly Key[];
  readonly values: readonly Value[];
  /** Bytes of the page, its head included. */
  readonly bytes: number;
}

/** Where pages go. Each is given the number of its first page, one behind the other. */
export interface PageSink<Bytes extends Sized> {
  leaf(elements: PageElements<Bytes, Bytes>): number;
  branch(elements: PageElements<Bytes, number>): number;
}

/** A branch has at least this many children. */
const CHILDREN_MIN = 2;

/** See the file's head. */
export class BucketTree<Bytes extends Sized> {
  readonly #sink: PageSink<Bytes>;
  #leaf = new Elements<Bytes, Bytes>();
  readonly #branches: Elements<Bytes, number>[] = [];

  constructor(sink: PageSink<Bytes>) {
    this.#sink = sink;
  }

  /** Adds an entry behind all others. */
  add(key: Bytes, value: Bytes): void {
    const bytes = ELEMENT_BYTES + key.length + value.length;
    if (!this.#leaf.hasRoom(bytes, 1)) this.#cutLeaf();
    this.#leaf.add(key, value, bytes);
  }

  /** @returns the number of the root page: that of an empty leaf when there was no entry. */
  end(): number {
    if (this.#branches.length === 0) return this.#sink.leaf(this.#leaf);
    this.#cutLeaf();
    for (let level = 0; ; level++) {
      const branch = this.#branches[level] as Elements<Bytes, number>;
      assert(branch.length >= CHILDREN_MIN, () => `a branch has ${branch.length} children`);
      const page = this.#sink.branch(branch);
      if (level === this.#branches.length - 1) return page;
      this.#addChild(level + 1, branch.first, page);
    }
  }

  #cutLeaf(): void {
    const leaf = this.#leaf;
    this.#leaf = new Elements();
    this.#addChild(0, leaf.first, this.#sink.leaf(leaf));
  }

  #addChild(level: number, key: Bytes, page: number): void {
    const bytes = ELEMENT_BYTES + key.length;
    let branch = (this.#branches[level] ??= new Elements());
    // One child is held back, so that the next branch has two when this was the last that came.
    if (!branch.hasRoom(bytes, CHILDREN_MIN + 1)) {
      const next = branch.splitLast();
      this.#branches[level] = next;
      this.#addChild(level + 1, branch.first, this.#sink.branch(branch));
      branch = next;
    }
    branch.add(key, page, bytes);
  }
}

/** The elements of a page in the making. */
class Elements<Key extends Sized, Value> implements PageElements<Key, Value> {
  readonly keys: Key[] = [];
  readonly values: Value[] = [];
  bytes = PAGE_HEAD_BYTES;

  get length(): number {
    return this.keys.length;
  }

  get first(): Key {
    return this.keys[0] as Key;
  }

  /** A page takes more than fits while it has fewer elements than it must. */
  hasRoom(bytes: number, elementsMin: number): boolean {
    return this.length < elementsMin || this.bytes + bytes <= PAGE_BYTES;
  }

  add(key: Key, value: Value, bytes: number): void {
    this.keys.push(key);
    this.values.push(value);
    this.bytes += bytes;
  }

  /** Takes the last element of a branch off. @returns a branch with nothing but it. */
  splitLast(): Elements<Key, Value> {
    const key = this.keys.pop() as Key;
    const bytes = ELEMENT_BYTES + key.length;
    this.bytes -= bytes;
    const rest = new Elements<Key, Value>();
    rest.add(key, this.values.pop() as Value, bytes);
    return rest;
  }
}
