import { type Entry, type Message, RaftCore } from '@etcd-ts/raft';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FRAME_HEADER_BYTES, frameHeader, FrameReader } from '../src/peers/frame.ts';
import { decodeMessage, encodeMessage } from '../src/peers/message-codec.ts';
import { messagesOf, packRecord, RECORD, unpackRecord } from '../src/peers/peer-record.ts';

const FROM = 2n ** 64n - 1n;
const TO = 7n;

const index = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const bytes = fc.uint8Array({ maxLength: 20 });
const node = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
const ids = fc.array(node, { maxLength: 3 });
const flag = fc.boolean();

const command = fc.record({ kind: fc.constant('command' as const), data: bytes });
const config = fc.record({
  kind: fc.constant('config' as const),
  change: fc.record({
    steps: fc.array(
      fc.record({
        op: fc.constantFrom('addVoter', 'addLearner', 'remove', 'update'),
        node,
      }),
      { maxLength: 3 },
    ),
    transition: fc.constantFrom('auto', 'implicit', 'explicit'),
    context: bytes,
  }),
});
const empty = fc.record({ kind: fc.constant('empty' as const) });
const entries = fc.array(
  fc.record({ index, term: index, payload: fc.oneof(command, config, empty) }),
  { maxLength: 4 },
);
const confState = fc.record({
  voters: ids,
  votersOutgoing: ids,
  learners: ids,
  learnersNext: ids,
  autoLeave: flag,
});
const result = fc.oneof(
  fc.record({ id: index, accepted: fc.constant(true as const), index }),
  fc.record({
    id: index,
    accepted: fc.constant(false as const),
    reason: fc.constantFrom('noLeader', 'full', 'changeIllegal'),
  }),
);

/** An arbitrary for each field of a kind of message, but for those of every message. */
type Fields<T extends Message['type']> = {
  readonly [
    Field in Exclude<keyof Extract<Message, { type: T }>, 'type' | 'from' | 'to' | 'term'>
  ]: fc.Arbitrary<unknown>;
};

const envelope = { from: fc.constant(FROM), to: fc.constant(TO), term: index };
const of = <T extends Message['type']>(type: T, fields: Fields<T>): fc.Arbitrary<unknown> =>
  fc.record({ type: fc.constant(type), ...envelope, ...fields });

/** One arbitrary for every kind of message; the compiler asks for new ones, and for new fields. */
const KINDS: Record<Message['type'], fc.Arbitrary<unknown>> = {
  append: of('append', {
    prevIndex: index,
    prevTerm: index,
    entries,
    commit: index,
    session: index,
  }),
  appendResponse: of('appendResponse', {
    session: index,
    index,
    rejected: flag,
    hintIndex: index,
    hintTerm: index,
  }),
  heartbeat: of('heartbeat', { commit: index, readRound: index, session: index }),
  heartbeatResponse: of('heartbeatResponse', {
    readRound: index,
    session: index,
    commit: index,
  }),
  vote: of('vote', { lastIndex: index, lastTerm: index, transfer: flag }),
  preVote: of('preVote', { lastIndex: index, lastTerm: index, transfer: flag }),
  voteResponse: of('voteResponse', { rejected: flag, commit: index, commitTerm: index }),
  preVoteResponse: of('preVoteResponse', { rejected: flag, commit: index, commitTerm: index }),
  snapshot: of('snapshot', {
    snapshot: fc.record({ index, term: index, confState }),
    session: index,
  }),
  timeoutNow: of('timeoutNow', {}),
  readRequest: of('readRequest', { id: index }),
  readResponse: of('readResponse', { id: index, index, refused: flag }),
  forward: of('forward', {
    ids: fc.array(index, { maxLength: 3 }),
    payloads: fc.array(fc.oneof(command, config), { maxLength: 3 }),
  }),
  forwardResponse: of('forwardResponse', { results: fc.array(result, { maxLength: 3 }) }),
};

