/**
 * The contract of {@link Backend} as tests, for whoever makes one.
 *
 *     describe('my backend', () => { for (const { name, run } of backendSuite(factory)) test(name, run); });
 *
 * It brings no test framework: a claim that does not hold rejects with an InvariantError that says which.
 */
import { assert, compareBytes, EMPTY_BYTES, equalBytes, utf8 } from '@etcd-ts/base';
import { type Backend, type BackendEntry, PAGE_BYTES_MAX } from '../backend.ts';

/** Makes a fresh, empty backend. */
export type BackendFactory = () => Promise<Backend>;

/** One claim of the contract. */
export interface ContractCase {
  readonly name: string;
  readonly run: () => Promise<void>;
}

const LAST = new Uint8Array(40).fill(0xff);

/** The claims, each to be run on its own backend. */
export function backendSuite(factory: BackendFactory): ContractCase[] {
  return CLAIMS.map(([name, claim]) => ({
    name,
    run: async () => {
      const backend = await factory();
      try {
        await claim(backend);
      } finally {
        await backend.close();
      }
    },
  }));
}

type Claim = (backend: Backend) => Promise<void>;

const CLAIMS: readonly (readonly [string, Claim])[] = [
  ['get gives undefined for a key that was never written', getOfNothing],
  ['get gives what the last resolved write put', getAfterWrite],
  ['a delete takes a key away, and one that is not there is no failure', deletes],
  ['operations of a batch take effect in their order', orderInBatch],
  ['batches take effect in the order of the calls, also when none is awaited', orderOfBatches],
  ['an empty value is a value, and an empty batch is no failure', emptyThings],
  ['keys and values may hold any bytes', anyBytes],
  ['sync resolves, and changes nothing that can be read', syncs],
  ['iterate gives the keys of [start, end) in byte order', iterateInOrder],
  ['pages have at most the entries asked for, and an empty page is the end', pages],
  ['a page ends early when its entries are large', largePages],
  ['an iterator may be closed before its end', earlyClose],
  ['sync and compactRange keep everything, and sizeBytes is a number of bytes', sizes],
];

async function syncs(backend: Backend): Promise<void> {
  await put(backend, 'a', '1');
  await backend.sync();
  const iterator = backend.iterate(EMPTY_BYTES, LAST);
  const page = await iterator.nextPage(10);
  await iterator.close();
  assert(page.length === 1, () => `after a sync the backend has ${page.length} keys, one was put`);
}

async function getOfNothing(backend: Backend): Promise<void> {
  assert(backend.get(utf8('a')) === undefined, 'a key that was never written has a value');
}

async function getAfterWrite(backend: Backend): Promise<void> {
  await put(backend, 'a', '1');
  await put(backend, 'a', '2');
  assertValue(backend, 'a', '2');
}

async function deletes(backend: Backend): Promise<void> {
  await put(backend, 'a', '1');
  await backend.write([
    { key: utf8('a'), value: undefined },
    { key: utf8('b'), value: undefined },
  ]);
  assertValue(backend, 'a', undefined);
}

async function orderInBatch(backend: Backend): Promise<void> {
  await backend.write([
    { key: utf8('a'), value: utf8('1') },
    { key: utf8('a'), value: undefined },
    { key: utf8('b'), value: undefined },
    { key: utf8('b'), value: utf8('2') },
  ]);
  assertValue(backend, 'a', undefined);
  assertValue(backend, 'b', '2');
}

async function orderOfBatches(backend: Backend): Promise<void> {
  const many = Array.from({ length: 2000 }, (_, i) => ({ key: utf8(`x${i}`), value: utf8('1') }));
  const first = backend.write([...many, { key: utf8('a'), value: utf8('1') }]);
  const second = backend.write([{ key: utf8('a'), value: utf8('2') }]);
  await second;
  await first;
  assertValue(backend, 'a', '2');
}

async function emptyThings(backend: Backend): Promise<void> {
  await backend.write([]);
  await backend.write([{ key: utf8('a'), value: EMPTY_BYTES }]);
  assertValue(backend, 'a', '');
}

