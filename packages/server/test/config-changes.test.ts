import { EtcdError } from '@etcd-ts/protocol';
import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../src/limits.ts';
import { ConfigChanges } from '../src/requests/config-changes.ts';
import { Deadlines } from '../src/requests/deadlines.ts';
import { Tokens } from '../src/requests/tokens.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { FakeConsensus } from './support/fake-consensus.ts';

const CHANGE = {
  steps: [{ op: 'remove', node: 7n }],
  transition: 'auto',
  context: new Uint8Array(0),
} as const;

function make() {
  const clock = new ManualClock();
  const consensus = new FakeConsensus();
  const changes = new ConfigChanges({
    consensus,
    deadlines: new Deadlines(clock),
    tokens: new Tokens(),
    limits: DEFAULT_LIMITS,
    appliedIndex: () => 10,
  });
  return { changes, clock, consensus };
}

const failure = (promise: Promise<unknown>): Promise<EtcdError> =>
  promise.then(
    () => expect.unreachable(),
    (error: unknown) => EtcdError.from(error),
  );

test('a transfer that is not over in time, here or in the engine, is told so', async () => {
  const { changes, clock, consensus } = make();
  const late = failure(changes.transfer(2n));
  await clock.pass(7_100);
  expect((await late).code).toBe('TIMEOUT_LEADER_TRANSFER');
  const refused = failure(changes.transfer(2n));
  changes.outcome(consensus.changed[1]!, {
    kind: 'refused',
    reason: 'timedOut',
    leader: 1n,
  });
  expect((await refused).code).toBe('TIMEOUT_LEADER_TRANSFER');
  await clock.pass(7_100);
  expect(clock.timers).toBe(0);
});

test('a change that is not over in time may have been made', async () => {
  const { changes, clock } = make();
  const late = failure(changes.change(CHANGE));
  await clock.pass(7_100);
  expect(await late).toMatchObject({ code: 'TIMEOUT', mayHaveApplied: true });
});

test('a change is for the term in which this node leads, and for no other node', async () => {
  const { changes, consensus } = make();
  consensus.term = 7;
  changes.change(CHANGE).catch(() => undefined);
  consensus.role = 'follower';
  expect(await failure(changes.change(CHANGE))).toMatchObject({
    code: 'NOT_LEADER',
    mayHaveApplied: false,
  });
  expect(consensus.changeTerms).toEqual([7]);
});

test('a caller who leaves is told so at once, and what the engine says later is passed over', async () => {
  const { changes, clock, consensus } = make();
  const abort = new AbortController();
  const gone = failure(changes.change(CHANGE, abort.signal));
  abort.abort(new EtcdError('CANCELED'));
  expect((await gone).code).toBe('CANCELED');
  changes.outcome(consensus.changed[0]!, { kind: 'committed', index: 3, term: 2 });
  await clock.pass(7_100);
  expect(clock.timers).toBe(0);
});
