/**
 * Raft messages as msgpack arrays: one short array per message, positions in the order of the table below. Sender and
 * receiver are those of the connection and are not repeated.
 *
 * The first position is the kind's number, the second the term; numbers are never reused.
 */
import { assert } from '@etcd-ts/base';
import type {
  AppendResponseMessage,
  CommandPayload,
  ConfigPayload,
  ConfState,
  Entry,
  ForwardMessage,
  ForwardResult,
  Message,
  NodeId,
  Payload,
  Refusal,
  SnapshotMeta,
} from '@etcd-ts/raft';
import { countAt, flagAt, idAt, listAt, textAt, wordAt } from './record-fields.ts';

const KIND = {
  append: 1,
  appendResponse: 2,
  heartbeat: 3,
  heartbeatResponse: 4,
  vote: 5,
  preVote: 6,
  voteResponse: 7,
  preVoteResponse: 8,
  snapshot: 9,
  timeoutNow: 10,
  readRequest: 11,
  readResponse: 12,
  forward: 13,
  forwardResponse: 14,
} as const satisfies Record<Message['type'], number>;

/** A message as it is packed. */
export type MessageRecord = readonly unknown[];

type PayloadRecord = 0 | Uint8Array | readonly [ConfigPayload['change']];

const OPERATIONS = ['addVoter', 'addLearner', 'remove', 'update'] as const;
const TRANSITIONS = ['auto', 'implicit', 'explicit'] as const;

const TYPES = new Map<unknown, Message['type']>(
  Object.entries(KIND).map(([type, code]) => [code, type as Message['type']]),
);

/** The message's record. */
export function encodeMessage(message: Message): MessageRecord {
  const head = [KIND[message.type], message.term];
  return [...head, ...fieldsOf(message)];
}

function fieldsOf(message: Message): readonly unknown[] {
  switch (message.type) {
    case 'append': {
      const { prevIndex, prevTerm, commit, session, entries } = message;
      return [prevIndex, prevTerm, commit, session, encodeEntries(entries)];
    }
    case 'appendResponse': {
      const { session, index, rejected, hintIndex, hintTerm } = message;
      return [session, index, rejected, hintIndex, hintTerm];
    }
    case 'heartbeat':
      return [message.commit, message.readRound, message.session];
    case 'heartbeatResponse':
      return [message.readRound, message.session, message.commit];
    case 'vote':
    case 'preVote':
      return [message.lastIndex, message.lastTerm, message.transfer];
    case 'voteResponse':
    case 'preVoteResponse':
      return [message.rejected, message.commit, message.commitTerm];
    case 'snapshot':
      return [encodeSnapshotMeta(message.snapshot), message.session];
    case 'timeoutNow':
      return [];
    case 'readRequest':
      return [message.id];
    case 'readResponse':
      return [message.id, message.index, message.refused];
    case 'forward':
      return [message.ids, message.payloads.map(encodePayload)];
    case 'forwardResponse':
      return [message.results];
  }
}

/**
 * Reads a record that came over a connection.
 *
 * @throws InvariantError when the kind is unknown, or a field is not of its kind; the connection is then closed.
 */
export function decodeMessage(record: MessageRecord, from: NodeId, to: NodeId): Message {
  const type = TYPES.get(record[0]);
  assert(type !== undefined, () => `message kind ${String(record[0])} is unknown`);
  const envelope = { from, to, term: record[1] as number };
  const [a, b, c, d, e] = record.slice(2) as number[];
  const at = (position: number): unknown => record[position + 2];
  switch (type) {
    case 'append':
      return {
        type,
        ...envelope,
        prevIndex: a as number,
        prevTerm: b as number,
        commit: c as number,
        session: d as number,
        entries: decodeEntries(listAt(at(4), 'entries')),
      };
    case 'appendResponse':
      return {
        type,
        ...envelope,
        session: a as number,
        index: b as number,
        rejected: flagAt(at(2), 'rejected'),
        hintIndex: d as number,
        hintTerm: e as number,
      } satisfies AppendResponseMessage;
    case 'heartbeat':
      return {
        type,
        ...envelope,
        commit: a as number,
        readRound: b as number,
        session: c as number,
      };
    case 'heartbeatResponse':
      return {
        type,
        ...envelope,
        readRound: a as number,
        session: b as number,
        commit: c as number,
      };
    case 'snapshot':
      return {
        type,
        ...envelope,
        snapshot: decodeSnapshotMeta(listAt(at(0), 'snapshot')),
        session: b as number,
      };
    default:
      return decodeOther(type, envelope, at);
  }
}

/** Where a message comes from, where to, and its term. */
type Envelope = Pick<Message, 'from' | 'to' | 'term'>;

