import { memberId } from '@etcd-ts/base';
import { EtcdError, PutRequest } from '@etcd-ts/protocol';
import { expect, test } from 'vitest';
import { CommandCodec } from '../src/apply/command-codec.ts';
import type { Command, CommandResult } from '../src/apply/command.ts';
import { DEFAULT_LIMITS, type ServerLimits } from '../src/limits.ts';
import { Deadlines } from '../src/requests/deadlines.ts';
import { Proposals } from '../src/requests/proposals.ts';
import { Tokens } from '../src/requests/tokens.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { FakeConsensus } from './support/fake-consensus.ts';
import { randomFrom } from './support/random.ts';

const PUT: Command = { kind: 'put', request: PutRequest.fromPartial({ key: new Uint8Array([1]) }) };
const DONE: CommandResult = { kind: 'done' };

function make(limits: Partial<ServerLimits> = {}) {
  const clock = new ManualClock();
  const consensus = new FakeConsensus();
  const proposals = new Proposals({
    consensus,
    codec: new CommandCodec(memberId(1n), randomFrom(1)),
    deadlines: new Deadlines(clock),
    tokens: new Tokens(),
    limits: { ...DEFAULT_LIMITS, ...limits },
    appliedIndex: () => 0,
  });
  return { clock, consensus, proposals };
}

/** A turn of the engine, from its beginning to that of the next. */
const turn = (proposals: Proposals): void => {
  proposals.stepping();
  proposals.stepping();
};

const failure = (promise: Promise<unknown>): Promise<EtcdError> =>
  promise.then(
    () => expect.unreachable(),
    (error: unknown) => EtcdError.from(error),
  );

test('the answer is what applying the entry answered', async () => {
  const { consensus, proposals } = make();
  const answer = proposals.propose(PUT);
  const { token } = consensus.proposed[0]!;
  proposals.applied(token, DONE);
  expect(await answer).toBe(DONE);
  expect(proposals.count).toBe(0);
});

test('an error that applying answered is the failure', async () => {
  const { consensus, proposals } = make();
  const answer = failure(proposals.propose(PUT));
  proposals.applied(consensus.proposed[0]!.token, new EtcdError('LEASE_NOT_FOUND'));
  expect((await answer).code).toBe('LEASE_NOT_FOUND');
});

test('without a leader a proposal waits, and is handed over when one is known', async () => {
  const { consensus, proposals } = make();
  consensus.leader = 0n;
  const answer = proposals.propose(PUT);
  expect(consensus.proposed).toHaveLength(0);
  consensus.leader = 2n;
  proposals.leaderKnown();
  expect(consensus.proposed).toHaveLength(1);
  proposals.applied(consensus.proposed[0]!.token, DONE);
  await answer;
});

test('a proposal that waited in vain certainly had no effect', async () => {
  const { clock, consensus, proposals } = make();
  consensus.leader = 0n;
  const answer = failure(proposals.propose(PUT));
  await clock.pass(7_100);
  const error = await answer;
  expect(error.code).toBe('TIMEOUT');
  expect(error.mayHaveApplied).toBe(false);
});

test('a lost entry is proposed again, with the same bytes', async () => {
  const { consensus, proposals } = make();
  const answer = proposals.propose(PUT);
  const [first] = consensus.proposed;
  proposals.outcome(first!.token, { kind: 'accepted', index: 5, term: 2 });
  proposals.outcome(first!.token, { kind: 'lost', index: 5, term: 2 });
  expect(consensus.proposed[1]).toEqual(first);
  proposals.applied(first!.token, DONE);
  await answer;
});

test('an entry whose fate is unknown waits for a newer term to be applied', async () => {
  const { clock, consensus, proposals } = make();
  const answer = failure(proposals.propose(PUT));
  turn(proposals);
  proposals.outcome(consensus.proposed[0]!.token, { kind: 'unknown', index: 5, term: 2 });
  proposals.leaderKnown();
  proposals.termApplied(2);
  expect(consensus.proposed).toHaveLength(1);
  await clock.pass(7_100);
  const error = await answer;
  expect(error.code).toBe('TIMEOUT_DUE_TO_LEADER_FAIL');
  expect(error.mayHaveApplied).toBe(true);
});

