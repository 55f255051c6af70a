import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MessageQueue } from '../src/index.ts';

async function drain<T>(queue: MessageQueue<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of queue) items.push(item);
  return items;
}

describe('a message queue', () => {
  test('gives what went in, in order, then ends', async () => {
    const queue = new MessageQueue<number>(2);
    expect([queue.push(1), queue.push(2), queue.push(3)]).toEqual([true, false, false]);
    queue.end();
    expect(await drain(queue)).toEqual([1, 2, 3]);
  });

  test('throws its error after what waits, once', async () => {
    const queue = new MessageQueue<number>(8);
    queue.push(1);
    queue.end(new Error('broken'));
    const reader = queue[Symbol.asyncIterator]();
    expect(await reader.next()).toEqual({ done: false, value: 1 });
    await expect(reader.next()).rejects.toThrow('broken');
    expect((await reader.next()).done).toBe(true);
  });

  test('that is aborted drops what waits', async () => {
    const queue = new MessageQueue<number>(8);
    queue.push(1);
    queue.abort();
    expect(await drain(queue)).toEqual([]);
    expect(queue.push(2)).toBe(false);
  });

  test('that was ended can still be aborted', async () => {
    const queue = new MessageQueue<number>(8);
    queue.push(1);
    queue.end();
    queue.abort(new Error('gone'));
    await expect(drain(queue)).rejects.toThrow('gone');
  });

  test('wakes a reader that waits', async () => {
    const queue = new MessageQueue<number>(1);
    const reading = drain(queue);
    expect(queue.push(1)).toBe(true);
    queue.end();
    expect(await reading).toEqual([1]);
  });

  test('wakes a sender that waits, when there is room and when it is closed', async () => {
    const queue = new MessageQueue<number>(1);
    queue.push(1);
    let woken = 0;
    void queue.drained().then(() => woken++);
    await Promise.resolve();
    expect(woken).toBe(0);
    await queue[Symbol.asyncIterator]().next();
    await Promise.resolve();
    expect(woken).toBe(1);
    queue.push(2);
    const waiting = queue.drained();
    queue.end();
    await waiting;
  });

  test('tells when its reader leaves early, and not when it has come to the end', async () => {
    let left = 0;
    const early = new MessageQueue<number>(8, () => left++);
    early.push(1);
    for await (const _item of early) break;
    expect(left).toBe(1);
    const whole = new MessageQueue<number>(8, () => left++);
    whole.push(1);
    whole.end();
    for await (const _item of whole) void _item;
    expect(left).toBe(1);
  });

  test('of any length and in any rhythm keeps the order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 3_000 }), async (steps) => {
        const queue = new MessageQueue<number>(4);
        const reader = queue[Symbol.asyncIterator]();
        let pushed = 0;
        let read = 0;
        for (const isPush of steps) {
          if (isPush) queue.push(pushed++);
          else if (queue.size > 0) expect((await reader.next()).value).toBe(read++);
        }
        queue.end();
        for (; read < pushed; read++) expect((await reader.next()).value).toBe(read);
        expect((await reader.next()).done).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});
