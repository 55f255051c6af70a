import { EtcdError } from '@etcd-ts/protocol';
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../src/limits.ts';
import { Deadlines } from '../src/requests/deadlines.ts';
import { ReadBarrier } from '../src/requests/read-barrier.ts';
import { Tokens } from '../src/requests/tokens.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { FakeConsensus } from './support/fake-consensus.ts';

function make() {
  const clock = new ManualClock();
  const consensus = new FakeConsensus();
  let applied = 10;
  const counted = { failed: 0, askedAgain: 0 };
  const reads = new ReadBarrier({
    consensus,
    deadlines: new Deadlines(clock),
    tokens: new Tokens(),
    limits: DEFAULT_LIMITS,
    appliedIndex: () => applied,
    failed: () => void (counted.failed += 1),
    askedAgain: () => void (counted.askedAgain += 1),
  });
  const apply = (index: number): void => {
    applied = index;
    reads.applied(index);
  };
  return { apply, clock, consensus, counted, reads };
}

const failure = (promise: Promise<unknown>): Promise<EtcdError> =>
  promise.then(
    () => expect.unreachable(),
    (error: unknown) => EtcdError.from(error),
  );

test('all reads before the engine looks share one round', async () => {
  const { consensus, reads } = make();
  const all = [reads.wait(), reads.wait(), reads.wait()];
  expect(consensus.reads).toHaveLength(1);
  reads.stepping();
  reads.outcome(consensus.reads[0]!, { kind: 'readable', index: 10 });
  await Promise.all(all);
});

test('a read that comes after the engine has looked gets a round of its own', async () => {
  const { consensus, reads } = make();
  const early = reads.wait();
  reads.stepping();
  const late = reads.wait();
  expect(consensus.reads).toHaveLength(2);
  reads.outcome(consensus.reads[0]!, { kind: 'readable', index: 10 });
  await early;
  expect(reads.count).toBe(1);
  reads.outcome(consensus.reads[1]!, { kind: 'readable', index: 10 });
  await late;
});

test('a read waits until its index is applied', async () => {
  const { apply, consensus, reads } = make();
  let done = false;
  const read = reads.wait().then(() => {
    done = true;
  });
  reads.outcome(consensus.reads[0]!, { kind: 'readable', index: 12 });
  apply(11);
  await Promise.resolve();
  expect(done).toBe(false);
  apply(12);
  await read;
});

test('a round without an answer is asked again every 500 ms, and counted', async () => {
  const { clock, consensus, counted, reads } = make();
  const read = reads.wait();
  await clock.pass(560);
  expect(consensus.reads).toHaveLength(2);
  expect(counted).toEqual({ failed: 0, askedAgain: 1 });
  reads.outcome(consensus.reads[1]!, { kind: 'readable', index: 10 });
  await read;
  await clock.pass(5_000);
  expect(consensus.reads).toHaveLength(2);
});

test('an answer to the first question counts after the second was asked', async () => {
  const { clock, consensus, reads } = make();
  const read = reads.wait();
  await clock.pass(560);
  reads.outcome(consensus.reads[0]!, { kind: 'readable', index: 9 });
  await read;
});

test('a new leader fails the rounds that the old one has not answered, and they are counted', async () => {
  const { consensus, counted, reads } = make();
  reads.leaderChanged(1n);
  const answered = reads.wait();
  reads.stepping();
  reads.outcome(consensus.reads[0]!, { kind: 'readable', index: 11 });
  const open = failure(reads.wait());
  reads.leaderChanged(2n);
  expect((await open).code).toBe('LEADER_CHANGED');
  expect(counted).toEqual({ failed: 1, askedAgain: 0 });
  reads.applied(11);
  await answered;
});

test('a round that began before any leader was known is asked of the first one at once', () => {
  const { consensus, reads } = make();
  void reads.wait();
  reads.leaderChanged(1n);
  expect(consensus.reads).toHaveLength(2);
});

test('a read without an answer times out, having changed nothing', async () => {
  const { clock, reads } = make();
  const read = failure(reads.wait());
  await clock.pass(7_100);
  expect((await read).code).toBe('TIMEOUT');
  expect((await read).mayHaveApplied).toBe(false);
  await clock.pass(1_000);
  expect(clock.timers).toBe(0);
});

test('an aborted reader leaves alone', async () => {
  const { consensus, reads } = make();
  const abort = new AbortController();
  const gone = failure(reads.wait(abort.signal));
  const stays = reads.wait();
  abort.abort();
  expect((await gone).code).toBe('CANCELED');
  reads.outcome(consensus.reads[0]!, { kind: 'readable', index: 1 });
  await stays;
});

test('stopping tells everyone who waits', async () => {
  const { reads } = make();
  const read = failure(reads.wait());
  reads.stop();
  expect((await read).code).toBe('STOPPED');
  expect((await failure(reads.wait())).code).toBe('STOPPED');
});