/** As frames deliver them: byte arrays of whatever class. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

test.each(Object.entries(KINDS))('%s crosses the wire as it was', (_type, arbitrary) => {
  fc.assert(
    fc.property(arbitrary, (message) => {
      const packed = packRecord([RECORD.messages, [encodeMessage(message as Message)]]);
      const [record] = messagesOf(unpackRecord(packed));
      expect(plain(decodeMessage(record!, FROM, TO))).toEqual(plain(message));
    }),
    { numRuns: 100 },
  );
});

/** What a stranger may send in the place of anything. */
const junk = fc.oneof(
  fc.constantFrom(undefined, null, true, 'x', 1.5, -1, Number.NaN, 2 ** 60, 0n, {}, []),
  fc.array(index, { maxLength: 3 }),
);

/** The same with one place of it replaced. */
function spoilt(value: unknown, place: number, by: unknown): unknown {
  let left = place;
  const copy = (part: unknown): unknown => {
    if (left === 0) {
      left = -1;
      return by;
    }
    left -= 1;
    if (part instanceof Uint8Array || typeof part !== 'object' || part === null) return part;
    if (Array.isArray(part)) return part.map(copy);
    return Object.fromEntries(Object.entries(part).map(([name, field]) => [name, copy(field)]));
  };
  return copy(value);
}

test('whatever stands in a record, it is refused, or the core takes it and goes on', () => {
  const initial = {
    hardState: { term: 0, vote: 0n, commit: 0 },
    snapshotIndex: 0,
    snapshotTerm: 0,
    confState: {
      voters: [TO, FROM],
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      autoLeave: false,
    },
    entries: [],
    applied: 0,
  };
  const timing = { electionTimeoutTicks: 10, heartbeatTicks: 1 };
  // One that is taken as it is: of the others most contradict themselves.
  const entry: Entry = { index: 1, term: 1, payload: { kind: 'command', data: new Uint8Array(1) } };
  const behind = { prevIndex: 0, prevTerm: 0, commit: 0, session: 0 };
  const sound: Message = {
    type: 'append',
    from: FROM,
    to: TO,
    term: 1,
    ...behind,
    entries: [entry],
  };
  const any = fc.oneof(fc.constant(sound), ...Object.values(KINDS));
  fc.assert(
    fc.property(any, fc.nat(30), junk, (message, place, by) => {
      const record = spoilt(encodeMessage(message as Message), place, by);
      const packed = packRecord([RECORD.messages, [record]]);
      let decoded: Message;
      try {
        const [again] = messagesOf(unpackRecord(packed));
        decoded = decodeMessage(again!, FROM, TO);
      } catch {
        return;
      }
      const core = new RaftCore({ id: TO, seed: 1, ...timing }, initial);
      const effects = core.step({ type: 'message', message: decoded });
      expect(effects.filter(({ type }) => type === 'halt')).toEqual([]);
      for (const { term } of core.entries(1, core.lastIndex)) {
        expect(Number.isSafeInteger(term)).toBe(true);
      }
    }),
    { numRuns: 3_000 },
  );
});

test('frames come out whole and in order however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(bytes, { maxLength: 8 }),
      fc.array(fc.nat(200), { maxLength: 12 }),
      (payloads, cuts) => {
        const stream = payloads.flatMap((payload) => [...frameHeader(payload), ...payload]);
        const reader = new FrameReader();
        const got: Uint8Array[] = [];
        const ends = [...cuts, stream.length].sort((a, b) => a - b);
        let at = 0;
        for (const end of ends) {
          const upTo = Math.min(end, stream.length);
          got.push(...reader.push(Uint8Array.from(stream.slice(at, upTo))));
          at = Math.max(at, upTo);
        }
        expect(got.map((payload) => [...payload])).toEqual(payloads.map((payload) => [...payload]));
      },
    ),
  );
});

test('a flipped bit in a frame breaks the connection off', () => {
  const payload = new Uint8Array([1, 2, 3]);
  const frame = Uint8Array.from([...frameHeader(payload), ...payload]);
  frame[FRAME_HEADER_BYTES] = 9;
  expect(() => new FrameReader().push(frame)).toThrow(/checksum is \d+, its header says \d+/);
});

test('a length beyond the limit breaks the connection off before anything is kept', () => {
  const frame = new Uint8Array(FRAME_HEADER_BYTES).fill(0xff);
  expect(() => new FrameReader().push(frame)).toThrow(
    'a frame of 4294967295 bytes, the limit is 134217728',
  );
});
