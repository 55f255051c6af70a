/**
 * Large ranges on their way to a client, encoded while they are read. Over gRPC a message's length comes before it, so its
 * bytes are held until all are there; JSON leaves at once, as far as its client takes it.
 */
import { assert } from '@etcd-ts/base';
import {
  type KeyValue,
  type RangeParts,
  RangeResponse,
  type ResponseHeader,
} from '@etcd-ts/protocol';
import { type AnswerBudget, type AnswerHolder, SMALL_ANSWER_BYTES } from './answer-budget.ts';
import type { JsonWire } from './gateway/json-wire.ts';
import { framed, headJson, headOf, itemsJson, partOf, tailJson, tailOf } from './large-answer.ts';

/** Bytes of one range that wait for its client before the reading does. */
export const RANGE_HIGH_WATER_BYTES: number = 1 << 20;

/** A range as the frame of one message. */
export class FramedRange implements RangeParts {
  readonly #pieces: Uint8Array[] = [];

  get hasBegun(): boolean {
    return this.#pieces.length > 0;
  }

  begin(header: ResponseHeader): void {
    this.#pieces.push(RangeResponse.encode(headOf(header)));
  }

  take(kvs: readonly KeyValue[]): undefined {
    this.#pieces.push(RangeResponse.encode(partOf(kvs)));
  }

  /** All of it, in pieces, with the rest that the handler has answered. */
  frame(rest: RangeResponse): Uint8Array[] {
    this.#pieces.push(RangeResponse.encode(tailOf(rest)));
    return framed(this.#pieces);
  }
}

/** A range as JSON, over a wire that takes answers in parts. */
export class JsonRange implements RangeParts, AnswerHolder {
  readonly #wire: JsonWire;
  readonly #answers: AnswerBudget;
  readonly #beginAnswer: () => void;
  #state: 'unused' | 'begun' | 'continued' = 'unused';

  /** @param beginAnswer Sends what comes before the JSON. */
  constructor(wire: JsonWire, answers: AnswerBudget, beginAnswer: () => void) {
    this.#wire = wire;
    this.#answers = answers;
    this.#beginAnswer = beginAnswer;
  }

  get hasBegun(): boolean {
    return this.#state !== 'unused';
  }

  get waitingBytes(): number {
    return this.#wire.waitingBytes;
  }

  hangUp(): void {
    this.#wire.cut();
  }

  begin(header: ResponseHeader): void {
    this.#state = 'begun';
    this.#answers.join(this);
    this.#wire.onGone(() => this.#answers.leave(this));
    this.#beginAnswer();
    this.#wire.part(headJson(header));
  }

  take(kvs: readonly KeyValue[]): Promise<void> | undefined {
    assert(this.hasBegun, () => 'keys of a range came before its header');
    const text = `${this.#state === 'continued' ? ',' : ''}${itemsJson(kvs)}`;
    this.#state = 'continued';
    // Asked for in the name of what waits: each part for itself would count as small.
    const waitingBytes = this.waitingBytes + text.length;
    if (waitingBytes > SMALL_ANSWER_BYTES) this.#answers.admit(waitingBytes, this);
    this.#wire.part(text);
    return this.waitingBytes < RANGE_HIGH_WATER_BYTES ? undefined : this.#wire.drained();
  }

  /** Ends it with the rest that the handler has answered. */
  end(rest: RangeResponse): void {
    this.#wire.part(tailJson(rest));
    this.#wire.end();
  }
}