test.each(['before', 'after'])(
  'an entry of unknown fate is lost when a newer term is applied %s it became unknown',
  async (when) => {
    const { consensus, proposals } = make();
    const answer = proposals.propose(PUT);
    turn(proposals);
    const { token } = consensus.proposed[0]!;
    if (when === 'before') proposals.termApplied(3);
    proposals.outcome(token, { kind: 'unknown', index: 0, term: 3 });
    if (when === 'after') proposals.termApplied(3);
    expect(consensus.proposed).toHaveLength(2);
    expect(consensus.proposed[1]).toEqual(consensus.proposed[0]);
    proposals.applied(token, DONE);
    await answer;
  },
);

test('an entry is of the term to which its turn came, not of the one in which the turn began', async () => {
  const { clock, consensus, proposals } = make();
  const answer = failure(proposals.propose(PUT));
  proposals.stepping();
  // A message of the same turn brings a newer term, before the proposal is looked at.
  consensus.term = 3;
  proposals.stepping();
  proposals.outcome(consensus.proposed[0]!.token, { kind: 'unknown', index: 0, term: 3 });
  proposals.termApplied(3);
  expect(consensus.proposed).toHaveLength(1);
  await clock.pass(7_100);
  expect((await answer).mayHaveApplied).toBe(true);
});

test('what a snapshot may hold is never proposed again', async () => {
  const { clock, consensus, proposals } = make();
  const answer = failure(proposals.propose(PUT));
  turn(proposals);
  proposals.snapshotInstalled();
  proposals.outcome(consensus.proposed[0]!.token, { kind: 'unknown', index: 5, term: 2 });
  proposals.termApplied(3);
  expect(consensus.proposed).toHaveLength(1);
  await clock.pass(7_100);
  expect((await answer).mayHaveApplied).toBe(true);
});

test('an entry whose fate was unknown still answers when it is applied', async () => {
  const { consensus, proposals } = make();
  const answer = proposals.propose(PUT);
  const { token } = consensus.proposed[0]!;
  proposals.outcome(token, { kind: 'unknown', index: 5, term: 2 });
  proposals.applied(token, DONE);
  expect(await answer).toBe(DONE);
});

test('one proposal more than may wait is refused', async () => {
  const { proposals } = make({ maxPendingProposals: 2 });
  void proposals.propose(PUT);
  void proposals.propose(PUT);
  const error = await failure(proposals.propose(PUT));
  expect(error.code).toBe('TOO_MANY_REQUESTS');
  expect(error.detail).toBe('2 proposals wait, the limit is 2');
});

test('proposals beyond the byte limit are refused', async () => {
  const { proposals } = make({ maxPendingProposalBytes: 100 });
  void proposals.propose(PUT);
  expect((await failure(proposals.propose(PUT))).code).toBe('TOO_MANY_REQUESTS');
});

test('proposals are refused while too much waits to be applied', async () => {
  const { consensus, proposals } = make();
  consensus.committedIndex = 5_001;
  const error = await failure(proposals.propose(PUT));
  expect(error.detail).toBe('5001 committed entries wait to be applied, the limit is 5000');
});

test('a request that is too large is refused with its size', async () => {
  const { consensus, proposals } = make({ maxRequestBytes: 40 });
  const value = new Uint8Array(100);
  const put: Command = { kind: 'put', request: PutRequest.fromPartial({ value }) };
  const error = await failure(proposals.propose(put));
  expect(error.code).toBe('REQUEST_TOO_LARGE');
  expect(error.detail).toMatch(/^\d+ bytes, the limit is 40$/);
  expect(consensus.proposed).toHaveLength(0);
});

test('an aborted caller is let go at once, and told that the write may happen', async () => {
  const { proposals } = make();
  const abort = new AbortController();
  const answer = failure(proposals.propose(PUT, undefined, abort.signal));
  abort.abort();
  const error = await answer;
  expect(error.code).toBe('CANCELED');
  expect(error.mayHaveApplied).toBe(true);
  expect(proposals.count).toBe(0);
});

test('stopping tells everyone who waits, and refuses who comes later', async () => {
  const { proposals } = make();
  const answer = failure(proposals.propose(PUT));
  proposals.stop();
  expect((await answer).code).toBe('STOPPED');
  expect((await answer).mayHaveApplied).toBe(true);
  expect((await failure(proposals.propose(PUT))).mayHaveApplied).toBe(false);
});
