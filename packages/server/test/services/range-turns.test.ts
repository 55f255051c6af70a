/** How much of a large read lies between two turns of the loop, whatever the entries cost: no read holds others up. */
import { utf8 } from '@etcd-ts/base';
import type { RangeRequest as StoreRange, SteppedRead } from '@etcd-ts/mvcc';
import { RangeRequest } from '@etcd-ts/protocol';
import { expect, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import type { NodePort } from '../../src/node-port.ts';
import { LargeRanges } from '../../src/services/large-ranges.ts';
import { readRange, STEP_BYTES, STEP_ENTRIES } from '../../src/services/range-reader.ts';
import { FakeNode } from './fake-node.ts';

const KEYS = 5_000;

/** A loop in which only the reading of entries takes time. */
class ReadingLoop implements Clock {
  nowMs = 0;
  /** Time at which the turn began. */
  #beganMs = 0;
  #entries = 0;
  readonly turns: { readonly entries: number; readonly tookMs: number }[] = [];

  read(entries: number, tookMs: number): void {
    this.#entries += entries;
    this.nowMs += tookMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.nowMs;
  }

  after(): never {
    throw new Error('a read waits for no timer');
  }

  soon(callback: () => void): void {
    this.endTurn();
    queueMicrotask(callback);
  }

  endTurn(): void {
    this.turns.push({ entries: this.#entries, tookMs: this.nowMs - this.#beganMs });
    this.#beganMs = this.nowMs;
    this.#entries = 0;
  }
}

/** Reads all keys, each of which takes so long; gives the turns that it took. */
async function turnsOf(entryMs: number): Promise<ReadingLoop['turns']> {
  const fake = await FakeNode.start();
  for (let i = 0; i < KEYS; i++) {
    const put = { key: utf8(`k/${i}`), value: utf8('v'), lease: 0n };
    await fake.propose({
      kind: 'put',
      request: { ...put, prevKv: false, ignoreValue: false, ignoreLease: false },
    });
  }
  const loop = new ReadingLoop();
  const { store } = fake.state;
  const steppedRange = (request: StoreRange): SteppedRead<unknown> => {
    const read = store.steppedRange(request);
    return {
      step: (entriesMax: number, bytesMax: number) => {
        expect([entriesMax, bytesMax]).toEqual([STEP_ENTRIES, STEP_BYTES]);
        loop.read(entriesMax, entriesMax * entryMs);
        return read.step(entriesMax, bytesMax);
      },
      get result() {
        return read.result;
      },
      close: () => read.close(),
    };
  };
  const node = {
    clock: loop,
    state: { store: { revision: store.revision, steppedRange } },
  } as unknown as NodePort;
  const request = RangeRequest.fromPartial({ key: utf8('k/'), rangeEnd: utf8('k0') });
  const turns = { large: new LargeRanges(), context: { signal: new AbortController().signal } };
  const { kvs } = await readRange(node, request, turns);
  loop.endTurn();
  expect(kvs.length).toBe(KEYS);
  return loop.turns;
}

test.each([
  ['entries that come from memory', 0],
  ['entries that take what a read of the disk does', 0.07],
])('no turn of a read of %s lasts for more than 5 ms, or 1,024 entries', async (_, entryMs) => {
  const turns = await turnsOf(entryMs);
  expect(Math.max(...turns.map(({ tookMs }) => tookMs))).toBeLessThan(5);
  expect(Math.max(...turns.map(({ entries }) => entries))).toBeLessThanOrEqual(1_024);
  expect(turns.length).toBeGreaterThanOrEqual(KEYS / 1_024);
});
