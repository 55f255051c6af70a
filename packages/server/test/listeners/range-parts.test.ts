/** What a client gets of a range that is encoded while it is read: the bytes of the whole, or none beyond its end. */
import { concatBytes } from '@etcd-ts/base';
import { EtcdError, RangeResponse } from '@etcd-ts/protocol';
import { expect, test } from 'vitest';
import { AnswerBudget } from '../../src/listeners/answer-budget.ts';
import type { JsonWire } from '../../src/listeners/gateway/json-wire.ts';
import { messageToJson } from '../../src/listeners/gateway/to-json.ts';
import { FramedRange, JsonRange, RANGE_HIGH_WATER_BYTES } from '../../src/listeners/range-parts.ts';

const header = { clusterId: 1n, memberId: 2n, revision: 3, raftTerm: 4 };
const kvs = Array.from({ length: 10 }, (_, i) => ({
  key: Uint8Array.of(i),
  value: new Uint8Array(i),
  modRevision: i,
  version: 1,
  createRevision: i,
  lease: 0n,
}));
const PARTS = [kvs.slice(0, 4), kvs.slice(4, 5), kvs.slice(5)];

/** A wire that keeps what it is given; so much of it is said to wait. */
class Wire implements Partial<JsonWire> {
  text = '';
  begun = 0;
  ended = 0;
  wasCut = false;
  waitingBytes = 0;
  readonly takesParts = true;
  #gone: () => void = () => undefined;

  part(text: string): void {
    this.text += text;
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  end(): void {
    this.ended += 1;
  }

  cut(): void {
    this.wasCut = true;
    this.waitingBytes = 0;
    this.#gone();
  }

  onGone(listener: () => void): void {
    this.#gone = listener;
  }
}

function json(budget = new AnswerBudget()): { wire: Wire; range: JsonRange } {
  const wire = new Wire();
  const range = new JsonRange(wire as unknown as JsonWire, budget, () => (wire.begun += 1));
  return { wire, range };
}

test.each([
  ['count', { more: false, count: 10 }],
  ['nothing', { more: false, count: 0 }],
])('parts and %s behind them are the whole message, as frame and as JSON', (_, rest) => {
  const whole = { header, kvs, ...rest };
  const answer = { header, kvs: [], ...rest };
  const frame = new FramedRange();
  const { wire, range } = json();
  expect([frame.hasBegun, range.hasBegun]).toEqual([false, false]);
  for (const parts of [frame, range]) {
    parts.begin(header);
    for (const part of PARTS) expect(parts.take(part)).toBeUndefined();
  }
  expect([frame.hasBegun, range.hasBegun]).toEqual([true, true]);
  expect(Buffer.from(concatBytes(frame.frame(answer)))).toEqual(
    Buffer.from(RangeResponse.encodeFrame(whole)),
  );
  range.end(answer);
  expect(wire.text).toBe(messageToJson(RangeResponse, whole));
  expect([wire.begun, wire.ended]).toEqual([1, 1]);
});

test('a client that has enough for now is waited for', () => {
  const { wire, range } = json();
  range.begin(header);
  wire.waitingBytes = RANGE_HIGH_WATER_BYTES - 1;
  expect(range.take(kvs)).toBeUndefined();
  wire.waitingBytes = RANGE_HIGH_WATER_BYTES;
  expect(range.take(kvs)).toBeInstanceOf(Promise);
});

test('what waits counts among all answers, until its client is gone', () => {
  const budget = new AnswerBudget(RANGE_HIGH_WATER_BYTES);
  const [first, second] = [json(budget), json(budget)];
  for (const { range } of [first, second]) range.begin(header);
  first.wire.waitingBytes = RANGE_HIGH_WATER_BYTES - 400_000;
  second.wire.waitingBytes = 300_000;
  expect(budget.waitingBytes).toBe(RANGE_HIGH_WATER_BYTES - 100_000);
  // Who holds the most is hung up on for another, and refused itself.
  expect(() => first.range.take(kvs)).toThrow(EtcdError);
  expect(second.range.take(kvs)).toBeUndefined();
  expect([first.wire.wasCut, second.wire.wasCut]).toEqual([true, false]);
  expect(budget.waitingBytes).toBe(300_000);
});
