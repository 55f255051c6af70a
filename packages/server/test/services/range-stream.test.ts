/** Large ranges at a door that takes them in parts: what goes there, when it waits, and what breaks it off. */
import { utf8 } from '@etcd-ts/base';
import {
  type CallContext,
  EtcdError,
  type KeyValue,
  type RangeParts,
  RangeRequest,
  type RangeResponse,
  type ResponseHeader,
} from '@etcd-ts/protocol';
import { beforeAll, describe, expect, test } from 'vitest';
import { FakeNode } from './fake-node.ts';
import { MAX_LARGE_RANGES } from '../../src/services/large-ranges.ts';
import { Services } from '../../src/services/services.ts';
import { SURROUNDINGS } from './surroundings.ts';

const KEYS = 5_000;
const ALL = { key: utf8('k'), rangeEnd: utf8('l') };

let node: FakeNode;
let services: Services;

beforeAll(async () => {
  node = await FakeNode.start({ clock: 'real' });
  services = new Services(node, SURROUNDINGS);
  for (let i = 0; i < KEYS; i++) {
    const [key, value] = [utf8(`k${String(i).padStart(5, '0')}`), utf8(`v${i}`)];
    node.state.store.put({
      key,
      value,
      lease: 0n,
      prevKv: false,
      ignoreValue: false,
      ignoreLease: false,
    });
  }
});

/** Takes everything, and waits before the next part as long as the test wants. */
class Door implements RangeParts {
  header: ResponseHeader | undefined;
  readonly kvs: KeyValue[] = [];
  parts = 0;
  room: () => Promise<void> | undefined = () => undefined;

  begin(header: ResponseHeader): void {
    expect([this.header, this.kvs.length]).toEqual([undefined, 0]);
    this.header = header;
  }

  take(kvs: readonly KeyValue[]): Promise<void> | undefined {
    this.kvs.push(...kvs);
    this.parts += 1;
    return this.room();
  }
}

function ask(
  more: Parameters<typeof RangeRequest.fromPartial>[0],
  facts: Partial<CallContext> = {},
): Promise<RangeResponse> {
  const handler = services.handlers['etcdserverpb.KV/Range'];
  if (handler === undefined) throw new Error('no KV.Range');
  return handler(RangeRequest.fromPartial({ ...ALL, ...more }), {
    signal: new AbortController().signal,
    metadata: new Map(),
    peer: { via: 'grpc', address: '' },
    ...facts,
  });
}

describe('a large range in key order', () => {
  test('goes to the door in parts, and the response is the rest', async () => {
    for (const more of [{}, { revision: KEYS - 100 }, { keysOnly: true, serializable: true }]) {
      const door = new Door();
      const whole = await ask(more);
      const rest = await ask(more, { rangeParts: door });
      expect({ ...rest, kvs: door.kvs }).toEqual(whole);
      expect([rest.kvs.length, door.header]).toEqual([0, whole.header]);
      expect(door.parts).toBeGreaterThan(5);
    }
  });

  test('is whole where it is small, or where its first key is not known at once', async () => {
    const others = [
      { rangeEnd: utf8('k02') },
      { rangeEnd: utf8('k00000') },
      { limit: 4_000 },
      { sortOrder: 2 },
      { sortTarget: 1, sortOrder: 1 },
      { minModRevision: 3 },
      { countOnly: true },
      { rangeEnd: new Uint8Array(0) },
    ];
    for (const more of others) {
      const door = new Door();
      expect(await ask(more, { rangeParts: door })).toEqual(await ask(more));
      expect([door.header, door.parts]).toEqual([undefined, 0]);
    }
  });

  test('is not read on before the door has room, and meanwhile no place is taken', async () => {
    const stalled = Array.from({ length: MAX_LARGE_RANGES + 1 }, () => new Door());
    const open: (() => void)[] = [];
    const waiting = stalled.map((door) => {
      const waited = new Promise<void>((resolve) => {
        door.room = () => {
          resolve();
          return new Promise((go) => open.push(go));
        };
      });
      return { answer: ask({}, { rangeParts: door }), waited };
    });
    await Promise.all(waiting.map(({ waited }) => waited));
    const quick = new Door();
    await ask({}, { rangeParts: quick });
    expect(quick.kvs.length).toBe(KEYS);
    expect(stalled.map(({ parts }) => parts)).toEqual(stalled.map(() => 1));
    for (const door of stalled) door.room = () => undefined;
    for (const go of open) go();
    await Promise.all(waiting.map(({ answer }) => answer));
    expect(stalled.map(({ kvs }) => kvs.length)).toEqual(stalled.map(() => KEYS));
  });

  test('ends when nobody wants it any more, and what it read is free', async () => {
    const door = new Door();
    const controller = new AbortController();
    door.room = () => {
      controller.abort(new EtcdError('CANCELED'));
      return Promise.resolve();
    };
    const answer = ask({}, { rangeParts: door, signal: controller.signal });
    await expect(answer).rejects.toMatchObject({ code: 'CANCELED' });
    expect([door.parts, node.state.store.openReadCount]).toEqual([1, 0]);
  });

  test('is broken off when a compaction would not wait, or the door refuses', async () => {
    const door = new Door();
    door.room = () => {
      node.state.store.endReads();
      return undefined;
    };
    await expect(ask({}, { rangeParts: door })).rejects.toSatisfy((error) => EtcdError.is(error));
    const refusing = new Door();
    refusing.room = () => {
      throw new EtcdError('RESOURCE_EXHAUSTED', { message: 'enough' });
    };
    await expect(ask({}, { rangeParts: refusing })).rejects.toThrow('enough');
    expect([door.parts, refusing.parts, node.state.store.openReadCount]).toEqual([1, 1, 0]);
  });
});