/** Elections, and what followers ask of leaders. */
function decodeOther(
  type: Exclude<
    Message['type'],
    'append' | 'appendResponse' | 'heartbeat' | 'heartbeatResponse' | 'snapshot'
  >,
  envelope: Envelope,
  at: (position: number) => unknown,
): Message {
  const [a, b, c] = [at(0), at(1), at(2)] as number[];
  switch (type) {
    case 'vote':
    case 'preVote':
      return {
        type,
        ...envelope,
        lastIndex: a as number,
        lastTerm: b as number,
        transfer: flagAt(at(2), 'transfer'),
      };
    case 'voteResponse':
    case 'preVoteResponse':
      return {
        type,
        ...envelope,
        rejected: flagAt(at(0), 'rejected'),
        commit: b as number,
        commitTerm: c as number,
      };
    case 'timeoutNow':
      return { type, ...envelope };
    case 'readRequest':
      return { type, ...envelope, id: a as number };
    case 'readResponse':
      return {
        type,
        ...envelope,
        id: a as number,
        index: b as number,
        refused: flagAt(at(2), 'refused'),
      };
    case 'forward':
      return {
        type,
        ...envelope,
        ids: listAt(at(0), 'ids').map((id) => countAt(id, 'id')),
        payloads: listAt(at(1), 'payloads').map(decodePayload) as ForwardMessage['payloads'],
      };
    case 'forwardResponse':
      return { type, ...envelope, results: listAt(at(0), 'results').map(decodeResult) };
  }
}

/** Three positions an entry: consecutive entries mostly share their term, but msgpack packs it in a byte anyway. */
function encodeEntries(entries: readonly Entry[]): readonly unknown[] {
  const record: unknown[] = [];
  for (const { index, term, payload } of entries) record.push(index, term, encodePayload(payload));
  return record;
}

function decodeEntries(record: readonly unknown[]): readonly Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at + 2 < record.length; at += 3) {
    entries.push({
      index: countAt(record[at], 'index'),
      term: countAt(record[at + 1], 'term'),
      payload: decodePayload(record[at + 2]),
    });
  }
  return entries;
}

function encodePayload(payload: Payload): PayloadRecord {
  switch (payload.kind) {
    case 'empty':
      return 0;
    case 'command':
      return payload.data;
    case 'config':
      return [payload.change];
  }
}

function decodePayload(record: unknown): CommandPayload | ConfigPayload | Payload {
  if (record === 0) return { kind: 'empty' };
  if (record instanceof Uint8Array) return { kind: 'command', data: record };
  const { steps, transition, context } = objectAt(listAt(record, 'payload')[0]);
  assert(context instanceof Uint8Array, 'context of a message is no bytes');
  return {
    kind: 'config',
    change: {
      steps: listAt(steps, 'steps').map((step) => {
        const { op, node } = objectAt(step);
        return { op: wordAt(op, OPERATIONS, 'op'), node: idAt(node, 'node') };
      }),
      transition: wordAt(transition, TRANSITIONS, 'transition'),
      context,
    },
  };
}

function decodeResult(record: unknown): ForwardResult {
  const { id, accepted, index, reason, detail } = objectAt(record);
  const known = countAt(id, 'id');
  if (flagAt(accepted, 'accepted'))
    return { id: known, accepted: true, index: countAt(index, 'index') };
  return {
    id: known,
    accepted: false,
    // Whatever it is: another member's program may know more of them.
    reason: textAt(reason, 'reason') as Refusal,
    ...(detail === undefined ? {} : { detail: textAt(detail, 'detail') }),
  };
}

function objectAt(value: unknown): Readonly<Record<string, unknown>> {
  assert(typeof value === 'object' && value !== null, 'a part of a message has no fields');
  return value as Readonly<Record<string, unknown>>;
}

/** A snapshot's description as a record. */
export function encodeSnapshotMeta({ index, term, confState }: SnapshotMeta): MessageRecord {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState;
  return [index, term, voters, votersOutgoing, learners, learnersNext, autoLeave];
}

/** Reads a snapshot's description. */
export function decodeSnapshotMeta(record: MessageRecord): SnapshotMeta {
  const ids = (position: number): readonly bigint[] =>
    listAt(record[position], 'members').map((id) => idAt(id, 'member'));
  const confState: ConfState = {
    voters: ids(2),
    votersOutgoing: ids(3),
    learners: ids(4),
    learnersNext: ids(5),
    autoLeave: flagAt(record[6], 'autoLeave'),
  };
  return {
    index: countAt(record[0], 'index'),
    term: countAt(record[1], 'term'),
    confState,
  };
}