async function anyBytes(backend: Backend): Promise<void> {
  const all = new Uint8Array(256).map((_, i) => i);
  await backend.write([{ key: all, value: all }]);
  const value = backend.get(all);
  assert(value !== undefined && equalBytes(value, all), 'a value of all bytes came back changed');
}

async function iterateInOrder(backend: Backend): Promise<void> {
  const keys = ['b', 'a', '\0', 'ÿ', 'ab', 'a\0', 'c'];
  for (const key of keys) await put(backend, key, key);
  const wanted = keys.map(utf8).toSorted(compareBytes);
  assertKeys(await readAll(backend, EMPTY_BYTES, LAST, 100), wanted);
  const inside = wanted.filter(
    (key) => compareBytes(key, utf8('a')) >= 0 && compareBytes(key, utf8('b')) < 0,
  );
  assertKeys(await readAll(backend, utf8('a'), utf8('b'), 100), inside);
  assertKeys(await readAll(backend, utf8('b'), utf8('a'), 100), []);
}

async function pages(backend: Backend): Promise<void> {
  for (let i = 0; i < 10; i++) await put(backend, `k${i}`, `${i}`);
  const iterator = backend.iterate(utf8('k'), utf8('l'));
  const sizes: number[] = [];
  for (let page; (page = await iterator.nextPage(4)).length > 0;) sizes.push(page.length);
  await iterator.close();
  assert(
    sizes.every((size) => size <= 4),
    `pages of ${sizes.join(', ')} entries, at most 4 asked`,
  );
  assert(sizes.reduce((sum, size) => sum + size, 0) === 10, `${sizes.join(' + ')} entries, not 10`);
}

async function largePages(backend: Backend): Promise<void> {
  const value = new Uint8Array(PAGE_BYTES_MAX / 2);
  for (let i = 0; i < 8; i++) await backend.write([{ key: utf8(`k${i}`), value }]);
  const iterator = backend.iterate(utf8('k'), utf8('l'));
  const page = await iterator.nextPage(100);
  await iterator.close();
  assert(page.length > 0 && page.length < 8, `a page of ${page.length} entries of half the bound`);
}

async function earlyClose(backend: Backend): Promise<void> {
  for (let i = 0; i < 10; i++) await put(backend, `k${i}`, `${i}`);
  const iterator = backend.iterate(utf8('k'), utf8('l'));
  await iterator.nextPage(1);
  await iterator.close();
}

async function sizes(backend: Backend): Promise<void> {
  for (let i = 0; i < 100; i++) await put(backend, `k${i}`, 'x'.repeat(100));
  await backend.sync();
  await backend.compactRange(utf8('k'), utf8('l'));
  assert((await readAll(backend, utf8('k'), utf8('l'), 7)).length === 100, 'entries went missing');
  const bytes = await backend.sizeBytes();
  assert(Number.isSafeInteger(bytes) && bytes >= 0, () => `size of ${bytes} bytes`);
}

async function put(backend: Backend, key: string, value: string): Promise<void> {
  await backend.write([{ key: utf8(key), value: utf8(value) }]);
}

async function readAll(
  backend: Backend,
  start: Uint8Array,
  end: Uint8Array,
  entriesMax: number,
): Promise<BackendEntry[]> {
  const entries: BackendEntry[] = [];
  const iterator = backend.iterate(start, end);
  for (let page; (page = await iterator.nextPage(entriesMax)).length > 0;) entries.push(...page);
  await iterator.close();
  return entries;
}

function assertValue(backend: Backend, key: string, wanted: string | undefined): void {
  const value = backend.get(utf8(key));
  const isAsWanted =
    value === undefined || wanted === undefined
      ? value === wanted
      : equalBytes(value, utf8(wanted));
  assert(isAsWanted, () => `${key} holds ${String(value)}, not ${String(wanted)}`);
}

function assertKeys(entries: readonly BackendEntry[], wanted: readonly Uint8Array[]): void {
  const shown = entries.map(([key]) => key.join('.')).join(' ');
  const isAsWanted =
    entries.length === wanted.length &&
    entries.every(([key], i) => equalBytes(key, wanted[i] ?? EMPTY_BYTES));
  assert(isAsWanted, () => `keys ${shown}, not ${wanted.map((key) => key.join('.')).join(' ')}`);
}
