import type { Message } from '@etcd-ts/raft';
import { expect, test } from 'vitest';
import { DurableMessages } from '../src/consensus/durable-messages.ts';

const acknowledgement = (index: number, fields: object = {}): Message => ({
  type: 'appendResponse',
  from: 2n,
  to: 1n,
  term: 1,
  session: 0,
  index,
  rejected: false,
  hintIndex: 0,
  hintTerm: 0,
  ...fields,
});

function merged(...groups: readonly (readonly Message[])[]): readonly Message[] {
  const durable = new DurableMessages();
  for (const group of groups) durable.push(group);
  return durable.take();
}

test('of acknowledgements that leave together the last one leaves', () => {
  expect(merged([acknowledgement(1)], [acknowledgement(2), acknowledgement(2)])).toEqual([
    acknowledgement(2),
  ]);
});

test('what was handed out is gone', () => {
  const durable = new DurableMessages();
  expect(durable.isEmpty).toBe(true);
  durable.push([acknowledgement(1)]);
  expect(durable.isEmpty).toBe(false);
  expect(durable.take()).toEqual([acknowledgement(1)]);
  expect(durable.isEmpty).toBe(true);
  expect(durable.take()).toEqual([]);
});

test.each([
  ['a smaller index', acknowledgement(1)],
  ['another term', acknowledgement(3, { term: 2 })],
  ['another leader', acknowledgement(3, { to: 3n })],
  ['another session', acknowledgement(3, { session: 7 })],
  ['a refusal', acknowledgement(3, { rejected: true })],
])('an acknowledgement says nothing of one with %s', (_, other) => {
  const one = acknowledgement(2);
  expect(merged([one], [other])).toEqual([one, other]);
});

test('a vote stays where it is', () => {
  const vote: Message = {
    type: 'voteResponse',
    from: 2n,
    to: 1n,
    term: 1,
    rejected: false,
    commit: 0,
    commitTerm: 0,
  };
  const messages = [vote, acknowledgement(1), vote, acknowledgement(2)];
  expect(merged(messages)).toEqual(messages);
});
