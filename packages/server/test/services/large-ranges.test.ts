import { EtcdError } from '@etcd-ts/protocol';
import { expect, test } from 'vitest';
import { LargeRanges, MAX_LARGE_RANGES } from '../../src/services/large-ranges.ts';

const never = new AbortController().signal;

/** Whether a promise is settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const first = await Promise.race([promise.catch(() => undefined), Promise.resolve(pending)]);
  return first !== pending;
}

test('so many large ranges are read at a time, the others in the order in which they came', async () => {
  const large = new LargeRanges();
  const leave: (() => void)[] = [];
  for (let i = 0; i < MAX_LARGE_RANGES; i++) leave.push(await large.enter(never));
  const [first, second] = [large.enter(never), large.enter(never)];
  expect([await isSettled(first), await isSettled(second)]).toEqual([false, false]);
  leave[0]?.();
  leave[0]?.();
  const leaveFirst = await first;
  expect(await isSettled(second)).toBe(false);
  leaveFirst();
  (await second)();
  for (const each of leave) each();
  const again = await Promise.all(
    Array.from({ length: MAX_LARGE_RANGES }, () => large.enter(never)),
  );
  expect(again.length).toBe(MAX_LARGE_RANGES);
});

test('one that is not wanted any more gives its place in the queue up', async () => {
  const large = new LargeRanges();
  const leave: (() => void)[] = [];
  for (let i = 0; i < MAX_LARGE_RANGES; i++) leave.push(await large.enter(never));
  const controller = new AbortController();
  const abandoned = large.enter(controller.signal);
  const next = large.enter(never);
  controller.abort(new EtcdError('CANCELED'));
  await expect(abandoned).rejects.toSatisfy((error) => EtcdError.is(error));
  expect(large.waitingCount).toBe(1);
  leave[0]?.();
  (await next)();
  await expect(large.enter(controller.signal)).resolves.toBeDefined();
});
