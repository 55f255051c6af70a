import { utf8 } from '@etcd-ts/base';
import { describe, expect, it } from 'vitest';
import { checkLocks, type LockHold } from '../src/checkers/lock.ts';
import { EtcdModel } from '../src/model/etcd-model.ts';

const put = (key: string) => ({
  key: utf8(key),
  value: utf8('v'),
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
});

/** lock/a is made at 2, lock/b at 3, lock/a goes at 4, a fenced write of b's owner comes at 5. */
function story(): EtcdModel {
  const model = new EtcdModel();
  model.put(put('lock/a'));
  model.put(put('lock/b'));
  model.deleteRange({ key: utf8('lock/a'), rangeEnd: new Uint8Array(0), prevKv: false });
  model.put(put('data'));
  return model;
}
const hold = (more: Partial<LockHold>): LockHold => ({
  kind: 'lock',
  client: 1,
  prefix: utf8('lock/'),
  key: utf8('lock/a'),
  createRevision: 2,
  acquiredRevision: 2,
  acquiredAtUs: 0,
  heldUntilUs: 10,
  fencedWrites: [],
  ...more,
});
const b = { key: utf8('lock/b'), createRevision: 3 };
const judge = (...holds: LockHold[]): string[] =>
  checkLocks(holds, story()).map((each) => each.invariant);

describe('the lock checker', () => {
  it('accepts one holder after the other', () => {
    expect(judge(hold({}), hold({ ...b, acquiredRevision: 4, fencedWrites: [5] }))).toEqual([]);
  });

  it('sees a holder while an older waiter is there (X1)', () => {
    expect(judge(hold({ ...b, acquiredRevision: 3 }))).toEqual(['X1']);
  });

  it('sees a leader while an older candidate is there (X5)', () => {
    expect(judge(hold({ ...b, kind: 'elect', acquiredRevision: 3 }))).toEqual(['X5']);
  });

  it('sees two holders at one moment, where time can be trusted (X2)', () => {
    const next = { ...b, acquiredRevision: 4 };
    const both = (acquiredAtUs: number): LockHold[] => [
      hold({}),
      hold({ ...next, acquiredAtUs, heldUntilUs: 30 }),
    ];
    const invariants = (holds: LockHold[], isCalm: boolean): string[] =>
      checkLocks(holds, story(), isCalm).map((each) => each.invariant);
    expect(invariants(both(10), true)).toEqual([]);
    expect(invariants(both(9), true)).toEqual(['X2']);
    expect(invariants(both(9), false)).toEqual([]);
  });

  it('sees a holder whose key is gone or was made anew (X4)', () => {
    expect(judge(hold({ acquiredRevision: 4 }))).toEqual(['X4']);
    expect(judge(hold({ createRevision: 1 }))).toEqual(['X4']);
  });

  it('sees a fenced write after the lock went (X3)', () => {
    expect(judge(hold({ fencedWrites: [5] }))).toEqual(['X3']);
    expect(judge(hold({ ...b, acquiredRevision: 4, fencedWrites: [4] }))).toEqual(['X3']);
  });
});
