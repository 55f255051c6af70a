import { EtcdError } from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { AnswerBudget, type AnswerHolder } from '../../src/listeners/answer-budget.ts';

const KIB = 1024;
const LIMIT = 1_000 * KIB;

class Holder implements AnswerHolder {
  waitingBytes = 0;
  reason = '';

  hangUp(reason: string): void {
    this.reason = reason;
    this.waitingBytes = 0;
  }
}

function made(...waiting: readonly number[]): { budget: AnswerBudget; holders: Holder[] } {
  const budget = new AnswerBudget(LIMIT);
  const holders = waiting.map((waitingBytes) => {
    const holder = new Holder();
    holder.waitingBytes = waitingBytes;
    budget.join(holder);
    return holder;
  });
  return { budget, holders };
}

const refused = (work: () => void): boolean => {
  try {
    work();
    return false;
  } catch (error) {
    return EtcdError.is(error) && error.code === 'RESOURCE_EXHAUSTED';
  }
};

describe('what waits for clients', () => {
  test('has room up to the limit, and one answer beyond it where little waits', () => {
    const { budget, holders } = made(0);
    const [holder = new Holder()] = holders;
    budget.admit(LIMIT, holder);
    budget.admit(100 * LIMIT, holder);
    holder.waitingBytes = LIMIT / 2;
    budget.admit(LIMIT / 2, holder);
    budget.admit(100 * LIMIT, holder);
    holder.waitingBytes = LIMIT / 2 + 1;
    expect(refused(() => budget.admit(LIMIT / 2, holder))).toBe(true);
    expect(refused(() => budget.admit(100 * LIMIT, holder))).toBe(true);
  });

  test('is refused to the connection that holds the most', () => {
    const { budget, holders } = made(LIMIT, 100 * KIB);
    const [hog = new Holder()] = holders;
    expect(refused(() => budget.admit(200 * KIB, hog))).toBe(true);
    expect(hog.reason).toBe('');
  });

  test('is taken from the connection that holds the most, for one that asks for less', () => {
    const { budget, holders } = made(400 * KIB, 600 * KIB, 0);
    const [small, hog, asking = new Holder()] = holders;
    budget.admit(100 * KIB, asking);
    expect(hog?.reason).toBe(
      `etcdserver: answers of ${LIMIT} bytes wait to be read (limit ${LIMIT})`,
    );
    expect(small?.reason).toBe('');
    expect(refused(() => budget.admit(900 * KIB, asking))).toBe(false);
  });

  test('is not taken for an answer that is larger than what anybody holds', () => {
    const { budget, holders } = made(500 * KIB, 500 * KIB, 0);
    const [, , asking = new Holder()] = holders;
    expect(refused(() => budget.admit(600 * KIB, asking))).toBe(true);
  });

  test('does not count small answers, nor who has left', () => {
    const { budget, holders } = made(LIMIT, LIMIT);
    const [one = new Holder(), other = new Holder()] = holders;
    budget.admit(1 * KIB, one);
    budget.leave(one);
    budget.leave(other);
    expect(budget.waitingBytes).toBe(0);
    budget.admit(LIMIT, one);
  });
});
