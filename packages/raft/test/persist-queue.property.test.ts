/** What an acknowledgement makes durable, against a disk that writes groups in order. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PersistQueue } from '../src/persist-queue.ts';

type Step =
  | { readonly do: 'write'; readonly count: number }
  | { readonly do: 'cut'; readonly back: number }
  | { readonly do: 'acknowledge'; readonly back: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('write' as const), count: fc.nat(3) }),
  fc.record({ do: fc.constant('cut' as const), back: fc.nat(4) }),
  fc.record({ do: fc.constant('acknowledge' as const), back: fc.nat(5) }),
);

interface Write {
  readonly from: number;
  readonly entries: readonly number[];
}

describe('writes on their way to the disk', () => {
  test('make durable what is on the disk and in the log, even where equal entries were rewritten', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const queue = new PersistQueue();
        let log: number[] = [];
        let handed = 0;
        let durable = 0;
        let stamp = 0;
        let acknowledged = 0;
        const writes: Write[] = [];
        for (const each of steps) {
          if (each.do === 'write') {
            for (let i = 0; i < each.count; i++) log.push(++stamp);
            writes.push({ from: handed, entries: log.slice(handed) });
            handed = log.length;
            queue.push({ lastIndex: log.length, snapshotIndex: 0, ownVote: false });
          } else if (each.do === 'cut') {
            const index = Math.max(0, log.length - each.back);
            log = log.slice(0, index);
            handed = Math.min(handed, index);
            durable = Math.min(durable, index);
            queue.clip(index);
          } else {
            const group = Math.max(0, queue.newest - each.back);
            acknowledged = Math.max(acknowledged, group);
            const news = queue.acknowledge(group);
            durable = Math.max(durable, news?.lastIndex ?? 0);
            // The disk after that group, entry by entry: each is a stamp that is never used again.
            let disk: number[] = [];
            for (const { from, entries } of writes.slice(0, acknowledged)) {
              disk = [...disk.slice(0, from), ...entries];
            }
            expect(disk.slice(0, durable)).toEqual(log.slice(0, durable));
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('are acknowledged up to a group; late and repeated acknowledgements are no news', () => {
    const queue = new PersistQueue();
    for (const lastIndex of [3, 5, 5]) queue.push({ lastIndex, snapshotIndex: 0, ownVote: false });
    expect(queue.acknowledge(2)?.lastIndex).toBe(5);
    expect(queue.acknowledge(1)).toBeUndefined();
    expect(queue.acknowledge(2)).toBeUndefined();
    expect(queue.isEmpty).toBe(false);
    expect(queue.acknowledge(3)?.lastIndex).toBe(5);
    expect(queue.isEmpty).toBe(true);
  });

  test('count an own vote when its group is durable, unless the election is over', () => {
    const queue = new PersistQueue();
    queue.push({ lastIndex: 0, snapshotIndex: 0, ownVote: true });
    queue.push({ lastIndex: 0, snapshotIndex: 0, ownVote: true });
    expect(queue.acknowledge(1)?.ownVote).toBe(true);
    queue.forgetOwnVote();
    expect(queue.acknowledge(2)?.ownVote).toBe(false);
  });
});
